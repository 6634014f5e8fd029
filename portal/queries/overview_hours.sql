-- Calls and three-ring rate by weekday (1 Monday … 7 Sunday) and hour.
SELECT isodow(local_at) AS weekday, hour(local_at) AS hour, count(*) AS calls,
       count(answered_at) AS answered,
       count(*) FILTER (ring_ms < 15000 AND answered_at IS NOT NULL) AS in_time,
       count(*) FILTER (ring_ms IS NOT NULL AND (answered_at IS NOT NULL OR ring_ms >= 15000)) AS judged,
       avg(final_score) AS score
FROM (SELECT *, invited_at + to_minutes($offset::BIGINT) AS local_at FROM v_calls)
WHERE ($reach_team::TEXT IS NULL OR team = $reach_team) AND ($team::TEXT IS NULL OR team = $team)
  AND invited_at >= $since::TIMESTAMP AND invited_at < $until::TIMESTAMP
GROUP BY ALL ORDER BY ALL
