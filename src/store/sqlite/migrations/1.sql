-- The schema of the first files, as they were made: for the test of the way from there to here.

CREATE TABLE user (
    -- 15 random characters a-z0-9 (77 bits). Never sequential, never used again. Made by users.rs.
    id                 TEXT    NOT NULL PRIMARY KEY CHECK (length(id) > 0),
    -- The name as it was first typed: what pages show. 4 to 31 UTF-16 units at sign-up.
    username           TEXT    NOT NULL,
    -- The name that decides who is who: NFKC(lower(upper(NFKC(username)))), one account for each.
    -- Written by users.rs alone; SQLite's own lower() knows only ASCII and is never used.
    canonical_username TEXT    NOT NULL UNIQUE,
    -- When the account was made.
    created_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ways to prove who one is. A user may have several, each with its own password or with none.
CREATE TABLE user_key (
    -- `provider:id`, split at the first colon: `username:alice`, `github:1234567`. For the
    -- provider `username` the id is the canonical name.
    id              TEXT NOT NULL PRIMARY KEY CHECK (instr(id, ':') > 1),
    user_id         TEXT NOT NULL REFERENCES user (id),
    -- A PHC string, which names its scheme and cost: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
    -- NULL: this key has no password. Written by password.rs.
    hashed_password TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX user_key_by_user ON user_key (user_id);

-- Browsers that were let in. A session is active until active_expires, then idle until
-- idle_expires, then dead. The moments themselves still belong to the earlier state, as in Lucia.
CREATE TABLE user_session (
    -- BLAKE2b-256 of the token. The token itself is in the browser and nowhere else.
    id               BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id          TEXT    NOT NULL REFERENCES user (id),
    -- Until here a use changes nothing. A use after it renews the session: both expiries move.
    active_expires   INTEGER NOT NULL,
    -- Until here the session is good at all. Never later than absolute_expires.
    idle_expires     INTEGER NOT NULL,
    -- No use moves this one (NIST SP 800-63B-4 § 2.1.3: an overall timeout).
    absolute_expires INTEGER NOT NULL,
    -- When the password was given.
    created_at       INTEGER NOT NULL,
    CHECK (active_expires <= idle_expires AND idle_expires <= absolute_expires)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_session_by_user ON user_session (user_id);

-- For deleting the dead without reading the living.
CREATE INDEX user_session_by_end ON user_session (idle_expires);
