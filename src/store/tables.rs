//! Every table, described once. Copying, counting, emptying, deleting a user's rows, what a change of
//! credentials ends and what a restore leaves out follow from it. Columns are documented in schema.sql.

use super::rows::{Cell, Cells};
use super::{HALF_COPIED, Result};

/// The type of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    /// A number, a moment in milliseconds, or a boolean.
    Int,
    MaybeInt,
    Text,
    MaybeText,
    /// Bytes of this number.
    Bytes(usize),
    /// Bytes of any number.
    Blob,
}

use ColumnKind::{Blob, Bytes, Int, MaybeInt, MaybeText, Text};

/// A table of the database.
pub(super) struct StoredTable {
    pub(super) name: &'static str,
    /// All columns, those of the primary key first.
    columns: &'static [(&'static str, ColumnKind)],
    /// How many columns the primary key has.
    keys: usize,
    /// Whether its rows belong to users by a column `user_id`, and are deleted with their user.
    pub(super) has_owner: bool,
    /// Whether its rows end when the credentials of their user change. They have an `epoch`.
    pub(super) ends_with_credentials: bool,
    /// Whether a restore leaves it out, as rows that were ended after the backup would come back.
    pub(super) is_ended_by_restore: bool,
    /// The name under which `check` reports the number of its rows, if it does.
    counted_as: Option<&'static str>,
}

/// A table whose rows belong to no user, and are never ended.
const PLAIN: StoredTable = StoredTable {
    name: "",
    columns: &[],
    keys: 1,
    has_owner: false,
    ends_with_credentials: false,
    is_ended_by_restore: false,
    counted_as: None,
};

/// All tables. A table comes after those that its rows refer to.
pub(super) const ALL: [StoredTable; 17] = [
    StoredTable { name: "secret", columns: &[("name", Text), ("value", Bytes(32))], ..PLAIN },
    StoredTable {
        name: "user",
        columns: &[
            ("id", Text),
            ("username", Text),
            ("canonical_username", Text),
            ("created_at", Int),
            ("group_names", Text),
            ("email", Text),
            ("email_verified_at", MaybeInt),
            ("disabled_at", MaybeInt),
            ("disabled_reason", Text),
            ("second_factor_since", MaybeInt),
            ("attributes", Text),
            ("epoch", Int),
            ("canonical_email", Text),
        ],
        counted_as: Some("users"),
        ..PLAIN
    },
    StoredTable {
        name: "user_key",
        columns: &[("id", Text), ("user_id", Text), ("hashed_password", MaybeText)],
        has_owner: true,
        counted_as: Some("keys"),
        ..PLAIN
    },
    StoredTable {
        name: "user_session",
        columns: &[
            ("id", Bytes(32)),
            ("user_id", Text),
            ("active_expires", Int),
            ("idle_expires", Int),
            ("absolute_expires", Int),
            ("created_at", Int),
            ("proven_at", Int),
            ("seen_at", Int),
            ("is_transient", Int),
            ("browser", Text),
            ("address", Text),
            ("second_at", Int),
            ("epoch", Int),
        ],
        has_owner: true,
        ends_with_credentials: true,
        is_ended_by_restore: true,
        counted_as: Some("sessions"),
        ..PLAIN
    },
    StoredTable {
        name: "access_token",
        columns: &[
            ("id", Bytes(32)),
            ("user_id", Text),
            ("name", Text),
            ("created_at", Int),
            ("expires_at", Int),
            ("used_at", MaybeInt),
            ("second_at", Int),
            ("epoch", Int),
        ],
        has_owner: true,
        ends_with_credentials: true,
        is_ended_by_restore: true,
        counted_as: Some("access_tokens"),
        ..PLAIN
    },
    StoredTable {
        name: "one_time_token",
        columns: &[
            ("id", Bytes(32)),
            ("user_id", Text),
            ("purpose", Text),
            ("created_at", Int),
            ("expires_at", Int),
            ("epoch", Int),
            ("detail", Text),
            ("slot", Int),
        ],
        has_owner: true,
        ends_with_credentials: true,
        is_ended_by_restore: true,
        ..PLAIN
    },
    StoredTable {
        name: "invite",
        columns: &[
            ("id", Bytes(32)),
            ("note", Text),
            ("group_names", Text),
            ("uses_left", Int),
            ("is_first", Int),
            ("created_at", Int),
            ("expires_at", Int),
        ],
        is_ended_by_restore: true,
        ..PLAIN
    },
    StoredTable {
        name: "mail",
        columns: &[
            ("id", Text),
            ("kind", Text),
            ("user_id", Text),
            ("address", Text),
            ("language", Text),
            ("detail", Text),
            ("created_at", Int),
            ("due_at", Int),
            ("tries", Int),
            ("last_outcome", Text),
            ("lease", Text),
            ("lease_until", Int),
        ],
        is_ended_by_restore: true,
        ..PLAIN
    },
    StoredTable {
        name: "resting_name",
        columns: &[("id", Bytes(16)), ("user_id", MaybeText), ("expires_at", Int)],
        counted_as: Some("resting_names"),
        ..PLAIN
    },
    StoredTable {
        name: "device",
        columns: &[("id", Bytes(32)), ("user_id", Text), ("last_used_at", Int), ("second_at", Int)],
        keys: 2,
        has_owner: true,
        ..PLAIN
    },
    StoredTable {
        name: "totp",
        columns: &[("user_id", Text), ("secret", Blob), ("last_step", Int), ("created_at", Int)],
        has_owner: true,
        counted_as: Some("second_factors"),
        ..PLAIN
    },
    StoredTable {
        name: "recovery_code",
        columns: &[("id", Bytes(32)), ("user_id", Text), ("created_at", Int)],
        has_owner: true,
        ..PLAIN
    },
    StoredTable {
        name: "passkey",
        columns: &[
            ("id", Blob),
            ("user_id", Text),
            ("user_handle", Blob),
            ("public_key", Blob),
            ("sign_count", Int),
            ("rp_id", Text),
            ("verifies_user", Int),
            ("is_backed_up", Int),
            ("transports", Text),
            ("name", Text),
            ("created_at", Int),
            ("used_at", MaybeInt),
        ],
        has_owner: true,
        counted_as: Some("passkeys"),
        ..PLAIN
    },
    StoredTable {
        name: "used_challenge",
        columns: &[("id", Bytes(16)), ("expires_at", Int)],
        ..PLAIN
    },
    StoredTable {
        name: "throttle",
        columns: &[("id", Bytes(16)), ("failures", Int), ("last_at", Int), ("until", Int)],
        ..PLAIN
    },
    StoredTable { name: "clock", columns: &[("id", Int), ("believed_at", Int)], ..PLAIN },
    StoredTable {
        name: "audit",
        columns: &[
            ("id", Int),
            ("at", Int),
            ("event", Text),
            ("user_id", MaybeText),
            ("address", MaybeText),
            ("session", MaybeText),
            ("request", MaybeText),
            ("detail", Text),
        ],
        ..PLAIN
    },
];

