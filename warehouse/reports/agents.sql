SELECT {by}, sum(calls) AS calls, sum(answered) AS answered,
       round(100 - sum(lost) / nullif(sum(scored), 0) / 10, 1) AS score,
       [sum(scored), sum(lost), sum(lost2), sum(lost3), sum(lost4)] AS scores,
       round(100 - sum(machine_lost) / nullif(sum(machine), 0) / 10, 1) AS automatic_score,
       round(sum(line_mos) / nullif(sum(line), 0) / 100, 2) AS line, sum(fails) AS fails,
       sum(reviews) AS reviews, sum(vetoes) AS vetoes_pending
FROM hours_of({days}) GROUP BY {group} ORDER BY {group}
