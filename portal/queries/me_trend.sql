-- Mean score a day of one agent, and the mean of the team's calls that day.
SELECT CAST(invited_at + to_minutes($offset::BIGINT) AS DATE) AS day,
       avg(final_score) FILTER (agent = $agent) AS mine,
       avg(final_score) AS team
FROM v_calls
WHERE invited_at >= $since::TIMESTAMP AND ($team::TEXT IS NULL OR team = $team OR agent = $agent)
GROUP BY day ORDER BY day
