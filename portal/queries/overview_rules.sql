-- Verdicts by rule.
SELECT i.rule, count(*) FILTER (i.status = 'fail') AS fails,
       count(*) FILTER (i.status = 'review') AS reviews,
       count(*) FILTER (i.status IN ('pass', 'fail')) AS judged
FROM v_items i JOIN v_calls c USING (call_id)
WHERE ($reach_team::TEXT IS NULL OR c.team = $reach_team) AND ($team::TEXT IS NULL OR c.team = $team)
  AND c.invited_at >= $since::TIMESTAMP AND c.invited_at < $until::TIMESTAMP
GROUP BY i.rule ORDER BY fails DESC, i.rule
