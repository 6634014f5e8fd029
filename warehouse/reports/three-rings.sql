SELECT {by}, sum(rung) AS calls, sum(in_time) AS in_time,
       round(sum(in_time) / sum(rung), 4) AS three_ring_rate,
       round(sum(ring_ms) / sum(rung) / 1000, 1) AS mean_ring_s
FROM hours_of({days}) GROUP BY {group} HAVING sum(rung) > 0 ORDER BY {group}
