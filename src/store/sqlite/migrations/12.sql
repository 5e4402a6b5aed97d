-- From schema 11 to 12: verified e-mail addresses, several links of one purpose, and mail that waits to be sent.

ALTER TABLE user ADD COLUMN canonical_email TEXT NOT NULL DEFAULT '';

ALTER TABLE user ADD COLUMN email_verified_at INTEGER;

-- Until now operators have set all addresses, and apps were told them: they are verified.
UPDATE user SET canonical_email = lower(email), email_verified_at = created_at WHERE email <> '';

CREATE INDEX user_by_email ON user (canonical_email) WHERE canonical_email <> '';

DROP INDEX one_time_token_by_end;

ALTER TABLE one_time_token RENAME TO former_token;

CREATE TABLE one_time_token (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    purpose    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    detail     TEXT    NOT NULL DEFAULT '',
    slot       INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_id, purpose, slot)
) STRICT, WITHOUT ROWID;

INSERT INTO one_time_token (id, user_id, purpose, created_at, expires_at, epoch, detail)
SELECT id, user_id, purpose, created_at, expires_at, epoch, detail FROM former_token;

DROP TABLE former_token;

CREATE INDEX one_time_token_by_end ON one_time_token (expires_at);

CREATE TABLE mail (
    id           TEXT    NOT NULL PRIMARY KEY CHECK (length(id) > 0),
    kind         TEXT    NOT NULL,
    user_id      TEXT    NOT NULL,
    address      TEXT    NOT NULL,
    language     TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    tries        INTEGER NOT NULL DEFAULT 0,
    last_outcome TEXT    NOT NULL DEFAULT '',
    lease        TEXT    NOT NULL DEFAULT '',
    lease_until  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX mail_by_due ON mail (due_at);

CREATE INDEX mail_by_user ON mail (user_id);
