-- From schema 1 to 2: throttling, the secrets it needs, what owners see of their sessions, and the
-- audit trail.

ALTER TABLE user_session ADD COLUMN proven_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user_session ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user_session ADD COLUMN is_transient INTEGER NOT NULL DEFAULT 0
    CHECK (is_transient IN (0, 1));
ALTER TABLE user_session ADD COLUMN browser TEXT NOT NULL DEFAULT '';
ALTER TABLE user_session ADD COLUMN address TEXT NOT NULL DEFAULT '';
UPDATE user_session SET proven_at = created_at, seen_at = created_at;

CREATE TABLE secret (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT, WITHOUT ROWID;

INSERT INTO secret VALUES ('handle', randomblob(32));

CREATE TABLE device (
    id           BLOB    NOT NULL CHECK (length(id) = 32),
    user_id      TEXT    NOT NULL REFERENCES user (id),
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX device_by_user ON device (user_id, last_used_at);

CREATE INDEX device_by_end ON device (last_used_at);

CREATE TABLE throttle (
    id       BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    failures INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX throttle_by_worth ON throttle (until, last_at);

CREATE TABLE audit (
    id         INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    event      TEXT    NOT NULL,
    user_id    TEXT,
    address    TEXT,
    session    TEXT,
    request    TEXT,
    detail     TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_by_time ON audit (at);

CREATE INDEX audit_by_user ON audit (user_id, at);
