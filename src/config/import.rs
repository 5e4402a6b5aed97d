//! The settings of `vestibule import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::DatabaseFlags;
use crate::import::{self, Order};
use crate::store::{BETTER_AUTH_TABLES, LUCIA_V3_TABLES, LuciaTables, TableNames};

/// `vestibule import`.
#[derive(Args)]
#[command(
    after_help = "Either everybody comes over or nobody. Whoever is there already is left as they are, \
    so it can be run again.\n\
    Exit codes: 0 done; 1 it could not be done; 2 wrong usage."
)]
pub struct ImportFlags {
    /// From what.
    #[command(subcommand)]
    source: Source,
}

/// What people can be brought over from.
#[derive(Subcommand)]
enum Source {
    /// A SQLite database of Lucia v2: users, keys, passwords and sessions, so that nobody has to sign
    /// in again.
    #[command(after_help = "Examples:\n  \
        vestibule import lucia app.db --database vestibule.db --dry-run\n      \
        see what would come over, and who could not\n  \
        vestibule import lucia app.db --tables auth_user,auth_key,auth_session --json\n\n\
        FILE is only read, and may be in use. Either everybody comes over or nobody. Whoever is there \
        already is left as they are, so it can be run again.\n\
        Exit codes: 0 done; 1 it could not be done; 2 wrong usage.")]
    Lucia {
        /// The database of Lucia.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// The tables of users, keys and sessions, comma-separated, without the last if sessions are
        /// kept elsewhere. Without it they are found by their columns.
        #[arg(long, value_name = "USER,KEY,SESSION", value_parser = tables)]
        tables: Option<LuciaTables>,

        #[command(flatten)]
        way: Way,
    },

    /// A SQLite database of Lucia v3: users, passwords, accounts of other providers and sessions, so that
    /// nobody has to sign in again.
    #[command(after_help = "Examples:\n  \
        vestibule import lucia-v3 app.db --dry-run\n  \
        vestibule import lucia-v3 app.db --tables user=app_user,session= --username nick\n\n\
        FILE is only read, and may be in use. Passwords are looked for in the columns password_hash and \
        hashed_password, of the users or of a table of their own. A verified address becomes that of the \
        user; every other column is kept as an attribute, unless its name tells of a password or a secret.")]
    LuciaV3 {
        /// The database of Lucia.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Tables that are not found by their columns: user, session, password, oauth_account. Nothing
        /// after = says that there is none.
        #[arg(long, value_name = "WHAT=TABLE,…", value_parser = lucia_v3_tables)]
        tables: Option<TableNames>,

        /// The column of the name to sign in with. Without it: username, or email for those who have none.
        #[arg(long, value_name = "COLUMN")]
        username: Option<String>,

        #[command(flatten)]
        way: Way,
    },

    /// A SQLite database of better-auth: users, passwords and accounts of other providers. Sessions stay
    /// behind, as their cookies are signed with a secret.
    #[command(after_help = "Examples:\n  \
        vestibule import better-auth app.db --dry-run\n  \
        vestibule import better-auth app.db --tables user=users,account=accounts --username email\n\n\
        FILE is only read, and may be in use. A verified address becomes that of the user; every other \
        column is kept as an attribute, unless its name tells of a password or a secret.")]
    BetterAuth {
        /// The database of better-auth.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Tables that are not found by their columns: user, account, session. Nothing after session= says
        /// that there is none.
        #[arg(long, value_name = "WHAT=TABLE,…", value_parser = better_auth_tables)]
        tables: Option<TableNames>,

        /// The column of the name to sign in with. Without it: username, or email for those who have none.
        #[arg(long, value_name = "COLUMN")]
        username: Option<String>,

        #[command(flatten)]
        way: Way,
    },

    /// A file of passwords of Apache or nginx: a line for each name. Hashes of bcrypt come over; who has
    /// another kind comes over without a password and needs a new one.
    #[command(after_help = "Example:\n  \
        vestibule import htpasswd /etc/nginx/htpasswd --dry-run\n\n\
        Then `vestibule user reset-link NAME` lets somebody choose a password. Whoever is there by the same \
        name already is left as they are.")]
    Htpasswd {
        /// The file of passwords; `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        way: Way,
    },

