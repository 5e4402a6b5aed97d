-- vestibule's tables, in SQLite. This file is their documentation.
--
-- Names and core columns are Lucia v2's: `user`, `user_key`, `user_session`, with expiries in
-- milliseconds since 1970-01-01 00:00 UTC. Every time in this file has that unit.
-- What is said to have happened more than five minutes in the future was written under a wrong clock;
-- src/clock.rs says what it is worth.
--
-- A new database gets this file as it stands. An older one is brought here step by step by the
-- migrations in src/store/file.rs, and `PRAGMA user_version` counts the steps.
-- `PRAGMA application_id` is 0x76657374, "vest": a file without it is not ours and is left alone.
--
-- STRICT makes SQLite refuse a value of the wrong type. WITHOUT ROWID stores a row in its primary
-- key's tree, so that a look-up by key is one descent instead of two.

-- People.
CREATE TABLE user (
    -- 15 random characters a-z0-9 (77 bits). Never sequential, never used again. Made by users.rs.
    id                 TEXT    NOT NULL PRIMARY KEY CHECK (length(id) > 0),
    -- The name as it was first typed: what pages show. 4 to 31 UTF-16 units at sign-up.
    username           TEXT    NOT NULL,
    -- The name that decides who is who: NFKC(lower(upper(NFKC(username)))), one account for each.
    -- Written by users.rs alone; SQLite's own lower() knows only ASCII and is never used.
    canonical_username TEXT    NOT NULL UNIQUE,
    -- When the account was made.
    created_at         INTEGER NOT NULL,
    -- Groups that the operator has put them in: names of a-z0-9._- in order, with a comma between
    -- them; empty: none. Apps behind a proxy are told, and may be closed to everybody else.
    group_names        TEXT    NOT NULL DEFAULT '',
    -- Where apps may write to them, if the operator has said so; empty: not known. Never checked.
    email              TEXT    NOT NULL DEFAULT '',
    -- Since when they are shut out; NULL: they are not. Nothing of theirs opens anything then.
    disabled_at        INTEGER,
    -- Why, in the operator's words, for operators.
    disabled_reason    TEXT    NOT NULL DEFAULT '',
    -- What else was known of them where they came from, for apps that ask this file: an object in JSON,
    -- a value for each column, bytes in base64; empty: nothing. Written by an import and never again.
    attributes         TEXT    NOT NULL DEFAULT '',
    -- Raised with every new password, with a key that is removed and when they are shut out. A session or
    -- access token is valid only while its own epoch equals this one, so that one which is written at
    -- the same moment as a new password is invalid already. Hashing a password anew does not raise it.
    epoch              INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Ways to prove who one is. A user may have several. An import may bring over several passwords of one
-- user; the next one that is set replaces them all, as a password belongs to the user.
CREATE TABLE user_key (
    -- `provider:id`, split at the first colon: `username:alice`, `github:1234567`. For the provider
    -- `username` the id is a sign-in name in its canonical form: mostly that of the user, and never one
    -- by which another user is shown. An import may bring over others, or none.
    id              TEXT NOT NULL PRIMARY KEY CHECK (instr(id, ':') > 1),
    user_id         TEXT NOT NULL REFERENCES user (id),
    -- A PHC string, which names its scheme and cost: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
    -- NULL: this key has no password. Written by password.rs; or by another system and brought over,
    -- until its owner signs in: `s2:salt:hex` (Lucia), `$2b$…` (bcrypt), `pbkdf2_sha256$…` (Django).
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
    -- When it began.
    created_at       INTEGER NOT NULL,
    -- When the password was last given in it: what matters most wants that to be recent.
    proven_at        INTEGER NOT NULL DEFAULT 0,
    -- When it was last used, to within ten minutes: a page is not worth a write.
    seen_at          INTEGER NOT NULL DEFAULT 0,
    -- 1: its browser was told to forget it when it is closed, so it ends soon on the server as well.
    is_transient     INTEGER NOT NULL DEFAULT 0 CHECK (is_transient IN (0, 1)),
    -- What its owner recognises it by: the browser in a few words, as `Firefox on Linux`, and the
    -- address it began at. Empty: not known.
    browser          TEXT    NOT NULL DEFAULT '',
    address          TEXT    NOT NULL DEFAULT '',
    -- The epoch of its user at that time.
    epoch            INTEGER NOT NULL DEFAULT 0,
    CHECK (active_expires <= idle_expires AND idle_expires <= absolute_expires)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_session_by_user ON user_session (user_id);

-- For deleting the dead without reading the living.
CREATE INDEX user_session_by_end ON user_session (idle_expires);

-- Secrets that people make for their scripts: good for the check endpoints of a reverse proxy, and
-- for nothing else. A new password ends them all.
CREATE TABLE access_token (
    -- BLAKE2b-256 of the token, without its prefix. The token itself was shown once.
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    -- What its owner calls it.
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    -- The last moment at which it is good.
    expires_at INTEGER NOT NULL,
    -- When it was last used, to within ten minutes; NULL: never.
    used_at    INTEGER,
    -- The epoch of its user when it was made.
    epoch      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX access_token_by_user ON access_token (user_id);

-- For deleting those that ended long ago.
CREATE INDEX access_token_by_end ON access_token (expires_at);

-- One-time links with which somebody sets a password without the present one. An operator makes them;
-- the last one of a user alone is good, for an hour, once. They go with a new password, a key that is
-- removed, another name or address, and when the user is shut out.
CREATE TABLE ticket (
    -- BLAKE2b-256 of the token in the link.
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    created_at INTEGER NOT NULL,
    -- The last moment at which it is good.
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_by_user ON ticket (user_id);

CREATE INDEX ticket_by_end ON ticket (expires_at);

-- Links with which somebody makes an account where sign-up is not open to everybody, or gets groups
-- with it. A row goes with its last use, and when it is too old.
CREATE TABLE invite (
    -- BLAKE2b-256 of the token in the link.
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    -- What it is for, in the operator's words, for operators.
    note        TEXT    NOT NULL,
    -- The groups that whoever comes with it is put in, as in `user`.
    group_names TEXT    NOT NULL,
    -- How many accounts may still be made with it.
    uses_left   INTEGER NOT NULL CHECK (uses_left > 0),
    -- 1: it makes the first account, and is good only while there is none.
    is_first    INTEGER NOT NULL DEFAULT 0 CHECK (is_first IN (0, 1)),
    created_at  INTEGER NOT NULL,
    -- The last moment at which it is good.
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invite_by_end ON invite (expires_at);

-- Random keys of this database, shared by all servers on it.
CREATE TABLE secret (
    -- What it is for. `handle`: stands behind the handles by which the log and `throttle` know names
    -- and addresses, so that neither tells what somebody typed into the wrong field. `copy`: no key; it
    -- is there as long as a copy into this database has begun and has not ended.
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT, WITHOUT ROWID;

INSERT INTO secret VALUES ('handle', randomblob(32));

-- Browsers in which somebody has signed in before. They keep an allowance of their own for wrong
-- passwords, so that nobody else can lock the owner out.
CREATE TABLE device (
    -- BLAKE2b-256 of the secret in the device cookie. One browser has one secret for all accounts.
    id           BLOB    NOT NULL CHECK (length(id) = 32),
    user_id      TEXT    NOT NULL REFERENCES user (id),
    -- When somebody last signed in to this account there. It is good for a year from then.
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX device_by_user ON device (user_id, last_used_at);

CREATE INDEX device_by_end ON device (last_used_at);

-- Failed tries. Rows come with failures and go with success or with quiet; throttle.rs says when.
CREATE TABLE throttle (
    -- 16 bytes of a keyed hash of what is counted: a name (whether anybody has it or not), a name in
    -- a known browser, or an address.
    id       BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- How many tries have failed since the last success.
    failures INTEGER NOT NULL,
    -- When the last one did.
    last_at  INTEGER NOT NULL,
    -- Names: no try before this. Addresses: when the allowance will be whole again.
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For deleting those first that matter least.
CREATE INDEX throttle_by_worth ON throttle (until, last_at);

-- What happened that matters for security: the same as the log's lines about it, kept for a time that
-- the operator sets. Nothing secret: no password, token, cookie, form field, query or unknown name.
CREATE TABLE audit (
    id         INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    -- As in the log: `login_ok`, `login_fail`, `throttled`, `password_change`…
    event      TEXT    NOT NULL,
    -- Whose account, where that is known. It outlives the user, so it refers to nothing.
    user_id    TEXT,
    -- Where the request came from; NULL behind a Unix socket.
    address    TEXT,
    -- The public name of the session in the log.
    session    TEXT,
    -- The log's name for the request.
    request    TEXT,
    -- Anything else, as in the log: `reason=bad_credentials name=h:3fa9c1d2`.
    detail     TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_by_time ON audit (at);

CREATE INDEX audit_by_user ON audit (user_id, at);
