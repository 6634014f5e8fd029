-- What the machine and people said of the same thing, each reviewer's latest word; heard samples
-- that were found right speak for every verdict of theirs.
WITH heard AS (
    SELECT v.* FROM reviews v JOIN calls c USING (call_id) LEFT JOIN agents a ON a.agent = c.agent
    WHERE v.decision <> 'skip' AND v.reviewed_at >= $since::TIMESTAMP
      AND ($reach_agent::TEXT IS NULL OR c.agent = $reach_agent)
      AND ($reach_team::TEXT IS NULL OR a.team = $reach_team)
    QUALIFY row_number() OVER (
        PARTITION BY v.call_id, v.rule, v.finding, v.reviewer ORDER BY v.reviewed_at DESC, v.review_id DESC
    ) = 1
)
SELECT h.call_id, h.rule, h.reviewer, h.status AS person, coalesce(f.status, i.status) AS automatic,
       coalesce(f.phrase, '') AS phrase
FROM heard h
LEFT JOIN findings f ON f.call_id = h.call_id AND f.place = h.finding
LEFT JOIN items i ON i.call_id = h.call_id AND i.rule = h.rule
WHERE h.rule <> '*' AND h.status IS NOT NULL
UNION ALL
SELECT h.call_id, i.rule, h.reviewer, i.status, i.status, ''
FROM heard h JOIN items i USING (call_id)
WHERE h.rule = '*' AND i.status <> 'review'
ORDER BY 1, 2, 3, 6
