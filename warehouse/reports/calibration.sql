WITH ruled AS MATERIALIZED (
    SELECT call_id, rule, pattern
    FROM (SELECT DISTINCT call_id, rule FROM reviews WHERE decision <> 'skip')
         JOIN verdicts USING (call_id)
), judged AS (
    SELECT r.rule, i.status AS machine, p.status AS person, c.agent, c.agent_name, c.team, c.local_at,
           c.invited_at
    FROM ruled r JOIN v_patterns i USING (pattern, rule)
         JOIN revised_items p USING (call_id, rule) JOIN v_calls c USING (call_id)
    WHERE i.status <> 'na' AND p.status IN ('pass', 'fail')
), counted AS (
    SELECT rule, {by}, count(*) AS judged,
           count(*) FILTER (machine = 'fail') AS failed,
           count(*) FILTER (machine = 'fail' AND person = 'fail') AS confirmed,
           count(*) FILTER (person = 'fail') AS wrong
    FROM judged WHERE {period} GROUP BY rule, {group}
)
SELECT *, round(confirmed / nullif(failed, 0), 4) AS precision,
       round(wilson(confirmed, failed, -1), 4) AS precision_low,
       round(wilson(confirmed, failed, 1), 4) AS precision_high,
       round(confirmed / nullif(wrong, 0), 4) AS recall,
       round(wilson(confirmed, wrong, -1), 4) AS recall_low,
       round(wilson(confirmed, wrong, 1), 4) AS recall_high
FROM counted ORDER BY ALL
