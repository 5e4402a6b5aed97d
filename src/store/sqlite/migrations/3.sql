-- From schema 2 to 3: what apps are told about people, people who are shut out, and access tokens.

ALTER TABLE user ADD COLUMN group_names TEXT NOT NULL DEFAULT '';
ALTER TABLE user ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE user ADD COLUMN disabled_at INTEGER;
ALTER TABLE user ADD COLUMN disabled_reason TEXT NOT NULL DEFAULT '';

CREATE TABLE access_token (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX access_token_by_user ON access_token (user_id);

CREATE INDEX access_token_by_end ON access_token (expires_at);
