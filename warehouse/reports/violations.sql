WITH machine AS (
    SELECT {by}, pattern, count(*) AS calls FROM fresh_patterns({days}) GROUP BY {group}, pattern
), verdicts AS (
    SELECT rule, {by}, status, sum(calls) AS calls FROM {counted} GROUP BY rule, {group}, status
    UNION ALL BY NAME
    SELECT machine.* EXCLUDE (pattern), rule, status FROM machine JOIN v_patterns USING (pattern)
    UNION ALL BY NAME
    SELECT rule, {by}, status, count(*) AS calls FROM fresh_rulings({days})
    GROUP BY rule, {group}, status
)
SELECT * EXCLUDE (status, calls),
       coalesce(sum(calls) FILTER (status = 'fail'), 0) AS fails,
       coalesce(sum(calls) FILTER (status = 'review'), 0) AS reviews,
       coalesce(sum(calls) FILTER (status IN ('pass', 'fail')), 0) AS judged
FROM verdicts GROUP BY ALL HAVING fails + reviews > 0 ORDER BY fails DESC, rule, {name}
