WITH ruled AS (
    SELECT call_id, rule, pattern, v.agent, a.name AS agent_name, a.team, invited_at,
           invited_at + INTERVAL 8 HOUR AS local_at
    FROM (SELECT DISTINCT call_id, rule FROM reviews WHERE decision <> 'skip')
         JOIN verdicts v USING (call_id) LEFT JOIN agents a USING (agent)
    WHERE {period}
), judged AS (
    SELECT ruled.*, i.status AS machine, p.status AS person
    FROM ruled JOIN v_patterns i USING (pattern, rule) JOIN revised_items p USING (call_id, rule)
    WHERE i.status <> 'na' AND p.status IN ('pass', 'fail')
), counted AS (
    SELECT rule, {by}, count(*) AS judged,
           count(*) FILTER (machine = 'fail') AS failed,
           count(*) FILTER (machine = 'fail' AND person = 'fail') AS confirmed,
           count(*) FILTER (person = 'fail') AS wrong
    FROM judged GROUP BY rule, {group}
)
SELECT *, round(confirmed / nullif(failed, 0), 4) AS precision,
       round(wilson(confirmed, failed, -1), 4) AS precision_low,
       round(wilson(confirmed, failed, 1), 4) AS precision_high,
       round(confirmed / nullif(wrong, 0), 4) AS recall,
       round(wilson(confirmed, wrong, -1), 4) AS recall_low,
       round(wilson(confirmed, wrong, 1), 4) AS recall_high
FROM counted ORDER BY ALL
