SELECT {by}, CASE WHEN hour(local_at) IN (12, 13) THEN 'noon'
                  WHEN hour(local_at) < 7 OR hour(local_at) >= 20 THEN 'night'
                  ELSE 'rest' END AS part,
       sum(calls) AS calls, sum(answered) AS answered,
       round(sum(answered) / sum(calls), 4) AS answer_rate
FROM hours_of({days}) GROUP BY {group}, part ORDER BY {group}, part
