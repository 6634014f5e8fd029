SELECT i.rule, {by}, count(*) FILTER (i.status = 'fail') AS fails,
       count(*) FILTER (i.status = 'review') AS reviews,
       count(*) FILTER (i.status IN ('pass', 'fail')) AS judged
FROM v_items i JOIN v_calls USING (call_id) WHERE {period}
GROUP BY i.rule, {group} HAVING fails + reviews > 0 ORDER BY fails DESC, i.rule, {group}
