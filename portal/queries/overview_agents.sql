-- One row an agent: calls, three-ring rate, mean score, failed items; busy hours against idle ones.
WITH mine AS (
    SELECT *, date_trunc('hour', invited_at) AS slot FROM v_calls
    WHERE ($reach_team::TEXT IS NULL OR team = $reach_team) AND ($team::TEXT IS NULL OR team = $team)
      AND invited_at >= $since::TIMESTAMP AND invited_at < $until::TIMESTAMP
), slots AS (SELECT slot, count(*) AS many FROM mine GROUP BY slot),
edge AS (SELECT quantile_cont(many, 0.75) AS many FROM slots),
load AS (SELECT slot, slots.many >= edge.many AS busy FROM slots, edge)
SELECT agent, any_value(agent_name) AS agent_name, any_value(team) AS team, count(*) AS calls,
       count(answered_at) AS answered,
       count(*) FILTER (ring_ms < 15000 AND answered_at IS NOT NULL)
         / nullif(count(*) FILTER (ring_ms IS NOT NULL AND (answered_at IS NOT NULL OR ring_ms >= 15000)), 0)
         AS three_rings,
       avg(final_score) AS score, sum(fails) AS fails, count(*) FILTER (veto) AS vetoes,
       avg(final_score) FILTER (busy) AS busy_score, count(final_score) FILTER (busy) AS busy_calls,
       avg(final_score) FILTER (NOT busy) AS idle_score, count(final_score) FILTER (NOT busy) AS idle_calls
FROM mine JOIN load USING (slot)
GROUP BY agent ORDER BY score NULLS LAST, agent
