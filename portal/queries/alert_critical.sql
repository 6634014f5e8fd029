-- Calls that came in since the last look with a critical phrase that the machine is sure of.
SELECT DISTINCT f.call_id
FROM findings f JOIN calls c USING (call_id)
WHERE f.severity = 'critical' AND f.status = 'fail' AND c.ingested_at > $since::TIMESTAMP
ORDER BY f.call_id
LIMIT $many
