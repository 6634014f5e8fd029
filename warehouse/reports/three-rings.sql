SELECT {by}, count(*) AS calls, count(*) FILTER (in_time) AS in_time,
       round(avg(CAST(in_time AS INTEGER)), 4) AS three_ring_rate,
       round(avg(ring_ms) / 1000, 1) AS mean_ring_s
FROM v_three_rings WHERE {period} GROUP BY {group} ORDER BY {group}