    /// A table as text, with commas: from any system that can write one.
    #[command(after_help = "Example:\n  \
        printf 'username,hash,groups\\nanna,$2b$12$…,staff;admin\\n' | vestibule import csv -\n\n\
        The first line names the columns: username, and one of hash, password_hash, hashed_password. There \
        may be id, email and groups (with ; or , between them). Every other one is kept as an attribute, \
        unless its name tells of a password or a secret. Hashes of Argon2, bcrypt, scrypt as Lucia writes it \
        and PBKDF2 as Django writes it come over; who has another kind, or none, comes over without a \
        password. Without an id, whoever is there by the same name already is left as they are.")]
    Csv {
        /// The table; `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        way: Way,
    },

    /// What `vestibule export` wrote: everybody as they were, to the byte.
    #[command(after_help = "Examples:\n  \
        vestibule import vestibule people.jsonl\n  \
        zcat people.jsonl.gz | vestibule import vestibule - --dry-run\n\n\
        A file that is cut short, or that a newer vestibule wrote, is refused. Sessions come with it if they \
        are in it and live still.")]
    Vestibule {
        /// The export; `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        way: Way,
    },
}

/// How everybody is brought over, from wherever.
#[derive(Args)]
struct Way {
    /// Say what would come over, and write nothing.
    #[arg(long)]
    dry_run: bool,

    /// Leave those out who cannot come over as they are, in place of refusing all.
    #[arg(long)]
    skip_conflicts: bool,

    /// As data, for scripts.
    #[arg(long)]
    json: bool,

    /// Where the database is.
    #[command(flatten)]
    database: DatabaseFlags,
}

impl ImportFlags {
    /// What is to be done.
    pub fn order(self) -> Result<Order, String> {
        let (source, file, way) = match self.source {
            Source::Lucia { file, tables, way } => (import::Source::Lucia { tables }, file, way),
            Source::LuciaV3 { file, tables, username, way } => {
                let tables = tables.unwrap_or_default();
                (import::Source::LuciaV3 { tables, username }, file, way)
            }
            Source::BetterAuth { file, tables, username, way } => {
                let tables = tables.unwrap_or_default();
                (import::Source::BetterAuth { tables, username }, file, way)
            }
            Source::Htpasswd { file, way } => (import::Source::Htpasswd, file, way),
            Source::Csv { file, way } => (import::Source::Csv, file, way),
            Source::Vestibule { file, way } => (import::Source::Vestibule, file, way),
        };
        let Way { dry_run, skip_conflicts, json, database } = way;
        let database = database.check()?;
        Ok(Order { source, file, dry_run, skip_conflicts, json, database })
    }
}

fn tables(text: &str) -> Result<LuciaTables, String> {
    let names: Vec<_> = text.split(',').map(|it| it.trim().to_owned()).collect();
    let (user, key, session) = match names.as_slice() {
        [user, key] => (user, key, None),
        [user, key, session] => (user, key, Some(session)),
        _ => return Err("write it as in user,user_key,user_session".to_owned()),
    };
    if names.iter().any(String::is_empty) {
        return Err("write it as in user,user_key,user_session".to_owned());
    }
    Ok(LuciaTables { user: user.clone(), key: key.clone(), session: session.cloned() })
}

fn lucia_v3_tables(text: &str) -> Result<TableNames, String> {
    table_names(text, &LUCIA_V3_TABLES)
}

fn better_auth_tables(text: &str) -> Result<TableNames, String> {
    table_names(text, &BETTER_AUTH_TABLES)
}

fn table_names(text: &str, known: &[&str]) -> Result<TableNames, String> {
    let mut names: Vec<(String, String)> = Vec::new();
    for part in text.split(',') {
        let (what, name) = part.split_once('=').ok_or("write it as in user=app_user")?;
        let what = what.trim();
        if !known.contains(&what) || names.iter().any(|(it, _)| it == what) {
            return Err(format!("name each of these once at most: {}", known.join(", ")));
        }
        names.push((what.to_owned(), name.trim().to_owned()));
    }
    Ok(TableNames(names))
}
