-- What waits for reviewers of one reach: vetoes, then doubts (least sure first) with the day's samples
-- among them: however many doubts there are, one entry in $every is a sample while one is left.
WITH claims AS (
    SELECT f.call_id, f.rule, f.place AS finding, f.status, f.confidence,
           f.severity = 'critical' AS veto
    FROM findings f
    WHERE f.status = 'review' OR (f.severity = 'critical' AND f.status = 'fail')
    UNION ALL
    SELECT i.call_id, i.rule, NULL, i.status, NULL, i.veto IS NOT NULL
    FROM items i
    WHERE (i.status = 'review' OR i.veto = 'pending')
      AND NOT EXISTS (FROM findings f WHERE f.call_id = i.call_id AND f.rule = i.rule)
), quiet AS (
    SELECT call_id, agent, day, many,
           row_number() OVER (PARTITION BY agent, day, part ORDER BY hash(call_id)) AS nth
    FROM (
        SELECT call_id, agent, CAST(local_at AS DATE) AS day,
               CASE WHEN hour(local_at) BETWEEN 12 AND 13 THEN 'noon'
                    WHEN hour(local_at) BETWEEN 7 AND 19 THEN 'day' ELSE 'night' END AS part,
               call_id IN (SELECT call_id FROM claims) AS pressing,
               count(*) OVER (PARTITION BY agent, CAST(local_at AS DATE)) AS many
        FROM (
            SELECT call_id, agent, invited_at + to_minutes($offset::BIGINT) AS local_at
            FROM calls WHERE invited_at >= $since::TIMESTAMP AND answered_at IS NOT NULL
        )
    )
    WHERE NOT pressing
), samples AS (
    -- One of each part of the day in turn, so that noon and night duty are heard too.
    SELECT call_id FROM quiet
    QUALIFY row_number() OVER (PARTITION BY agent, day ORDER BY nth, hash(call_id))
            <= greatest($least, round($share::DOUBLE * many))
), entries AS (
    SELECT call_id, rule, finding, CASE WHEN veto THEN 'veto' ELSE 'review' END AS why, status,
           confidence
    FROM claims
    UNION ALL
    SELECT call_id, '*', NULL, 'sample', '', NULL FROM samples
), queued AS (
    SELECT *, CASE WHEN hash(call_id || rule || coalesce(finding, -1)) % 1000 < $second::DOUBLE * 1000
              THEN 2 ELSE 1 END AS ears
    FROM entries
)
SELECT e.call_id, e.rule, e.finding, e.why, e.status, e.ears,
       row_number() OVER (PARTITION BY e.why
                          ORDER BY e.confidence NULLS LAST, c.invited_at, e.call_id, e.finding) AS nth
FROM queued e JOIN calls c USING (call_id) LEFT JOIN agents a USING (agent)
WHERE ($reach_agent::TEXT IS NULL OR c.agent = $reach_agent)
  AND ($reach_team::TEXT IS NULL OR a.team = $reach_team)
  AND ($my_agent::TEXT IS NULL OR c.agent <> $my_agent)
  AND (
    SELECT count(DISTINCT v.reviewer) FROM reviews v
    WHERE v.call_id = e.call_id AND v.rule = e.rule AND v.finding IS NOT DISTINCT FROM e.finding
      AND v.decision <> 'skip'
) < e.ears
ORDER BY e.why <> 'veto', CASE e.why WHEN 'review' THEN ceil(nth / ($every::INTEGER - 1)) ELSE nth END,
         e.why = 'sample', nth
LIMIT $many
