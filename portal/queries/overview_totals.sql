-- The period's figures within reach; a call unanswered that rang 15 s or more is late too.
SELECT count(*) AS calls,
       count(answered_at) AS answered,
       count(*) FILTER (ring_ms < 15000 AND answered_at IS NOT NULL)
         / nullif(count(*) FILTER (ring_ms IS NOT NULL AND (answered_at IS NOT NULL OR ring_ms >= 15000)), 0)
         AS three_rings,
       count(answered_at) / nullif(count(*), 0) AS answer_rate,
       avg(final_score) AS score,
       sum(fails) AS fails,
       count(*) FILTER (veto) AS vetoes,
       count(answered_at) FILTER (hour(local_at) IN (12, 13))
         / nullif(count(*) FILTER (hour(local_at) IN (12, 13)), 0) AS noon,
       count(answered_at) FILTER (hour(local_at) NOT IN (12, 13))
         / nullif(count(*) FILTER (hour(local_at) NOT IN (12, 13)), 0) AS rest
FROM (SELECT *, invited_at + to_minutes($offset::BIGINT) AS local_at FROM v_calls)
WHERE ($reach_team::TEXT IS NULL OR team = $reach_team) AND ($team::TEXT IS NULL OR team = $team)
  AND invited_at >= $since::TIMESTAMP AND invited_at < $until::TIMESTAMP
