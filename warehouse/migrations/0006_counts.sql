-- Whole days counted beforehand, so that a report over years adds up hours and not calls. A day is in
-- `counted_days` with all its rows in the three tables, or in none of them; whoever changes a call of
-- a counted day takes the day out in the same transaction (warehouse/counts.py). What a row holds is
-- said once, in `fresh_…`: days are counted by it, and days that are not counted are read through it.
-- A migration that changes what is counted empties all four tables.
CREATE TABLE counted_days (day DATE NOT NULL);

-- An agent's hour. Sums are whole numbers, hence exact: `lost` is in tenths of a point under 100, with
-- the sums of its powers; a line's mean opinion score is in hundredths. `machine…` is the automatic
-- score. `lined…` counts calls with a score and a known line, `line…` all calls with a known line.
CREATE TABLE hour_counts (
    day DATE NOT NULL, local_at TIMESTAMP NOT NULL, agent TEXT NOT NULL,
    calls INTEGER NOT NULL, answered INTEGER NOT NULL,
    rung INTEGER NOT NULL, in_time INTEGER NOT NULL, ring_ms BIGINT NOT NULL,
    fails INTEGER NOT NULL, reviews INTEGER NOT NULL, vetoes INTEGER NOT NULL,
    machine INTEGER NOT NULL, machine_lost BIGINT NOT NULL,
    scored INTEGER NOT NULL, lost BIGINT NOT NULL, lost2 BIGINT NOT NULL, lost3 BIGINT NOT NULL,
    lost4 BIGINT NOT NULL,
    line INTEGER NOT NULL, line_mos BIGINT NOT NULL,
    lined INTEGER NOT NULL, lined_mos BIGINT NOT NULL, lined_mos2 BIGINT NOT NULL,
    lined_lost BIGINT NOT NULL, lined_mos_lost BIGINT NOT NULL
);

-- Verdicts as they stand, those that do not apply left out: an agent's day, and everybody's hour.
CREATE TABLE agent_verdicts (
    day DATE NOT NULL, agent TEXT NOT NULL, rule TEXT NOT NULL, status TEXT NOT NULL,
    calls INTEGER NOT NULL
);
CREATE TABLE hour_verdicts (
    day DATE NOT NULL, local_at TIMESTAMP NOT NULL, rule TEXT NOT NULL, status TEXT NOT NULL,
    calls INTEGER NOT NULL
);

CREATE MACRO uncounted(first, last) AS TABLE
SELECT day FROM (
    SELECT CAST(unnest(range(CAST(first AS TIMESTAMP), CAST(last AS TIMESTAMP) + INTERVAL 1 DAY,
                             INTERVAL 1 DAY)) AS DATE) AS day
) ANTI JOIN counted_days USING (day);

-- Between which moments the calls of uncounted days lie. Compared with `invited_at` itself, so that the
-- file is read there and nowhere else; with every day counted that is nowhere (NULL would read it all).
CREATE MACRO fresh_from(first, last) AS (
    SELECT coalesce(min(day) - INTERVAL 8 HOUR, TIMESTAMP 'infinity') FROM uncounted(first, last)
);
CREATE MACRO fresh_to(first, last) AS (
    SELECT coalesce(max(day) + INTERVAL 16 HOUR, TIMESTAMP '-infinity') FROM uncounted(first, last)
);

-- A call as an hour of its own.
CREATE MACRO fresh_calls(first, last) AS TABLE
SELECT day, local_at, agent, 1 AS calls, CAST(answered_at IS NOT NULL AS INTEGER) AS answered,
       CAST(rang AS INTEGER) AS rung,
       CAST(rang AND answered_at IS NOT NULL AND ring_ms < 15000 AS INTEGER) AS in_time,
       CASE WHEN rang THEN ring_ms ELSE 0 END AS ring_ms,
       fails, reviews, CAST(veto AS INTEGER) AS vetoes,
       CAST(machine IS NOT NULL AS INTEGER) AS machine, coalesce(machine, 0) AS machine_lost,
       CAST(lost IS NOT NULL AS INTEGER) AS scored, coalesce(lost, 0) AS lost,
       coalesce(lost * lost, 0) AS lost2, coalesce(lost * lost * lost, 0) AS lost3,
       coalesce(lost * lost * lost * lost, 0) AS lost4,
       CAST(mos IS NOT NULL AS INTEGER) AS line, coalesce(mos, 0) AS line_mos,
       CAST(heard IS NOT NULL AS INTEGER) AS lined, coalesce(heard, 0) AS lined_mos,
       coalesce(heard * heard, 0) AS lined_mos2,
       CASE WHEN heard IS NULL THEN 0 ELSE lost END AS lined_lost,
       coalesce(heard * lost, 0) AS lined_mos_lost
