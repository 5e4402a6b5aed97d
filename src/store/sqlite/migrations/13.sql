-- From schema 12 to 13: second factors.

ALTER TABLE user ADD COLUMN second_factor_since INTEGER;

ALTER TABLE user_session ADD COLUMN second_at INTEGER NOT NULL DEFAULT 0;

ALTER TABLE access_token ADD COLUMN second_at INTEGER NOT NULL DEFAULT 0;

ALTER TABLE device ADD COLUMN second_at INTEGER NOT NULL DEFAULT 0;

CREATE TABLE totp (
    user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES user (id),
    secret     BLOB    NOT NULL CHECK (length(secret) BETWEEN 11 AND 128),
    last_step  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_code (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX recovery_code_by_user ON recovery_code (user_id);
