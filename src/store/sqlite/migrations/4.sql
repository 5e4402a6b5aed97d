-- From schema 3 to 4: one-time links.

CREATE TABLE ticket (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_by_user ON ticket (user_id);

CREATE INDEX ticket_by_end ON ticket (expires_at);