/// The names of all tables. A table comes after those that its rows refer to.
pub const TABLES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut at = 0;
    while at < ALL.len() {
        names[at] = ALL[at].name;
        at += 1;
    }
    names
};

/// A table of older backups that a restore leaves out as well: reset links.
pub(super) const FORMERLY_ENDED_BY_RESTORE: &str = "ticket";

/// The table of random keys, which also holds the mark of an unfinished copy.
pub(super) const SECRETS: &str = "secret";

impl StoredTable {
    /// The number of columns.
    pub(super) const fn width(&self) -> usize {
        self.columns.len()
    }

    /// Selects all rows in the order of the primary key, in which they are stored: a query that had to sort
    /// them first would take too long to start.
    pub(super) fn select(&self) -> String {
        let (prefix, name) = (format!("{}.", self.name), self.name);
        let (columns, keys) =
            (listed(&prefix, self.columns), listed(&prefix, &self.columns[..self.keys]));
        format!("SELECT {columns} FROM {name} ORDER BY {keys}")
    }

    /// As [`StoredTable::select`], followed by the id of each row's user, if that user exists. For tables
    /// with owners.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(super) fn select_with_owner(&self) -> String {
        let (prefix, name) = (format!("{}.", self.name), self.name);
        let (columns, keys) =
            (listed(&prefix, self.columns), listed(&prefix, &self.columns[..self.keys]));
        format!(
            "SELECT {columns}, user.id FROM {name} LEFT JOIN user ON user.id = {name}.user_id
              ORDER BY {keys}"
        )
    }

    /// The beginning of a statement that adds rows; the values follow.
    pub(super) fn insert(&self) -> String {
        format!("INSERT INTO {} ({}) VALUES ", self.name, listed("", self.columns))
    }
}

/// A list of columns, each with this prefix.
fn listed(prefix: &str, columns: &[(&str, ColumnKind)]) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| format!("{prefix}{name}")).collect();
    names.join(", ")
}

/// A statement that counts the rows of tables; its answer is one row.
fn counting(tables: impl Iterator<Item = &'static str>) -> String {
    let counts = tables.map(|name| match name {
        SECRETS => format!("(SELECT count(*) FROM secret WHERE name <> '{HALF_COPIED}')"),
        name => format!("(SELECT count(*) FROM {name})"),
    });
    format!("SELECT {}", counts.collect::<Vec<_>>().join(", "))
}

/// Counts the rows of [`TABLES`], without the mark of an unfinished copy.
pub(super) fn counting_all() -> String {
    counting(TABLES.into_iter())
}

/// The names under which `check` reports numbers of rows, in the order of [`counting_some`].
pub(super) fn counted() -> impl Iterator<Item = &'static str> {
    ALL.iter().filter_map(|it| it.counted_as)
}

