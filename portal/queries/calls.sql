-- A page of calls, newest first, within a person's reach; keyset after ($at, $after).
WITH picked AS (
    SELECT call_id
    FROM v_calls
    WHERE ($reach_agent::TEXT IS NULL OR agent = $reach_agent)
      AND ($reach_team::TEXT IS NULL OR team = $reach_team)
      AND ($agent::TEXT IS NULL OR agent = $agent)
      AND ($team::TEXT IS NULL OR team = $team)
      AND ($since::TIMESTAMP IS NULL OR invited_at >= $since)
      AND ($floor::TIMESTAMP IS NULL OR invited_at >= $floor)
      AND ($until::TIMESTAMP IS NULL OR invited_at < $until)
      AND ($at::TIMESTAMP IS NULL OR (invited_at, call_id) < ($at::TIMESTAMP, $after::TEXT))
      AND ($rule::TEXT IS NULL OR call_id IN
           (SELECT call_id FROM v_items WHERE rule = $rule AND status = 'fail'))
      AND CASE $show::TEXT
            WHEN 'fail' THEN fails > 0
            WHEN 'review' THEN reviews > 0
            WHEN 'veto' THEN veto
            WHEN 'appeal' THEN call_id IN (SELECT call_id FROM appeals WHERE state = 'open')
            WHEN 'missed' THEN answered_at IS NULL
            ELSE true
          END
    ORDER BY invited_at DESC, call_id DESC
    LIMIT $many
)
SELECT call_id, agent, agent_name, team, caller, invited_at, answered_at, ended_by, end_reason,
       ring_ms, rings, duration_ms, score, final_score, fails, reviews, veto,
       call_id IN (SELECT call_id FROM appeals WHERE state = 'open') AS appealed
FROM v_calls
WHERE call_id IN (SELECT call_id FROM picked)
ORDER BY invited_at DESC, call_id DESC
