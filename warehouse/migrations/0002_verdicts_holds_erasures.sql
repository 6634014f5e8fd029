-- A call's verdicts as one number: reports over years count patterns, not twelve rows a call.
CREATE TABLE patterns (pattern INTEGER PRIMARY KEY, verdicts TEXT NOT NULL UNIQUE);
CREATE TABLE verdicts (
    call_id TEXT NOT NULL, agent TEXT NOT NULL, invited_at TIMESTAMP NOT NULL,
    pattern INTEGER NOT NULL
);

CREATE TEMP TABLE before AS
SELECT call_id, string_agg(rule || '=' || status, ' ' ORDER BY rule) AS verdicts
FROM items GROUP BY call_id;
INSERT INTO patterns
SELECT row_number() OVER (ORDER BY verdicts), verdicts FROM (SELECT DISTINCT verdicts FROM before);
INSERT INTO verdicts
SELECT c.call_id, c.agent, c.invited_at, p.pattern
FROM calls c JOIN before b USING (call_id) JOIN patterns p USING (verdicts) ORDER BY c.invited_at;
DROP TABLE before;

-- Legal holds: what is held is neither erased nor taken by retention.
CREATE TABLE holds (
    call_id TEXT NOT NULL, held_by TEXT NOT NULL, held_at TIMESTAMP NOT NULL, reason TEXT NOT NULL,
    released_by TEXT, released_at TIMESTAMP
);

-- Recordings that no row names any more; gone from here once they are gone from the disk.
CREATE TABLE doomed (path TEXT NOT NULL);

-- What was erased at a citizen's wish: the proof names no number, only what it hashes to.
CREATE SEQUENCE erasure_ids;
CREATE TABLE erasures (
    erasure_id BIGINT PRIMARY KEY DEFAULT nextval('erasure_ids'), number_hash TEXT NOT NULL,
    salt TEXT NOT NULL, calls INTEGER NOT NULL, recordings INTEGER NOT NULL, held INTEGER NOT NULL,
    erased_by TEXT NOT NULL, erased_at TIMESTAMP NOT NULL, reason TEXT NOT NULL,
    rewritten_at TIMESTAMP
);

CREATE VIEW v_verdicts AS
SELECT v.call_id, v.agent, a.name AS agent_name, a.team, v.invited_at,
       v.invited_at + INTERVAL 8 HOUR AS local_at, v.pattern
FROM verdicts v LEFT JOIN agents a USING (agent)
WHERE v.call_id NOT IN (SELECT call_id FROM revised_items);

CREATE VIEW v_patterns AS
SELECT pattern, split_part(verdict, '=', 1) AS rule, split_part(verdict, '=', 2) AS status
FROM (SELECT pattern, unnest(string_split(verdicts, ' ')) AS verdict FROM patterns);

CREATE VIEW v_utterances AS
SELECT u.call_id, u.place, u.channel, u.start_ms, u.end_ms, u.text, c.agent, c.agent_name, c.team,
       c.invited_at, c.local_at
FROM utterances u JOIN v_calls c USING (call_id);

CREATE VIEW v_events AS
SELECT call_id, CAST(event.at AS TIMESTAMP) AS at, event.leg, event.kind, event.received,
       event.code, event.detail
FROM (
    SELECT call_id, unnest(from_json(json_extract(call_json, '$.events'),
        '[{"at":"VARCHAR","leg":"VARCHAR","kind":"VARCHAR","received":"BOOLEAN","code":"INTEGER","detail":"VARCHAR"}]'
    )) AS event FROM records
);

CREATE VIEW v_quality AS
SELECT call_id, side.channel, side.codec, side.packets, side.lost, side.reordered, side.discarded,
       side.jitter_ms, side.rtt_ms, side.mos, side.clipped_share, side.silence_share,
       side.level_dbfs, side.one_way
FROM (
    SELECT call_id, unnest(from_json(json_extract(call_json, '$.quality'),
        '[{"channel":"VARCHAR","codec":"VARCHAR","packets":"BIGINT","lost":"BIGINT","reordered":"BIGINT","discarded":"BIGINT","jitter_ms":"DOUBLE","rtt_ms":"DOUBLE","mos":"DOUBLE","clipped_share":"DOUBLE","silence_share":"DOUBLE","level_dbfs":"DOUBLE","one_way":"BOOLEAN"}]'
    )) AS side FROM records
);

-- How the machine does against people, on the calls that people have ruled on. The interval is
-- Wilson's for 95 %.
CREATE VIEW v_rule_quality AS
WITH ruled AS (
    SELECT DISTINCT call_id, rule FROM reviews WHERE decision <> 'skip'
), judged AS (
    SELECT rule, i.status AS machine, p.status AS person
    FROM ruled JOIN items i USING (call_id, rule) JOIN revised_items p USING (call_id, rule)
    WHERE i.status <> 'na' AND p.status IN ('pass', 'fail')
), counted AS (
    SELECT rule, count(*) AS judged,
           count(*) FILTER (machine = 'fail') AS failed,
           count(*) FILTER (machine = 'fail' AND person = 'fail') AS confirmed,
           count(*) FILTER (machine = 'review') AS suspected,
           count(*) FILTER (machine = 'review' AND person = 'fail') AS suspicions_confirmed,
           count(*) FILTER (machine = 'pass' AND person = 'fail') AS missed
    FROM judged GROUP BY rule
)
SELECT counted.* EXCLUDE (middle, half), failed - confirmed AS overruled, confirmed / nullif(failed, 0) AS precision,
       greatest(0, middle - half) AS precision_low, least(1, middle + half) AS precision_high
FROM (
    SELECT *, (confirmed + 1.920729) / (failed + 3.841459) AS middle,
           1.959964 / (failed + 3.841459)
             * sqrt(confirmed * (failed - confirmed) / nullif(failed, 0) + 0.960365) AS half
    FROM counted
) counted;
