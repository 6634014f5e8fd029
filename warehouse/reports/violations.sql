WITH counted AS (
    SELECT {by}, pattern, count(*) AS calls FROM v_verdicts WHERE {period} GROUP BY {group}, pattern
), machine AS (
    SELECT rule, counted.* EXCLUDE (pattern, calls), status, calls
    FROM counted JOIN v_patterns USING (pattern)
), people AS (
    SELECT rule, {by}, status, count(*) AS calls
    FROM revised_items JOIN v_calls USING (call_id) WHERE {period} GROUP BY rule, {group}, status
)
SELECT * EXCLUDE (status, calls),
       coalesce(sum(calls) FILTER (status = 'fail'), 0) AS fails,
       coalesce(sum(calls) FILTER (status = 'review'), 0) AS reviews,
       coalesce(sum(calls) FILTER (status IN ('pass', 'fail')), 0) AS judged
FROM (SELECT * FROM machine UNION ALL BY NAME SELECT * FROM people)
GROUP BY ALL HAVING fails + reviews > 0 ORDER BY fails DESC, rule, {name}
