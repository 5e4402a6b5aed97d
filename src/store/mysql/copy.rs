//! Every row of every table, to another database and from one.

use mysql::prelude::Queryable;
use mysql::{Params, Value};

use super::access_tokens::access_token_at;
use super::audit::{record_at, record_values};
use super::bulk::{Columns, KEY, SESSION, USER, key_values, user_values};
use super::invitations::invite_at;
use super::names::{resting_name_at, resting_name_values};
use super::throttle::count_at;
use super::{
    Answer, Fault, Mysql, Unit, blob, bytes, get, key_at, moment, one_time_tokens, rows_of_marks,
    session_at, session_values, token_hash, user_at,
};
use crate::base::clock::Moment;
use crate::store::progress::tell;
use crate::store::{
    Copies, CountId, Device, Error, HALF_COPIED, INHABITED_TEXT, Progress, READ_TEXTS, Result, Row,
    TABLES, UserId,
};

/// Rows that are deleted in one transaction.
const DELETED_AT_ONCE: u32 = 5_000;

/// How a table is read, in the order of its key, which is the one that it is stored in: an answer that has
/// to be sorted first comes too late.
struct Reading {
    sql: &'static str,
    /// The column with the id of the user whose it is. What belongs to nobody is left out: its user was
    /// deleted while it was written on another server.
    owner: Option<usize>,
    row: fn(&mut mysql::Row) -> Answer<Row>,
}

/// As in [`TABLES`].
const READINGS: [Reading; TABLES.len()] = [
    Reading {
        sql: "SELECT name, value FROM secret ORDER BY name",
        owner: None,
        row: |it| Ok(Row::Secret { name: get(it, 0)?, value: bytes(it, 1)? }),
    },
    Reading {
        sql: "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                     disabled_reason, attributes, epoch
                FROM user ORDER BY id",
        owner: None,
        row: |it| {
            Ok(Row::User { user: user_at(it, 0)?, attributes: get(it, 8)?, epoch: get(it, 9)? })
        },
    },
    Reading {
        sql: "SELECT user_key.id, user_id, hashed_password, user.id
                FROM user_key LEFT JOIN user ON user.id = user_key.user_id
               ORDER BY user_key.id",
        owner: Some(3),
        row: |it| Ok(Row::Key(key_at(it, 0)?)),
    },
    Reading {
        sql: "SELECT user_session.id, user_id, active_expires, idle_expires,
                     absolute_expires, user_session.created_at, proven_at, seen_at,
                     is_transient, browser, address, user_session.epoch, user.id
                FROM user_session LEFT JOIN user ON user.id = user_session.user_id
               ORDER BY user_session.id",
        owner: Some(12),
        row: |it| Ok(Row::Session { session: session_at(it, 0)?, epoch: get(it, 11)? }),
    },
    Reading {
        sql: "SELECT access_token.id, user_id, name, access_token.created_at, expires_at,
                     used_at, access_token.epoch, user.id
                FROM access_token LEFT JOIN user ON user.id = access_token.user_id
               ORDER BY access_token.id",
        owner: Some(7),
        row: |it| Ok(Row::AccessToken { token: access_token_at(it, 0)?, epoch: get(it, 6)? }),
    },
    Reading {
        sql: "SELECT one_time_token.id, user_id, purpose, one_time_token.created_at, expires_at,
                     detail, one_time_token.epoch, user.id
                FROM one_time_token LEFT JOIN user ON user.id = one_time_token.user_id
               ORDER BY one_time_token.id",
        owner: Some(7),
        row: |it| {
            Ok(Row::OneTimeToken { token: one_time_tokens::token_at(it)?, epoch: get(it, 6)? })
        },
    },
    Reading {
        sql: "SELECT id, note, group_names, uses_left, is_first, created_at, expires_at
                FROM invite ORDER BY id",
        owner: None,
        row: |it| Ok(Row::Invite(invite_at(it)?)),
    },
    Reading {
        sql: "SELECT id, user_id, expires_at FROM resting_name ORDER BY id",
        owner: None,
        row: |it| Ok(Row::RestingName(resting_name_at(it)?)),
    },
    Reading {
        sql: "SELECT device.id, user_id, last_used_at, user.id
                FROM device LEFT JOIN user ON user.id = device.user_id
               ORDER BY device.id, user_id",
        owner: Some(3),
        row: |it| {
            Ok(Row::Device(Device {
                id: token_hash(it, 0)?,
                user_id: UserId(get(it, 1)?),
                last_used_at: moment(it, 2)?,
            }))
        },
    },
    Reading {
        sql: "SELECT failures, last_at, until, id FROM throttle ORDER BY id",
        owner: None,
        row: |it| Ok(Row::Count { id: CountId(bytes(it, 3)?), count: count_at(it)? }),
    },
    Reading {
        sql: "SELECT id, at, event, user_id, address, session, request, detail
                FROM audit ORDER BY id",
        owner: None,
        row: |it| Ok(Row::Record { number: get(it, 0)?, record: record_at(it, 1)? }),
    },
];

