-- Pass rate by rule: one agent's against the middle of the team's agents.
WITH rates AS (
    SELECT i.rule, c.agent, count(*) AS many, avg(CAST(i.status = 'pass' AS INTEGER)) AS rate,
           sum(i.weight - i.earned) AS lost
    FROM v_items i JOIN v_calls c USING (call_id)
    WHERE i.status IN ('pass', 'fail') AND c.invited_at >= $since::TIMESTAMP
      AND ($team::TEXT IS NULL OR c.team = $team OR c.agent = $agent)
    GROUP BY i.rule, c.agent
)
SELECT rule, any_value(rate) FILTER (agent = $agent) AS mine, median(rate) AS team,
       coalesce(any_value(lost) FILTER (agent = $agent), 0) AS lost
FROM rates GROUP BY rule HAVING any_value(rate) FILTER (agent = $agent) IS NOT NULL
ORDER BY lost DESC, rule