/// Counts the rows that `check` reports.
pub(super) fn counting_some() -> String {
    counting(ALL.iter().filter(|it| it.counted_as.is_some()).map(|it| it.name))
}

/// A row of any table, with all its values. It holds hashes and keys and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// The index of its table in [`ALL`].
    table: usize,
    cells: Vec<OwnedCell>,
}

#[derive(Clone, PartialEq, Eq)]
enum OwnedCell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Row {
    /// The name of its table: one of [`TABLES`].
    pub const fn table(&self) -> &'static str {
        ALL[self.table].name
    }

    pub(super) const fn described(&self) -> &'static StoredTable {
        const DESCRIBED: &[StoredTable; ALL.len()] = &ALL;
        &DESCRIBED[self.table]
    }

    /// Reads a row of the table with this index in [`ALL`].
    pub(super) fn read(table: usize, row: &mut (impl Cells + ?Sized)) -> Result<Self> {
        let cell = |(_, kind): &(&str, ColumnKind)| {
            Ok(match kind {
                Int => OwnedCell::Int(row.int()?),
                MaybeInt => row.maybe_int()?.map_or(OwnedCell::Null, OwnedCell::Int),
                Text => OwnedCell::Text(row.text()?),
                MaybeText => row.maybe_text()?.map_or(OwnedCell::Null, OwnedCell::Text),
                Bytes(length) => {
                    let mut bytes = vec![0; *length];
                    row.fill(&mut bytes)?;
                    OwnedCell::Bytes(bytes)
                }
                Blob => OwnedCell::Bytes(row.bytes()?),
            })
        };
        let cells = ALL[table].columns.iter().map(cell).collect::<Result<_>>()?;
        Ok(Self { table, cells })
    }

    /// The values of all columns.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        self.cells.iter().map(|it| match it {
            OwnedCell::Null => Cell::Null,
            OwnedCell::Int(number) => Cell::Int(*number),
            OwnedCell::Text(text) => Cell::Text(text),
            OwnedCell::Bytes(bytes) => Cell::Bytes(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::passkeys::passkey_columns;
    use crate::store::rows::{
        access_token_columns, invite_columns, key_columns, letter_columns, record_columns,
        session_columns, user_columns,
    };

    const SQLITE: &str = include_str!("../../schema.sql");
    const MARIADB: &str = include_str!("mysql/schema.sql");

    /// The columns of each table that a schema creates, and which of them refer to users.
    fn created(schema: &str) -> Vec<(&str, Vec<(&str, bool)>)> {
        let mut tables: Vec<(&str, Vec<(&str, bool)>)> = Vec::new();
        for line in schema.lines() {
            let name = line.strip_prefix("CREATE TABLE ").and_then(|it| it.strip_suffix(" ("));
            if let Some(name) = name {
                let name = name.strip_prefix("IF NOT EXISTS ").unwrap_or(name);
                tables.push((name, Vec::new()));
            }
            let word = line.split_whitespace().next().unwrap_or_default();
            let is_column = line.starts_with("    ")
                && word.starts_with(|it: char| it.is_ascii_lowercase())
                && !line.starts_with("     ");
            if let Some((_, columns)) = tables.last_mut().filter(|_| is_column) {
                columns.push((word, line.contains("REFERENCES user (id)")));
            }
        }
        tables
    }

    #[test]
    fn describes_every_table_of_either_schema_with_all_its_columns() {
        for (schema, others) in [(SQLITE, 0), (MARIADB, 1)] {
            let created = created(schema);
            // `counter` of MariaDB, which a copy computes anew.
            assert_eq!(created.len(), ALL.len() + others);
            for table in &ALL {
                let (_, columns) = created.iter().find(|(name, _)| *name == table.name).unwrap();
                let mut names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
                let mut described: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
                names.sort_unstable();
                described.sort_unstable();
                assert_eq!(described, names, "{}", table.name);
                let has_owner = columns.iter().any(|(_, refers)| *refers);
                assert!(others > 0 || has_owner == table.has_owner, "{}", table.name);
                let has_epoch = table.has_owner && names.contains(&"epoch");
                assert_eq!(has_epoch, table.ends_with_credentials, "{}", table.name);
            }
        }
    }

    #[test]
    fn reads_records_in_the_order_of_their_columns() {
        for (columns, name) in [
            (user_columns!(), "user"),
            (key_columns!(), "user_key"),
            (session_columns!(), "user_session"),
            (access_token_columns!(), "access_token"),
            (invite_columns!(), "invite"),
            (letter_columns!(), "mail"),
            (passkey_columns!(), "passkey"),
        ] {
            let table = ALL.iter().find(|it| it.name == name).unwrap();
            let count = columns.split(", ").count();
            assert_eq!(columns, listed(&format!("{name}."), &table.columns[..count]));
        }
        let audit = &ALL[ALL.len() - 1];
        assert_eq!(record_columns!(), listed("audit.", &audit.columns[1..]));
    }
}
