WITH mine AS (
    SELECT *, date_trunc('hour', local_at) AS slot FROM v_calls WHERE {period}
), slots AS (
    SELECT slot, count(*) AS many FROM mine GROUP BY slot
), loads AS (
    SELECT slot, many >= (SELECT quantile_cont(many, 0.75) FROM slots) AS busy FROM slots
)
SELECT {by}, busy, final_score, round(mos, 1) AS mos, count(*) AS calls
FROM mine JOIN loads USING (slot) WHERE final_score IS NOT NULL
GROUP BY {group}, busy, final_score, round(mos, 1) ORDER BY ALL
