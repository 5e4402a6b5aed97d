-- From schema 5 to 6: invitations.

CREATE TABLE invite (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    note        TEXT    NOT NULL,
    group_names TEXT    NOT NULL,
    uses_left   INTEGER NOT NULL CHECK (uses_left > 0),
    is_first    INTEGER NOT NULL DEFAULT 0 CHECK (is_first IN (0, 1)),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invite_by_end ON invite (expires_at);
