-- What people write of the phrasebook and the rules: every saving is a row, and none is changed.
CREATE SEQUENCE edition_ids;
CREATE TABLE editions (
    edition_id BIGINT PRIMARY KEY DEFAULT nextval('edition_ids'), kind TEXT NOT NULL,
    parent BIGINT, version TEXT NOT NULL, fault TEXT NOT NULL, files TEXT NOT NULL,
    made_by TEXT NOT NULL, made_at TIMESTAMP NOT NULL, why TEXT NOT NULL
);

-- What became of an edition: asked for, refused or published. The latest published one is in use.
CREATE SEQUENCE publication_ids;
CREATE TABLE publications (
    publication_id BIGINT PRIMARY KEY DEFAULT nextval('publication_ids'),
    edition_id BIGINT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, asked_by TEXT NOT NULL,
    asked_at TIMESTAMP NOT NULL, decided_by TEXT, decided_at TIMESTAMP
);

CREATE TABLE backtests (
    edition_id BIGINT NOT NULL, started_by TEXT NOT NULL, started_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP NOT NULL, state TEXT NOT NULL, total INTEGER NOT NULL, result TEXT NOT NULL
);

-- Second factors: the secret counts once `confirmed_at` is set; a step of 30 s is taken once.
CREATE TABLE second_factors (
    user_id TEXT PRIMARY KEY, secret TEXT NOT NULL, confirmed_at TIMESTAMP, last_step BIGINT NOT NULL
);
CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL, code_hash TEXT NOT NULL, used_at TIMESTAMP
);

-- Who a person is at the site's own identity provider.
CREATE TABLE identities (
    issuer TEXT NOT NULL, subject TEXT NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (issuer, subject)
);

-- Alerts; open ones have no `closed_at`. Letters are what still has to be sent, and to whom.
CREATE SEQUENCE alert_ids;
CREATE TABLE alerts (
    alert_id BIGINT PRIMARY KEY DEFAULT nextval('alert_ids'), kind TEXT NOT NULL,
    subject TEXT NOT NULL, agent TEXT, raised_at TIMESTAMP NOT NULL, closed_at TIMESTAMP
);
CREATE SEQUENCE letter_ids;
CREATE TABLE letters (
    letter_id BIGINT PRIMARY KEY DEFAULT nextval('letter_ids'), alert_id BIGINT NOT NULL,
    hook TEXT NOT NULL, tries INTEGER NOT NULL, due_at TIMESTAMP NOT NULL
);
-- Up to which call alerts have looked.
CREATE TABLE alert_marks (kind TEXT PRIMARY KEY, seen_at TIMESTAMP NOT NULL);
