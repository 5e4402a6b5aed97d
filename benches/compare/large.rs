//! A database of many users with three sessions each, made once.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use vestibule::base::password::{Cost, Hasher, Password};
use vestibule::base::token::Token;
use vestibule::store::{Maintenance, Sqlite};

/// How many users the whole run asks for.
pub const USERS: usize = 1_000_000;

pub const SESSIONS_EACH: usize = 3;

/// Sessions whose cookies are kept: this many, spread over all.
const KEPT: usize = 1_000;

/// Where it lies, and the cookies of some of its sessions.
pub struct Large {
    pub database: PathBuf,
    pub cookies: Vec<String>,
}

/// Makes one of so many users in this folder, unless it is there from an earlier run of the same version. They are called
/// `bench0`, `bench1` and so on, and have the same password.
pub fn make(folder: &Path, users: usize) -> Large {
    let file = |extension: &str| folder.join(format!("large-{users}.{extension}"));
    let (database, list) = (file("db"), file("cookies"));
    if let Ok(text) = fs::read_to_string(&list) {
        return Large { database, cookies: text.lines().map(str::to_owned).collect() };
    }
    for suffix in ["", "-wal", "-shm"] {
        drop(fs::remove_file(format!("{}{suffix}", database.display())));
    }
    Sqlite::open(&database).and_then(|it| it.close()).expect("a new database");
    let mut conn = Connection::open(&database).expect("it is there");
    conn.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4000000;",
    )
    .expect("settings");
    let cookies = fill(&mut conn, users);
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_checkpoint(TRUNCATE);")
        .expect("a log");
    fs::write(&list, cookies.join("\n")).expect("a list of cookies");
    Large { database, cookies }
}

fn fill(conn: &mut Connection, users: usize) -> Vec<String> {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let now = i64::try_from(now.as_millis()).expect("a time");
    let (day, ids) = (86_400_000, (0..users).map(|it| format!("{it:015}")).collect::<Vec<_>>());
    let tx = conn.transaction().expect("a transaction");
    {
        let mut user = tx
            .prepare(
                "INSERT INTO user (id, username, canonical_username, created_at)
                 VALUES (?1, ?2, ?2, ?3)",
            )
            .expect("a statement");
        let mut key = tx
            .prepare("INSERT INTO user_key (id, user_id, hashed_password) VALUES (?1, ?2, ?3)")
            .expect("a statement");
        let hash = Hasher::new(1, Cost::OWASP).hash(&Password::new("correct horse"));
        // In the order of the trees, so that each page is written once.
        let mut names: Vec<_> = (0..users).map(|at| format!("bench{at}")).collect();
        names.sort_unstable();
        for (id, name) in ids.iter().zip(names) {
            user.execute((id, &name, now)).expect("a user");
            key.execute((format!("username:{name}"), id, hash.as_stored())).expect("a key");
        }
    }
    let mut tokens: Vec<_> = (0..users * SESSIONS_EACH).map(|_| Token::random()).collect();
    // In the order of the tree, so that each page is written once.
    tokens.sort_by_cached_key(|it| *it.hash().as_bytes());
    {
        let mut session = tx
            .prepare(
                "INSERT INTO user_session (id, user_id, active_expires, idle_expires,
                   absolute_expires, created_at, proven_at, seen_at, browser, address)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, 'Firefox on Linux', '192.0.2.1')",
            )
            .expect("a statement");
        for (at, token) in tokens.iter().enumerate() {
            let user = &ids[at % users];
            let ends = (now + 20 * day, now + 25 * day, now + 30 * day);
            // Seen in the future: nothing is written while it is measured.
            session
                .execute((
                    token.hash().as_bytes(),
                    user,
                    ends.0,
                    ends.1,
                    ends.2,
                    now,
                    now + 20 * day,
                ))
                .expect("a session");
        }
    }
    tx.commit().expect("it is written");
    let step = (tokens.len() / KEPT).max(1);
    tokens.iter().step_by(step).map(|it| format!("auth_session={}", it.reveal())).collect()
}
