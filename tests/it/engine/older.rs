//! Databases of each schema there has been, with a row in every table and what opens an account there: made by the
//! first schema and the migrations up to this one, as servers of that time made them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use vestibule::base::token::Token;

#[cfg(feature = "mysql")]
use super::Raw;

/// The schemas that files had, each with the migration that leads there.
pub const OF_FILES: [(u32, &str); 14] = [
    (1, include_str!("../../../src/store/sqlite/migrations/1.sql")),
    (2, include_str!("../../../src/store/sqlite/migrations/2.sql")),
    (3, include_str!("../../../src/store/sqlite/migrations/3.sql")),
    (4, include_str!("../../../src/store/sqlite/migrations/4.sql")),
    (5, include_str!("../../../src/store/sqlite/migrations/5.sql")),
    (6, include_str!("../../../src/store/sqlite/migrations/6.sql")),
    (7, include_str!("../../../src/store/sqlite/migrations/7.sql")),
    (8, include_str!("../../../src/store/sqlite/migrations/8.sql")),
    (9, include_str!("../../../src/store/sqlite/migrations/9.sql")),
    (10, include_str!("../../../src/store/sqlite/migrations/10.sql")),
    (11, include_str!("../../../src/store/sqlite/migrations/11.sql")),
    (12, include_str!("../../../src/store/sqlite/migrations/12.sql")),
    (13, include_str!("../../../src/store/sqlite/migrations/13.sql")),
    (14, include_str!("../../../src/store/sqlite/migrations/14.sql")),
];

/// The schemas that servers had, as [`OF_FILES`].
#[cfg(feature = "mysql")]
pub const OF_SERVERS: [(u32, &str); 8] = [
    (7, include_str!("../../../src/store/mysql/migrations/7.sql")),
    (8, include_str!("../../../src/store/mysql/migrations/8.sql")),
    (9, include_str!("../../../src/store/mysql/migrations/9.sql")),
    (10, include_str!("../../../src/store/mysql/migrations/10.sql")),
    (11, include_str!("../../../src/store/mysql/migrations/11.sql")),
    (12, include_str!("../../../src/store/mysql/migrations/12.sql")),
    (13, include_str!("../../../src/store/mysql/migrations/13.sql")),
    (14, include_str!("../../../src/store/mysql/migrations/14.sql")),
];

/// What anna and bert sign in with.
pub const PASSWORD: &str = "correct+horse";

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$iVXLEqw9yorL+G+/3PwffA$D3W1YHt3yx9UO9ICQcVUmM7WXjij5+HxdltNJ+Xr3NQ";

/// A row, by the first and the last schema in which it is one. `:x` to `:i` are hashes of the secrets below, `:now` is
/// an hour ago, `:end` is far away.
const ROWS: &[(u32, u32, &str)] = &[
    (
        1,
        4,
        "INSERT INTO user (id, username, canonical_username, created_at) VALUES ('a', 'Anna', 'anna', :now), ('b', 'bert', 'bert', :now)",
    ),
    (
        5,
        99,
        "INSERT INTO user (id, username, canonical_username, created_at, attributes) VALUES ('a', 'Anna', 'anna', :now, '{\"shoe\":42}'), ('b', 'bert', 'bert', :now, '')",
    ),
    (
        1,
        99,
        "INSERT INTO user_key (id, user_id, hashed_password) VALUES ('username:anna', 'a', ':hash'), ('username:bert', 'b', ':hash')",
    ),
    (
        1,
        99,
        "INSERT INTO user_session (id, user_id, active_expires, idle_expires, absolute_expires, created_at) VALUES (:session, 'a', :end, :end, :end, :now)",
    ),
    (
        2,
        99,
        "UPDATE user_session SET browser = 'Firefox on Linux', address = '192.0.2.7', seen_at = :now, proven_at = :now",
    ),
    (2, 99, "INSERT INTO device (id, user_id, last_used_at) VALUES (:session, 'a', :now)"),
    (
        2,
        99,
        "INSERT INTO throttle (id, failures, last_at, until) VALUES (x'00112233445566778899aabbccddeeff', 3, :now, :end)",
    ),
    (
        2,
        99,
        "INSERT INTO audit (id, at, event, user_id, address, session, request, detail) VALUES (1, :now, 'login_ok', 'a', '192.0.2.7', '0011223344556677', 'abcd-1', '')",
    ),
    (3, 11, "UPDATE user SET group_names = 'staff', email = 'Anna@example.com' WHERE id = 'a'"),
    (
        12,
        99,
        "UPDATE user SET group_names = 'staff', email = 'Anna@example.com', canonical_email = 'anna@example.com', email_verified_at = :now WHERE id = 'a'",
    ),
    (
        3,
        99,
        "INSERT INTO access_token (id, user_id, name, created_at, expires_at) VALUES (:token, 'a', 'script', :now, :end)",
    ),
    (
        4,
        8,
        "INSERT INTO ticket (id, user_id, created_at, expires_at) VALUES (:link, 'b', :now, :end)",
    ),
    (
        6,
        99,
        "INSERT INTO invite (id, note, group_names, uses_left, created_at, expires_at) VALUES (:invitation, 'for Zoe', 'ops', 2, :now, :end)",
    ),
    (7, 99, "UPDATE user SET epoch = 4 WHERE id IN ('a', 'b')"),
    (7, 99, "UPDATE user_session SET epoch = 4"),
    (7, 99, "UPDATE access_token SET epoch = 4"),
    (
        8,
        99,
        "INSERT INTO resting_name (id, user_id, expires_at) VALUES (x'ffeeddccbbaa99887766554433221100', 'a', :end)",
    ),
    (
        9,
        99,
        "INSERT INTO one_time_token (id, user_id, purpose, created_at, expires_at, epoch) VALUES (:link, 'b', 'reset_password', :now, :end, 4)",
    ),
    (
        12,
        99,
        "INSERT INTO mail (id, kind, user_id, address, language, detail, created_at, due_at) VALUES ('m', 'reset', 'b', 'b@example.com', 'en', '{}', :now, :end)",
    ),
    (
        13,
        99,
        "INSERT INTO user (id, username, canonical_username, created_at, attributes, second_factor_since) VALUES ('c', 'carl', 'carl', 1, '', 1)",
    ),
    (
        13,
        99,
        "INSERT INTO totp (user_id, secret, last_step, created_at) VALUES ('c', x'000102030405060708090a0b0c0d0e0f1011121314', 1, :now)",
    ),
    (13, 99, "INSERT INTO recovery_code (id, user_id, created_at) VALUES (:token, 'c', :now)"),
    (
        14,
        99,
        "INSERT INTO passkey (id, user_id, user_handle, public_key, sign_count, rp_id, verifies_user, is_backed_up, transports, name, created_at) VALUES (x'01', 'c', x'', x'a401', 1, 'auth.example.com', 1, 0, 'usb', 'key', :now)",
    ),
    (
        14,
        99,
        "INSERT INTO used_challenge (id, expires_at) VALUES (x'000102030405060708090a0b0c0d0e0f', :end)",
    ),
];