impl Copies for Mysql {
    fn each_row(
        &self,
        progress: Progress<'_>,
        each: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        self.as_of_now(|unit| {
            for (table, what) in READINGS.iter().zip(READ_TEXTS) {
                show(unit, table, what, progress, each)?;
            }
            Ok(())
        })
    }

    fn begin_copy(&self) -> Result<()> {
        self.write(|unit| {
            let is_half = unit.exists("SELECT 1 FROM secret WHERE name = ?", (HALF_COPIED,))?;
            if !is_half && unit.exists("SELECT 1 FROM user LIMIT 1", ())? {
                return Err(Fault::Error(Error::Broken(INHABITED_TEXT.to_owned())));
            }
            unit.run(
                "INSERT INTO secret (name, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = name",
                (HALF_COPIED, blob(&[0; 32])),
            )?;
            unit.run("DELETE FROM secret WHERE name NOT IN ('handle', ?)", (HALF_COPIED,))
        })?;
        // In steps, as a cluster stands still while it takes in a large transaction: nobody can use any of
        // it meanwhile.
        for table in TABLES.iter().rev().filter(|it| **it != "secret") {
            let sql = format!("DELETE FROM {table} LIMIT {DELETED_AT_ONCE}");
            while self.write(|unit| unit.run(&sql, ()))? > 0 {}
        }
        Ok(())
    }

    fn add_rows(&self, rows: &[Row]) -> Result<()> {
        let added = self.write(|unit| {
            for some in rows.chunk_by(|one, other| one.table() == other.table()) {
                insert(unit, some).map_err(|fault| saying(fault, some[0].table()))?;
            }
            Ok(())
        });
        Ok(added?)
    }

    fn end_copy(&self) -> Result<()> {
        Ok(self.write(|unit| {
            unit.run(
                "UPDATE counter SET value = (SELECT IFNULL(MAX(id), 0) FROM audit)
                  WHERE name = 'audit'",
                (),
            )?;
            unit.run("DELETE FROM secret WHERE name = ?", (HALF_COPIED,)).map(drop)
        })?)
    }

    fn rows(&self) -> Result<Vec<(&'static str, u64)>> {
        self.read(|unit| {
            let mut counts = Vec::with_capacity(TABLES.len());
            for table in TABLES {
                let found = match table {
                    "secret" => {
                        unit.first("SELECT count(*) FROM secret WHERE name <> ?", (HALF_COPIED,))?
                    }
                    _ => unit.first(&format!("SELECT count(*) FROM {table}"), ())?,
                };
                counts.push((table, found.map_or(Ok(0), |mut row| get(&mut row, 0))?));
            }
            Ok(counts)
        })
    }
}

/// Whether a copy into it has begun and has not ended.
pub(super) fn is_half_copied(store: &Mysql) -> Result<bool> {
    store.read(|unit| unit.exists("SELECT 1 FROM secret WHERE name = ?", (HALF_COPIED,)))
}

/// Shows the rows of a table as they arrive.
fn show(
    unit: &mut Unit<'_>,
    table: &Reading,
    what: &str,
    progress: Progress<'_>,
    each: &mut dyn FnMut(Row) -> Result<()>,
) -> Answer<()> {
    let mut shown = 0;
    for row in unit.conn.exec_iter(table.sql, ())? {
        let mut row = row?;
        if let Some(owner) = table.owner
            && get::<Option<String>>(&mut row, owner)?.is_none()
        {
            continue;
        }
        each((table.row)(&mut row)?).map_err(Fault::Error)?;
        shown += 1;
        tell(progress, what, shown);
    }
    Ok(())
}