FROM (
    SELECT *, CASE WHEN lost IS NOT NULL THEN mos END AS heard
    FROM (
        SELECT CAST(local_at AS DATE) AS day, date_trunc('hour', local_at) AS local_at, agent,
               answered_at, ring_ms,
               ring_ms IS NOT NULL AND (answered_at IS NOT NULL OR ring_ms >= 15000) AS rang,
               fails, reviews, veto, 1000 - CAST(round(score * 10) AS BIGINT) AS machine,
               1000 - CAST(round(final_score * 10) AS BIGINT) AS lost,
               CAST(round(mos * 100) AS BIGINT) AS mos
        FROM v_calls
        WHERE invited_at >= fresh_from(first, last) AND invited_at < fresh_to(first, last)
    )
) ANTI JOIN counted_days USING (day);

CREATE MACRO fresh_hours(first, last) AS TABLE
SELECT day, local_at, agent, sum(COLUMNS(* EXCLUDE (day, local_at, agent)))
FROM fresh_calls(first, last) GROUP BY day, local_at, agent;

-- A row a call on which nobody has ruled; and a row a verdict of the others.
CREATE MACRO fresh_patterns(first, last) AS TABLE
SELECT * FROM (
    SELECT CAST(local_at AS DATE) AS day, local_at, agent, agent_name, team, pattern FROM v_verdicts
    WHERE invited_at >= fresh_from(first, last) AND invited_at < fresh_to(first, last)
) ANTI JOIN counted_days USING (day);
CREATE MACRO fresh_rulings(first, last) AS TABLE
SELECT * FROM (
    SELECT CAST(local_at AS DATE) AS day, local_at, agent, agent_name, team, rule, status
    FROM revised_items JOIN v_calls USING (call_id)
    WHERE invited_at >= fresh_from(first, last) AND invited_at < fresh_to(first, last)
) ANTI JOIN counted_days USING (day)
WHERE status <> 'na';

CREATE MACRO fresh_agent_verdicts(first, last) AS TABLE
WITH machine AS (
    SELECT day, agent, pattern, count(*) AS calls FROM fresh_patterns(first, last)
    GROUP BY day, agent, pattern
)
SELECT day, agent, rule, status, sum(calls) AS calls FROM (
    SELECT day, agent, rule, status, calls FROM machine JOIN v_patterns USING (pattern)
    WHERE status <> 'na'
    UNION ALL
    SELECT day, agent, rule, status, 1 FROM fresh_rulings(first, last)
) GROUP BY day, agent, rule, status;

CREATE MACRO fresh_hour_verdicts(first, last) AS TABLE
WITH machine AS (
    SELECT day, date_trunc('hour', local_at) AS hour, pattern, count(*) AS calls
    FROM fresh_patterns(first, last) GROUP BY day, hour, pattern
)
SELECT day, hour AS local_at, rule, status, sum(calls) AS calls FROM (
    SELECT day, hour, rule, status, calls FROM machine JOIN v_patterns USING (pattern)
    WHERE status <> 'na'
    UNION ALL
    SELECT day, date_trunc('hour', local_at), rule, status, 1 FROM fresh_rulings(first, last)
) GROUP BY day, hour, rule, status;

-- The agents' hours of the local days `first` to `last` with the names of today; a day that is not
-- counted has a row a call.
CREATE MACRO hours_of(first, last) AS TABLE
SELECT h.*, a.name AS agent_name, a.team
FROM (
    SELECT * FROM hour_counts WHERE day BETWEEN first AND last
    UNION ALL BY NAME
    SELECT * FROM fresh_calls(first, last)
) h LEFT JOIN agents a USING (agent);
