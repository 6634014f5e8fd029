-- Times are UTC without a zone. JSON columns hold the records of calls/ as they were handed over.
CREATE TABLE agents (agent TEXT PRIMARY KEY, name TEXT NOT NULL, team TEXT);

CREATE TABLE calls (
    call_id TEXT PRIMARY KEY, mode TEXT NOT NULL, agent TEXT NOT NULL,
    caller TEXT NOT NULL, called TEXT NOT NULL,
    invited_at TIMESTAMP NOT NULL, ringing_at TIMESTAMP, answered_at TIMESTAMP,
    ended_at TIMESTAMP NOT NULL, ended_by TEXT NOT NULL, end_reason TEXT NOT NULL,
    ring_ms INTEGER, rings INTEGER, duration_ms INTEGER, score DOUBLE,
    fails INTEGER NOT NULL, reviews INTEGER NOT NULL, veto BOOLEAN NOT NULL,
    recording TEXT, rules TEXT NOT NULL, phrasebook TEXT NOT NULL, engine TEXT NOT NULL,
    model TEXT NOT NULL, ingested_at TIMESTAMP NOT NULL
);

CREATE TABLE records (
    call_id TEXT PRIMARY KEY, call_json TEXT NOT NULL, analysis_json TEXT NOT NULL,
    transcript_json TEXT
);

CREATE TABLE items (
    call_id TEXT NOT NULL, rule TEXT NOT NULL, status TEXT NOT NULL, earned DOUBLE NOT NULL,
    weight DOUBLE NOT NULL, clause TEXT NOT NULL, veto TEXT
);

CREATE TABLE findings (
    call_id TEXT NOT NULL, place INTEGER NOT NULL, rule TEXT NOT NULL, family TEXT NOT NULL,
    phrase TEXT NOT NULL, heard TEXT NOT NULL, channel TEXT NOT NULL, start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL, confidence DOUBLE NOT NULL, severity TEXT NOT NULL,
    status TEXT NOT NULL
);

CREATE TABLE utterances (
    call_id TEXT NOT NULL, place INTEGER NOT NULL, channel TEXT NOT NULL,
    start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, text TEXT NOT NULL
);

CREATE TABLE users (
    user_id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, team TEXT, agent TEXT,
    password_hash TEXT NOT NULL, password_at TIMESTAMP NOT NULL, must_change BOOLEAN NOT NULL,
    failed INTEGER NOT NULL, locked_until TIMESTAMP, disabled BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE password_history (
    user_id TEXT NOT NULL, password_hash TEXT NOT NULL, changed_at TIMESTAMP NOT NULL
);

CREATE TABLE tokens (
    token_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL, token_hash TEXT NOT NULL,
    scopes TEXT NOT NULL, created_at TIMESTAMP NOT NULL, expires_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP
);

CREATE SEQUENCE review_ids;
CREATE TABLE reviews (
    review_id BIGINT PRIMARY KEY DEFAULT nextval('review_ids'), call_id TEXT NOT NULL,
    rule TEXT NOT NULL, finding INTEGER, reviewer TEXT NOT NULL, reviewed_at TIMESTAMP NOT NULL,
    decision TEXT NOT NULL, status TEXT, comment TEXT NOT NULL
);

CREATE SEQUENCE appeal_ids;
CREATE TABLE appeals (
    appeal_id BIGINT PRIMARY KEY DEFAULT nextval('appeal_ids'), call_id TEXT NOT NULL,
    rule TEXT NOT NULL, agent TEXT NOT NULL, made_by TEXT NOT NULL, made_at TIMESTAMP NOT NULL,
    reason TEXT NOT NULL, start_ms INTEGER, end_ms INTEGER, deadline_at TIMESTAMP NOT NULL,
    state TEXT NOT NULL, status TEXT, decided_by TEXT, decided_at TIMESTAMP, decision TEXT
);

CREATE TABLE acceptances (call_id TEXT PRIMARY KEY, agent TEXT NOT NULL, accepted_at TIMESTAMP NOT NULL);

-- A scorecard's later states, each beside the automatic one; none is ever changed.
CREATE TABLE states (
    call_id TEXT NOT NULL, state TEXT NOT NULL, score DOUBLE, fails INTEGER NOT NULL,
    reviews INTEGER NOT NULL, veto BOOLEAN NOT NULL, made_by TEXT NOT NULL,
    made_at TIMESTAMP NOT NULL
);

-- The verdicts of calls on which people have ruled, as they stand now.
CREATE TABLE revised_items (
    call_id TEXT NOT NULL, rule TEXT NOT NULL, status TEXT NOT NULL, earned DOUBLE NOT NULL,
    weight DOUBLE NOT NULL, clause TEXT NOT NULL, veto TEXT
);

CREATE TABLE audit (
    seq BIGINT PRIMARY KEY, happened_at TIMESTAMP NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL
);

CREATE VIEW v_calls AS
SELECT c.call_id, c.mode, c.agent, a.name AS agent_name, a.team, c.caller, c.called, c.invited_at,
       c.invited_at + INTERVAL 8 HOUR AS local_at, c.ringing_at, c.answered_at, c.ended_at,
       c.ended_by, c.end_reason, c.ring_ms, c.rings, c.duration_ms, c.score,
       CASE WHEN s.call_id IS NULL THEN c.score ELSE s.score END AS final_score,
       coalesce(s.fails, c.fails) AS fails, coalesce(s.reviews, c.reviews) AS reviews,
       coalesce(s.veto, c.veto) AS veto
FROM calls c
LEFT JOIN agents a USING (agent)
LEFT JOIN (
    SELECT call_id, arg_max(score, made_at) AS score, arg_max(fails, made_at) AS fails,
           arg_max(reviews, made_at) AS reviews, arg_max(veto, made_at) AS veto
    FROM states GROUP BY call_id
) s USING (call_id);

CREATE VIEW v_items AS
SELECT * FROM revised_items
UNION ALL
SELECT * FROM items WHERE call_id NOT IN (SELECT call_id FROM revised_items);

CREATE VIEW v_scorecards AS
SELECT call_id, 'automatic' AS state, score, NULL AS made_by, ingested_at AS made_at, rules,
       phrasebook, engine, model
FROM calls
UNION ALL
SELECT s.call_id, s.state, s.score, s.made_by, s.made_at, c.rules, c.phrasebook, c.engine, c.model
FROM states s JOIN calls c USING (call_id);

CREATE VIEW v_findings AS
SELECT f.*, c.agent, c.agent_name, c.team, c.invited_at, c.local_at
FROM findings f JOIN v_calls c USING (call_id);

-- Calls that count for the three-ring rate: answered, or rang fifteen seconds and more.
CREATE VIEW v_three_rings AS
SELECT call_id, agent, agent_name, team, local_at, ring_ms, rings,
       answered_at IS NOT NULL AND ring_ms < 15000 AS in_time
FROM v_calls
WHERE ring_ms IS NOT NULL AND (answered_at IS NOT NULL OR ring_ms >= 15000);

CREATE VIEW v_agent_daily AS
SELECT agent, any_value(agent_name) AS agent_name, any_value(team) AS team,
       CAST(local_at AS DATE) AS day, count(*) AS calls, count(answered_at) AS answered,
       avg(final_score) AS score, sum(fails) AS fails, sum(reviews) AS reviews,
       count(*) FILTER (veto) AS vetoes
FROM v_calls GROUP BY agent, day;
