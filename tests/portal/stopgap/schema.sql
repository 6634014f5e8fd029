-- Times are UTC. Tables named in the singular sense of one row: one call, one verdict, one finding.
CREATE TABLE agents (agent TEXT PRIMARY KEY, name TEXT NOT NULL, team TEXT);

CREATE TABLE calls (
    call_id TEXT PRIMARY KEY, mode TEXT NOT NULL, agent TEXT NOT NULL,
    caller TEXT NOT NULL, called TEXT NOT NULL,
    invited_at TIMESTAMP NOT NULL, ringing_at TIMESTAMP, answered_at TIMESTAMP,
    ended_at TIMESTAMP NOT NULL, ended_by TEXT NOT NULL, end_reason TEXT NOT NULL,
    ring_ms INTEGER, rings INTEGER, duration_ms INTEGER, score DOUBLE,
    fails INTEGER NOT NULL, reviews INTEGER NOT NULL, veto BOOLEAN NOT NULL,
    recording TEXT, call_json TEXT NOT NULL, analysis_json TEXT NOT NULL, transcript_json TEXT,
    ingested_at TIMESTAMP NOT NULL
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

CREATE TABLE password_history (user_id TEXT NOT NULL, password_hash TEXT NOT NULL, changed_at TIMESTAMP NOT NULL);

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

CREATE TABLE states (
    call_id TEXT NOT NULL, state TEXT NOT NULL, score DOUBLE, made_by TEXT NOT NULL, made_at TIMESTAMP NOT NULL
);

CREATE TABLE audit (
    seq BIGINT PRIMARY KEY, happened_at TIMESTAMP NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL
);

CREATE VIEW v_calls AS
SELECT c.call_id, c.agent, a.name AS agent_name, a.team, c.caller, c.invited_at, c.answered_at,
       c.ended_at, c.ended_by, c.end_reason, c.ring_ms, c.rings, c.duration_ms, c.score,
       coalesce(s.score, c.score) AS final_score, c.fails, c.reviews, c.veto
FROM calls c
LEFT JOIN agents a USING (agent)
LEFT JOIN (SELECT call_id, arg_max(score, made_at) AS score FROM states GROUP BY call_id) s USING (call_id);
