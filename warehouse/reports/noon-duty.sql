SELECT {by}, CASE WHEN hour(local_at) IN (12, 13) THEN 'noon'
                  WHEN hour(local_at) < 7 OR hour(local_at) >= 20 THEN 'night'
                  ELSE 'rest' END AS part,
       count(*) AS calls, count(answered_at) AS answered,
       round(count(answered_at) / count(*), 4) AS answer_rate
FROM v_calls WHERE {period} GROUP BY {group}, part ORDER BY {group}, part
