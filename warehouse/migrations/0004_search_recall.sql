-- What was said, found by its words: SELECT * FROM said('社保卡'). Punctuation, spaces and case do
-- not count. The text itself is looked through, so that an erasure leaves nothing behind; the first and
-- the last Chinese character and the first Latin letters sift before the costly comparison.
CREATE MACRO said_plainly(words) AS
    regexp_replace(lower(words), '[\s，。？！；：、“”‘’《》（）…—·,.?!;:''"()-]', '', 'g');
CREATE MACRO said(words) AS TABLE
WITH found AS MATERIALIZED (
    SELECT * FROM utterances
    WHERE said_plainly(words) <> ''
      AND contains(text, regexp_extract(words, '\p{Han}'))
      AND contains(text, regexp_extract(words, '(\p{Han})\P{Han}*$', 1))
      AND (regexp_extract(lower(words), '[a-z0-9]+') = ''
           OR contains(lower(text), regexp_extract(lower(words), '[a-z0-9]+')))
      AND (contains(text, words) OR contains(said_plainly(text), said_plainly(words)))
)
SELECT f.call_id, f.place, f.channel, f.start_ms, f.end_ms, f.text, c.agent, c.agent_name, c.team,
       c.invited_at, c.local_at
FROM found f JOIN v_calls c USING (call_id)
ORDER BY c.invited_at DESC, f.call_id, f.place;

-- `invited_at` beside the local time: a period is then looked up and not computed a row.
CREATE OR REPLACE VIEW v_three_rings AS
SELECT call_id, agent, agent_name, team, local_at, ring_ms, rings,
       answered_at IS NOT NULL AND ring_ms < 15000 AS in_time, invited_at
FROM v_calls
WHERE ring_ms IS NOT NULL AND (answered_at IS NOT NULL OR ring_ms >= 15000);

-- Made again without `rewritten_at`, which nothing used: DuckDB cannot replay from its log an ALTER of
-- a table whose default calls a sequence, and a kill right after it would leave a file that won't open.
CREATE TEMP TABLE before AS SELECT * EXCLUDE (rewritten_at) FROM erasures;
DROP TABLE erasures;
CREATE TABLE erasures (
    erasure_id BIGINT PRIMARY KEY DEFAULT nextval('erasure_ids'), number_hash TEXT NOT NULL,
    salt TEXT NOT NULL, calls INTEGER NOT NULL, recordings INTEGER NOT NULL, held INTEGER NOT NULL,
    erased_by TEXT NOT NULL, erased_at TIMESTAMP NOT NULL, reason TEXT NOT NULL
);
INSERT INTO erasures SELECT * FROM before;
DROP TABLE before;

-- The 95 % interval of a share (E. B. Wilson, 1927); NULL where nothing was counted.
CREATE MACRO wilson(hits, counted, side) AS
    CASE WHEN counted > 0 THEN greatest(0, least(1,
        (hits + 1.920729 + side * 1.959964
            * sqrt(hits * (counted - hits) / nullif(counted, 0) + 0.960365))
        / (counted + 3.841459))) END;

CREATE OR REPLACE VIEW v_rule_quality AS
WITH ruled AS MATERIALIZED (
    SELECT call_id, rule, pattern
    FROM (SELECT DISTINCT call_id, rule FROM reviews WHERE decision <> 'skip')
         JOIN verdicts USING (call_id)
), judged AS (
    SELECT rule, i.status AS machine, p.status AS person
    FROM ruled JOIN v_patterns i USING (pattern, rule)
         JOIN revised_items p USING (call_id, rule)
    WHERE i.status <> 'na' AND p.status IN ('pass', 'fail')
), counted AS (
    SELECT rule, count(*) AS judged,
           count(*) FILTER (machine = 'fail') AS failed,
           count(*) FILTER (machine = 'fail' AND person = 'fail') AS confirmed,
           count(*) FILTER (machine = 'review') AS suspected,
           count(*) FILTER (machine = 'review' AND person = 'fail') AS suspicions_confirmed,
           count(*) FILTER (machine = 'pass' AND person = 'fail') AS missed,
           count(*) FILTER (person = 'fail') AS wrong
    FROM judged GROUP BY rule
)
SELECT *, failed - confirmed AS overruled,
       confirmed / nullif(failed, 0) AS precision,
       wilson(confirmed, failed, -1) AS precision_low, wilson(confirmed, failed, 1) AS precision_high,
       confirmed / nullif(wrong, 0) AS recall,
       wilson(confirmed, wrong, -1) AS recall_low, wilson(confirmed, wrong, 1) AS recall_high,
       (confirmed + suspicions_confirmed) / nullif(wrong, 0) AS noticed,
       wilson(confirmed + suspicions_confirmed, wrong, -1) AS noticed_low,
       wilson(confirmed + suspicions_confirmed, wrong, 1) AS noticed_high
FROM counted;
