-- An agent's own figures and the team's middle since a day.
WITH recent AS (
    SELECT agent, team, final_score FROM v_calls
    WHERE invited_at >= $since::TIMESTAMP AND final_score IS NOT NULL
), means AS (SELECT agent, any_value(team) AS team, avg(final_score) AS mean FROM recent GROUP BY agent)
SELECT (SELECT count(*) FROM v_calls WHERE agent = $agent AND invited_at >= $since::TIMESTAMP) AS calls,
       (SELECT mean FROM means WHERE agent = $agent) AS mean,
       (SELECT median(mean) FROM means WHERE $team::TEXT IS NULL OR team = $team) AS team_mean,
       (SELECT count(*) FROM appeals WHERE agent = $agent AND state = 'open') AS open