/// The secret of a session, an access token, a reset link or an invitation: forty times its first letter.
pub fn secret(of: &str) -> String {
    of[..1].repeat(40)
}

/// The rows of a database with this schema, in SQL that both engines know.
fn rows(schema: u32) -> Vec<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() - 3_600_000;
    let mut statements = Vec::new();
    for (_, _, row) in ROWS.iter().filter(|(from, to, _)| (*from..=*to).contains(&schema)) {
        let mut row = row.replace(":now", &now.to_string()).replace(":end", "4000000000000");
        row = row.replace(":hash", HASH);
        for of in ["session", "token", "link", "invitation"] {
            let hash = Token::parse(&secret(of)).unwrap().hash();
            let hex = data_encoding::HEXLOWER.encode(hash.as_bytes());
            row = row.replace(&format!(":{of}"), &format!("x'{hex}'"));
        }
        statements.push(row);
    }
    statements
}

/// Makes a file with this schema.
pub fn make_file(path: &Path, schema: u32) {
    make_file_with(path, schema, &rows(schema).join(";"));
}

/// Makes a file with this schema and these rows.
pub fn make_file_with(path: &Path, schema: u32, rows: &str) {
    let raw = Connection::open(path).unwrap();
    for (_, migration) in OF_FILES.iter().filter(|(number, _)| *number <= schema) {
        raw.execute_batch(migration).unwrap();
    }
    raw.execute_batch(rows).unwrap_or_else(|err| panic!("{schema}: {err}"));
    raw.execute_batch(&format!(
        "PRAGMA application_id = 0x76657374; PRAGMA user_version = {schema}; PRAGMA journal_mode = WAL;"
    ))
    .unwrap();
}

/// Makes the tables of this schema in an empty database on servers.
#[cfg(feature = "mysql")]
pub fn make_on_servers(raw: &mut dyn Raw, schema: u32) {
    for (_, migration) in OF_SERVERS.iter().filter(|(number, _)| *number <= schema) {
        let lines: Vec<_> = migration.lines().filter(|line| !line.starts_with("--")).collect();
        for statement in lines.join("\n").split(';').map(str::trim).filter(|it| !it.is_empty()) {
            raw.run(statement);
        }
    }
    for row in rows(schema) {
        raw.run(&row);
    }
    for statement in [
        "INSERT INTO secret VALUES ('handle', x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f')",
        "UPDATE counter SET value = 1 WHERE name = 'audit'",
        "CREATE TABLE vestibule_schema (
             id TINYINT NOT NULL PRIMARY KEY, version INT NOT NULL, owner VARBINARY(64) NOT NULL, lease BIGINT NOT NULL
         ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        &format!("INSERT INTO vestibule_schema VALUES (1, {schema}, '', 0)"),
    ] {
        raw.run(statement);
    }
}
