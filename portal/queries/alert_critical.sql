-- Calls that came in since the last look with a critical phrase that the machine is sure of, and
-- of which nobody was told while they went on.
SELECT DISTINCT f.call_id, c.agent
FROM findings f JOIN calls c USING (call_id)
WHERE f.severity = 'critical' AND f.status = 'fail' AND c.ingested_at > $since::TIMESTAMP
  AND f.call_id NOT IN (SELECT subject FROM alerts WHERE kind = 'live_phrase')
ORDER BY f.call_id
LIMIT $many
