-- vestibule's tables, in SQLite. This file is their documentation.
--
-- Names and core columns are Lucia v2's: `user`, `user_key`, `user_session`, with expiries in
-- milliseconds since 1970-01-01 00:00 UTC. Every time in this file has that unit.
-- A time of creation more than five minutes in the future was written under a wrong clock; src/base/clock.rs
-- says how such rows are treated.
--
-- A new database is created from this file. An older one is brought to the same schema by the steps in
-- src/store/sqlite/migrations, which `PRAGMA user_version` counts. `PRAGMA application_id` is 0x76657374,
-- "vest": a file without it is not a vestibule database and is left alone.
--
-- STRICT makes SQLite refuse values of the wrong type. WITHOUT ROWID stores rows in the tree of the
-- primary key, so that a look-up by key is one descent instead of two.

-- Accounts.
CREATE TABLE user (
    -- 15 random characters a-z0-9 (77 bits), never sequential and never reused; made by src/auth/users.rs.
    id                 TEXT    NOT NULL PRIMARY KEY CHECK (length(id) > 0),
    -- The username as first typed, which pages show. 4 to 31 UTF-16 code units at sign-up, or
    -- with --names address an e-mail address of 6 to 254 bytes, with its domain in ASCII.
    username           TEXT    NOT NULL,
    -- The form in which usernames are compared: NFKC(lower(upper(NFKC(username)))); unique. Computed by
    -- src/auth/usernames.rs only: SQLite's own lower() is limited to ASCII and is never used.
    canonical_username TEXT    NOT NULL UNIQUE,
    -- When the account was created.
    created_at         INTEGER NOT NULL,
    -- Groups assigned by the operator: names of a-z0-9._-, sorted and separated by commas; may be empty.
    -- Apps behind a proxy are told the groups, and checks can require one.
    group_names        TEXT    NOT NULL DEFAULT '',
    -- E-mail address; may be empty. Apps are told it, and mail goes to it, once it is verified.
    email              TEXT    NOT NULL DEFAULT '',
    -- When the account was disabled; NULL: it is enabled. No credential of a disabled account is valid.
    disabled_at        INTEGER,
    -- Why it was disabled. Only operators see this.
    disabled_reason    TEXT    NOT NULL DEFAULT '',
    -- The remaining columns of an imported user, for apps that read this database: a JSON object with
    -- bytes in base64; may be empty. Written by an import and never changed.
    attributes         TEXT    NOT NULL DEFAULT '',
    -- Incremented when the password changes, a key is removed or the account is disabled; not when a
    -- password is rehashed. A session or access token is valid only while its own epoch equals this one,
    -- so one that is written concurrently with a password change is already invalid.
    epoch              INTEGER NOT NULL DEFAULT 0,
    -- The form in which addresses are compared: in lower case; empty: there is none. For look-ups alone: mail
    -- goes to the address in `email`.
    canonical_email    TEXT    NOT NULL DEFAULT '',
    -- When the address was found to be the user's: by a link that was sent to it, or by the operator who set
    -- it. NULL: it is not verified, or there is none.
    email_verified_at  INTEGER,
    -- Since when a second factor is asked for after the password; NULL: none is set up. While it is, there is a row
    -- in `totp` or one in `passkey`.
    second_factor_since INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX user_by_email ON user (canonical_email) WHERE canonical_email <> '';

-- Ways to sign in. A user may have several. An import may bring several passwords of one user; the next one
-- that is set replaces them all, as a password belongs to the user.
CREATE TABLE user_key (
    -- `provider:id`, separated by the first colon: `username:alice`, `github:1234567`. For the provider
    -- `username` the id is a sign-in name in canonical form: usually the user's own, and never one under
    -- which another user is shown. An import may bring others, or none.
    id              TEXT NOT NULL PRIMARY KEY CHECK (instr(id, ':') > 1),
    user_id         TEXT NOT NULL REFERENCES user (id),
    -- A PHC string with algorithm and cost: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. NULL: this key has
    -- no password. Written by src/base/password. An imported key keeps the hash of the other system until
    -- its owner signs in: `s2:salt:hex` (Lucia), `$2b$…` (bcrypt), `pbkdf2_sha256$…` (Django).
    hashed_password TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX user_key_by_user ON user_key (user_id);

-- Sessions of signed-in browsers. A session is active up to and including active_expires, then idle up to
-- and including idle_expires, then dead, as in Lucia.
CREATE TABLE user_session (
    -- BLAKE2b-256 of the token. Only the browser has the token itself.
    id               BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id          TEXT    NOT NULL REFERENCES user (id),
    -- A request up to then changes nothing. A later one renews the session: both expiries move.
    active_expires   INTEGER NOT NULL,
    -- The session is valid up to then. Never later than absolute_expires.
    idle_expires     INTEGER NOT NULL,
    -- The overall timeout, which no request moves (NIST SP 800-63B-4 § 2.1.3).
    absolute_expires INTEGER NOT NULL,
    -- When the session started.
    created_at       INTEGER NOT NULL,
    -- When the password was last given in it. Sensitive actions require that to be recent.
    proven_at        INTEGER NOT NULL DEFAULT 0,
    -- When it was last used, accurate to ten minutes, so that not every page costs a write.
    seen_at          INTEGER NOT NULL DEFAULT 0,
    -- 1: without "Stay signed in". The browser drops the cookie when it is closed, and the server ends
    -- the session after --transient.
    is_transient     INTEGER NOT NULL DEFAULT 0 CHECK (is_transient IN (0, 1)),
    -- By these its owner recognises it: browser and system, as in `Firefox on Linux`, and the client
    -- address at the start. Empty: unknown.
    browser          TEXT    NOT NULL DEFAULT '',
    address          TEXT    NOT NULL DEFAULT '',
    -- The user's epoch when the session started.
    epoch            INTEGER NOT NULL DEFAULT 0,
    -- When both factors were given in it, or in the browser in which it started; 0: never. While its user has a
    -- second factor, a session with 0 is not valid.
    second_at        INTEGER NOT NULL DEFAULT 0,
    CHECK (active_expires <= idle_expires AND idle_expires <= absolute_expires)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_session_by_user ON user_session (user_id);

-- For deleting dead sessions without scanning live ones.
CREATE INDEX user_session_by_end ON user_session (idle_expires);

-- Access tokens that users create for their scripts. They are valid at the check endpoints and nowhere
-- else. A new password revokes them all.
CREATE TABLE access_token (
    -- BLAKE2b-256 of the token without its prefix. The token itself was shown once.
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    -- The name given by its owner.
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    -- The last moment at which it is valid.
    expires_at INTEGER NOT NULL,
    -- When it was last used, accurate to ten minutes; NULL: never.
    used_at    INTEGER,
    -- The user's epoch when it was created.
    epoch      INTEGER NOT NULL DEFAULT 0,
    -- `second_at` of the session in which it was created.
    second_at  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX access_token_by_user ON access_token (user_id);

-- For deleting tokens that expired long ago.
CREATE INDEX access_token_by_end ON access_token (expires_at);

-- One-time tokens: each does one thing for its user, once. One that an operator makes replaces all of its
-- purpose; of those that are mailed the last three are valid, as an earlier mail may arrive later. All are
-- deleted with a new password, a removed key, a change of name or e-mail address, and when the account is
-- disabled.
CREATE TABLE one_time_token (
    -- BLAKE2b-256 of the token in the link.
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    -- What the token does. `reset_password`: sets a new password; an operator creates it with
    -- `vestibule user reset-link`, or its user by mail. `verify_email`: shows that an address is the user's.
    -- Both are valid for one hour. `second_step`: a sign-in after the right password that waits for the second
    -- factor, valid for ten minutes.
    purpose    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    -- The last moment at which it is valid.
    expires_at INTEGER NOT NULL,
    -- The user's epoch when it was created. It is valid only while the user still has this epoch.
    epoch      INTEGER NOT NULL,
    -- What the purpose needs to know beside the user: the address, for `verify_email`; how the sign-in is to go
    -- on, for `second_step`; else empty.
    detail     TEXT    NOT NULL DEFAULT '',
    -- 0: an operator has made it. Else it was mailed or belongs to a sign-in, and takes the place of an earlier one
    -- in this slot.
    slot       INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_id, purpose, slot)
) STRICT, WITHOUT ROWID;

CREATE INDEX one_time_token_by_end ON one_time_token (expires_at);

-- Invitations: links with which people create accounts where sign-up is not open, or with groups. A row
-- is deleted with its last use, and after it has expired.
CREATE TABLE invite (
    -- BLAKE2b-256 of the token in the link.
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    -- What the invitation is for. Only operators see this.
    note        TEXT    NOT NULL,
    -- The groups of accounts created with it, as in `user`.
    group_names TEXT    NOT NULL,
    -- How many more accounts can be created with it.
    uses_left   INTEGER NOT NULL CHECK (uses_left > 0),
    -- 1: it creates the first account, and is valid only while there is none.
    is_first    INTEGER NOT NULL DEFAULT 0 CHECK (is_first IN (0, 1)),
    created_at  INTEGER NOT NULL,
    -- The last moment at which it is valid.
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invite_by_end ON invite (expires_at);

-- Mail that waits to be sent. A row is written with what it tells of, and deleted once a relay has taken it. It
-- contains nothing secret: the token of a link is made when the mail is written, and only its hash is stored.
CREATE TABLE mail (
    -- 15 random characters; the `Message-ID` is made of it, so that one sent twice can be told.
    id           TEXT    NOT NULL PRIMARY KEY CHECK (length(id) > 0),
    -- What it says: `reset`, `password_changed`…; `nothing`: it stands for a mail to an account that does not
    -- exist or may not have one, and is dropped when its turn comes.
    kind         TEXT    NOT NULL,
    -- The account; empty for `nothing`. Not a foreign key: the notice of a deletion outlives the account.
    user_id      TEXT    NOT NULL,
    -- Where it goes, as it was then: the notice of a changed address goes to the old one. Empty: to the address
    -- that the user has when it is sent.
    address      TEXT    NOT NULL,
    -- The language of the page that caused it.
    language     TEXT    NOT NULL,
    -- What a notice tells beside, as `name=value` in a line of the log: the username, and the browser and the client
    -- address that did it; may be empty.
    detail       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    -- When it is to be tried next.
    due_at       INTEGER NOT NULL,
    -- How often it was tried in vain, and how the last try failed, in a word.
    tries        INTEGER NOT NULL DEFAULT 0,
    last_outcome TEXT    NOT NULL DEFAULT '',
    -- The server that sends it now, by a random text, and until when no other server may.
    lease        TEXT    NOT NULL DEFAULT '',
    lease_until  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX mail_by_due ON mail (due_at);

-- For limiting the mails of one user.
CREATE INDEX mail_by_user ON mail (user_id);

-- Usernames that stay reserved after their account was deleted or renamed. Apps behind a proxy identify
-- users by name, and could not tell the next owner of a name from the last one.
CREATE TABLE resting_name (
    -- The first 16 bytes of BLAKE2b-256 of the key `handle` in `secret`, `rest:` and the canonical name.
    -- The name itself is not stored.
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- The user who was renamed and may take the name back. NULL: the account was deleted; nothing tells
    -- whose it was.
    user_id    TEXT,
    -- The last moment at which the name is reserved.
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX resting_name_by_user ON resting_name (user_id);

CREATE INDEX resting_name_by_end ON resting_name (expires_at);

-- Secrets of this database, shared by all servers that use it.
CREATE TABLE secret (
    -- The purpose. `handle`: the key of the hashes that stand for names and addresses in the log, in
    -- `throttle` and in `resting_name`, so that none of them reveals what was typed into the wrong field.
    -- `seal`: not a key, but a hash of the one with which secrets in `totp` are sealed, so that a wrong one is
    -- noticed at start; `seal_before`: of the one before it, while they are sealed anew.
    -- `copy`: not a key; it marks a database into which a copy was started and not finished.
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT, WITHOUT ROWID;

INSERT INTO secret VALUES ('handle', randomblob(32));

-- Devices: browsers that have signed in to an account before. Each has its own allowance of wrong
-- passwords, so that an attacker cannot lock the owner out.
CREATE TABLE device (
    -- BLAKE2b-256 of the secret in the device cookie. A browser has one secret for all accounts.
    id           BLOB    NOT NULL CHECK (length(id) = 32),
    user_id      TEXT    NOT NULL REFERENCES user (id),
    -- The last sign-in to this account from there. The device is known for a year from then.
    last_used_at INTEGER NOT NULL,
    -- When both factors were given there by a user who wanted this browser to be remembered; 0: never. For
    -- --second-factor-remember from then, the password is enough there.
    second_at    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX device_by_user ON device (user_id, last_used_at);

CREATE INDEX device_by_end ON device (last_used_at);

-- Authenticator apps, whose codes (TOTP, RFC 6238) are the second factor. A row exists once the first code was right.
CREATE TABLE totp (
    user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES user (id),
    -- The shared secret: 0x00 and the secret; or 0x01, 24 bytes of nonce, the sealed secret and its tag.
    secret     BLOB    NOT NULL CHECK (length(secret) BETWEEN 11 AND 128),
    -- The last time step (Unix time / 30 s) of which a code was accepted: no code of it or of one before is.
    last_step  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Recovery codes, each of which replaces the second factor once. A row is deleted with its use.
CREATE TABLE recovery_code (
    -- BLAKE2b-256 of the code.
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    TEXT    NOT NULL REFERENCES user (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX recovery_code_by_user ON recovery_code (user_id);

-- Passkeys (WebAuthn credentials). One that verifies its user by a PIN, a finger or a face signs in alone; any is a
-- second factor behind the password.
CREATE TABLE passkey (
    -- The id that the authenticator has chosen.
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 1023),
    user_id       TEXT    NOT NULL REFERENCES user (id),
    -- What the authenticator knows its owner as, made by src/auth/passkeys.rs; empty: that is not known, as of some
    -- imported ones.
    user_handle   BLOB    NOT NULL CHECK (length(user_handle) <= 64),
    -- The public key as COSE writes it: on P-256 (ES256), on Ed25519, or RSA (RS256).
    public_key    BLOB    NOT NULL,
    -- How often it was used, by its own count; 0: it does not count. A use with a count that is not greater is refused,
    -- as the authenticator may have been cloned.
    sign_count    INTEGER NOT NULL,
    -- The domain that it was made for. It works for no other.
    rp_id         TEXT    NOT NULL,
    -- 1: it verifies its user, and signs in alone. 0: it is a second factor only.
    verifies_user INTEGER NOT NULL CHECK (verifies_user IN (0, 1)),
    -- 1: its maker keeps a copy of it, so that it outlives the device.
    is_backed_up  INTEGER NOT NULL CHECK (is_backed_up IN (0, 1)),
    -- How its authenticator is reached, as in `hybrid,internal`; may be empty. Browsers are told it.
    transports    TEXT    NOT NULL,
    -- The name given by its owner.
    name          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    -- When it was last used; NULL: never.
    used_at       INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX passkey_by_user ON passkey (user_id);

-- The challenges that were answered by a passkey, until they expire: none is answered twice.
CREATE TABLE used_challenge (
    -- The random part of the challenge.
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- The last moment at which it would be accepted.
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_challenge_by_end ON used_challenge (expires_at);

-- Failed sign-in attempts. Rows are deleted on success, or once they no longer matter: see
-- src/auth/throttle.rs.
CREATE TABLE throttle (
    -- 16 bytes of a keyed hash of what is counted: a username (existing or not), a username on a known
    -- device, or an address.
    id       BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- Failures since the last success.
    failures INTEGER NOT NULL,
    -- When the last attempt failed.
    last_at  INTEGER NOT NULL,
    -- Usernames: no attempt before this time. Addresses: when the allowance is full again.
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For deleting the least important rows first.
CREATE INDEX throttle_by_worth ON throttle (until, last_at);

-- The clock of the servers on this database. What has expired is deleted by it, and cannot be had back.
CREATE TABLE clock (
    -- 1: there is one row.
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    -- When the clock was believed last; 0: not yet. Servers advance it while they run. A clock that shows a
    -- day or more later is believed once one server has run under it for an hour; no start and no command
    -- changes this, however often it is repeated.
    believed_at INTEGER NOT NULL
) STRICT;

INSERT INTO clock VALUES (1, 0);

-- The audit log: security events, as the log has them, kept for as long as --audit says. It contains no
-- secrets: no password, token, cookie, form field, query or unknown username. Names of users are in it as
-- keyed hashes, since records outlive the accounts: an operator who knows a name can look for it. Records of
-- renames and of sign-in names hold the names until the user is deleted.
CREATE TABLE audit (
    id         INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    -- The event, as in the log: `login_ok`, `login_fail`, `throttled`, `password_change`…
    event      TEXT    NOT NULL,
    -- The account concerned, where known. Records outlive their users, so this is not a foreign key.
    user_id    TEXT,
    -- The client address; NULL behind a Unix socket.
    address    TEXT,
    -- The session's handle in the log.
    session    TEXT,
    -- The request's id in the log.
    request    TEXT,
    -- Further fields, as in the log: `reason=bad_credentials name=h:3fa9c1d2`.
    detail     TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_by_time ON audit (at);

CREATE INDEX audit_by_user ON audit (user_id, at);
