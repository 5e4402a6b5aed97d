-- From schema 13 to 14: passkeys.

CREATE TABLE passkey (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 1023),
    user_id       TEXT    NOT NULL REFERENCES user (id),
    user_handle   BLOB    NOT NULL CHECK (length(user_handle) <= 64),
    public_key    BLOB    NOT NULL,
    sign_count    INTEGER NOT NULL,
    rp_id         TEXT    NOT NULL,
    verifies_user INTEGER NOT NULL CHECK (verifies_user IN (0, 1)),
    is_backed_up  INTEGER NOT NULL CHECK (is_backed_up IN (0, 1)),
    transports    TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    used_at       INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX passkey_by_user ON passkey (user_id);

CREATE TABLE used_challenge (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_challenge_by_end ON used_challenge (expires_at);
