-- From schema 7 to 8: usernames that stay reserved after a deletion or a rename.

CREATE TABLE resting_name (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id    TEXT,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX resting_name_by_user ON resting_name (user_id);

CREATE INDEX resting_name_by_end ON resting_name (expires_at);
