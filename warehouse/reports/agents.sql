SELECT {by}, count(*) AS calls, count(answered_at) AS answered,
       round(avg(final_score), 1) AS score, histogram(final_score) AS scores,
       round(avg(score), 1) AS automatic_score, round(avg(mos), 2) AS line, sum(fails) AS fails,
       sum(reviews) AS reviews, count(*) FILTER (veto) AS vetoes_pending
FROM v_calls WHERE {period} GROUP BY {group} ORDER BY {group}
