-- The three-ring rate of the calls that began since a moment.
SELECT count(*) AS calls,
       count(*) FILTER (answered_at IS NOT NULL AND ring_ms < 15000) / nullif(count(*), 0) AS rate
FROM calls
WHERE ring_ms IS NOT NULL AND (answered_at IS NOT NULL OR ring_ms >= 15000)
  AND invited_at >= $since::TIMESTAMP
