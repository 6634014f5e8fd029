WITH slots AS (
    SELECT local_at, sum(calls) AS many FROM hours_of({days}) GROUP BY local_at
), loads AS (
    SELECT local_at, many >= (SELECT quantile_cont(many, 0.75) FROM slots) AS busy FROM slots
)
SELECT {by}, busy, [sum(scored), sum(lost), sum(lost2), sum(lost3), sum(lost4)] AS scores,
       [sum(lined), sum(lined_mos), sum(lined_mos2), sum(lined_lost), sum(lined_mos_lost)] AS lines
FROM hours_of({days}) JOIN loads USING (local_at)
GROUP BY {group}, busy HAVING sum(scored) > 0 ORDER BY ALL
