WITH mine AS (
    SELECT *, date_trunc('hour', local_at) AS slot FROM v_calls WHERE {period}
), slots AS (
    SELECT slot, count(*) AS many FROM mine GROUP BY slot
), loads AS (
    SELECT slot, many >= (SELECT quantile_cont(many, 0.75) FROM slots) AS busy FROM slots
)
SELECT {by}, count(final_score) FILTER (busy) AS busy_calls,
       count(final_score) FILTER (NOT busy) AS idle_calls,
       round(avg(final_score) FILTER (busy), 1) AS busy_score,
       round(avg(final_score) FILTER (NOT busy), 1) AS idle_score,
       CASE WHEN busy_calls >= 20 AND idle_calls >= 20
            THEN round(avg(final_score) FILTER (busy) - avg(final_score) FILTER (NOT busy), 1) END
         AS difference
FROM mine JOIN loads USING (slot) GROUP BY {group} ORDER BY {group}
