-- Places where the words, or where $alike is given what it matches, were said, newest call first, within
-- a person's reach. Rows of utterances lie in the order in which their calls came in: $first leaves out
-- what lies before.
WITH said AS MATERIALIZED (
    SELECT call_id, channel, start_ms, text FROM utterances
    WHERE rowid >= $first
      AND (contains(text, $words) OR ($alike::TEXT IS NOT NULL AND regexp_matches(text, $alike)))
      AND ($channel::TEXT IS NULL OR channel = $channel)
)
SELECT c.call_id, c.agent, a.name AS agent_name, c.invited_at, said.channel, said.start_ms, said.text,
       contains(said.text, $words) AS literal
FROM said JOIN calls c USING (call_id) LEFT JOIN agents a USING (agent)
WHERE ($reach_agent::TEXT IS NULL OR c.agent = $reach_agent)
  AND ($reach_team::TEXT IS NULL OR a.team = $reach_team)
ORDER BY c.invited_at DESC, said.start_ms
LIMIT $many
