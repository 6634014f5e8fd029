-- Appeals within a person's reach; open ones first, by deadline.
SELECT p.*, c.agent_name, c.invited_at, c.score, c.final_score
FROM appeals p JOIN v_calls c USING (call_id)
WHERE ($reach_agent::TEXT IS NULL OR c.agent = $reach_agent)
  AND ($reach_team::TEXT IS NULL OR c.team = $reach_team)
  AND (NOT $open_only::BOOLEAN OR p.state = 'open')
ORDER BY p.state <> 'open', CASE WHEN p.state = 'open' THEN p.deadline_at END,
         p.decided_at DESC