/// What is wrong with a row that cannot be added; what may pass stays what it is.
fn saying(fault: Fault, table: &str) -> Fault {
    match fault {
        fault @ (Fault::Away { .. } | Fault::Lost(_)) => fault,
        fault => {
            let say = |cause| format!("a row of {table} cannot be added: {cause}");
            Fault::Error(Error::from(fault).saying(say))
        }
    }
}

/// Adds rows of one table with one statement. If they may be there already, those that are stay.
fn insert(unit: &mut Unit<'_>, rows: &[Row]) -> Answer<()> {
    let (table, columns): Columns = match rows[0] {
        Row::Secret { .. } => ("secret (name, value)", 2),
        Row::User { .. } => USER,
        Row::Key(_) => KEY,
        Row::Session { .. } => SESSION,
        Row::AccessToken { .. } => {
            ("access_token (id, user_id, name, created_at, expires_at, used_at, epoch)", 7)
        }
        Row::OneTimeToken { .. } => {
            ("one_time_token (id, user_id, purpose, created_at, expires_at, detail, epoch)", 7)
        }
        Row::Invite(_) => {
            ("invite (id, note, group_names, uses_left, is_first, created_at, expires_at)", 7)
        }
        Row::RestingName(_) => ("resting_name (id, user_id, expires_at)", 3),
        Row::Device(_) => ("device (id, user_id, last_used_at)", 3),
        Row::Count { .. } => ("throttle (id, failures, last_at, until)", 4),
        Row::Record { .. } => {
            ("audit (id, at, event, user_id, address, session, request, detail)", 8)
        }
    };
    let present = match rows[0] {
        Row::Secret { .. } => "ON DUPLICATE KEY UPDATE value = VALUES(value)",
        Row::Device(_) if unit.is_again => "ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)",
        _ if unit.is_again => "ON DUPLICATE KEY UPDATE id = VALUES(id)",
        _ => "",
    };
    let marks = rows_of_marks(rows.len(), columns);
    let values: Vec<Value> = rows.iter().flat_map(values).collect();
    unit.run(&format!("INSERT INTO {table} VALUES {marks} {present}"), Params::Positional(values))?;
    Ok(())
}

fn values(row: &Row) -> Vec<Value> {
    match row {
        Row::Secret { name, value } => vec![name.as_str().into(), blob(value)],
        Row::User { user, attributes, epoch } => user_values(user, attributes, *epoch),
        Row::Key(key) => key_values(key),
        Row::Session { session, epoch } => {
            let mut values = session_values(session);
            values.push((*epoch).into());
            values
        }
        Row::AccessToken { token, epoch } => vec![
            blob(token.id.as_bytes()),
            token.user_id.as_str().into(),
            token.name.as_str().into(),
            token.created_at.millis().into(),
            token.expires_at.millis().into(),
            token.used_at.map(Moment::millis).into(),
            (*epoch).into(),
        ],
        Row::OneTimeToken { token, epoch } => vec![
            blob(token.id.as_bytes()),
            token.user_id.as_str().into(),
            token.purpose.as_str().into(),
            token.created_at.millis().into(),
            token.expires_at.millis().into(),
            token.detail.as_str().into(),
            (*epoch).into(),
        ],
        Row::Invite(it) => vec![
            blob(it.id.as_bytes()),
            it.note.as_str().into(),
            it.groups.as_str().into(),
            it.uses_left.into(),
            it.is_first.into(),
            it.created_at.millis().into(),
            it.expires_at.millis().into(),
        ],
        Row::RestingName(it) => resting_name_values(it).into(),
        Row::Device(it) => vec![
            blob(it.id.as_bytes()),
            it.user_id.as_str().into(),
            it.last_used_at.millis().into(),
        ],
        Row::Count { id, count } => vec![
            blob(&id.0),
            count.failures.into(),
            count.last_at.millis().into(),
            count.until.millis().into(),
        ],
        Row::Record { number, record } => record_values(*number, record).into(),
    }
}
