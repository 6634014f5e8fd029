-- Places where the words were said, newest call first, within a person's reach.
SELECT c.call_id, c.agent, c.agent_name, c.invited_at, u.channel, u.start_ms, u.text
FROM utterances u JOIN v_calls c USING (call_id)
WHERE contains(u.text, $words)
  AND ($channel::TEXT IS NULL OR u.channel = $channel)
  AND ($reach_agent::TEXT IS NULL OR c.agent = $reach_agent)
  AND ($reach_team::TEXT IS NULL OR c.team = $reach_team)
ORDER BY c.invited_at DESC, u.start_ms
LIMIT $many
