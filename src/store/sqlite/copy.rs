//! Every row of every table, to another database and from one.

use rusqlite::{Connection, Transaction};

use super::access_tokens::{self, access_token_at};
use super::audit::{insert_record, record_at};
use super::throttle::{count_at, insert_device, upsert_count};
use super::{
    Fault, Sqlite, WRITE_PATIENCE, file, insert_key, insert_session_row, insert_user, invitations,
    key_at, moment_at, names, one_time_tokens, session_at, user_at,
};
use crate::base::token::TokenHash;
use crate::store::progress::tell;
use crate::store::{
    Copies, CountId, Device, Error, HALF_COPIED, INHABITED_TEXT, Progress, READ_TEXTS, Result, Row,
    TABLES, UserId,
};

/// How a table is read: all of it, in the order of its key, which is the one that it is stored in.
struct Reading {
    sql: &'static str,
    row: fn(&rusqlite::Row<'_>) -> rusqlite::Result<Row>,
}

/// As in [`TABLES`].
const READINGS: [Reading; TABLES.len()] = [
    Reading {
        sql: "SELECT name, value FROM secret ORDER BY name",
        row: |it| Ok(Row::Secret { name: it.get(0)?, value: it.get(1)? }),
    },
    Reading {
        sql: "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                     disabled_reason, attributes, epoch
                FROM user ORDER BY id",
        row: |it| {
            Ok(Row::User { user: user_at(it, 0)?, attributes: it.get(8)?, epoch: it.get(9)? })
        },
    },
    Reading {
        sql: "SELECT id, user_id, hashed_password FROM user_key ORDER BY id",
        row: |it| Ok(Row::Key(key_at(it, 0)?)),
    },
    Reading {
        sql: "SELECT id, user_id, active_expires, idle_expires, absolute_expires, created_at, proven_at,
                     seen_at, is_transient, browser, address, epoch
                FROM user_session ORDER BY id",
        row: |it| Ok(Row::Session { session: session_at(it, 0)?, epoch: it.get(11)? }),
    },
    Reading {
        sql: "SELECT id, user_id, name, created_at, expires_at, used_at, epoch
                FROM access_token ORDER BY id",
        row: |it| Ok(Row::AccessToken { token: access_token_at(it, 0)?, epoch: it.get(6)? }),
    },
    Reading {
        sql: "SELECT id, user_id, purpose, created_at, expires_at, detail, epoch
                FROM one_time_token ORDER BY id",
        row: |it| {
            Ok(Row::OneTimeToken { token: one_time_tokens::token_at(it)?, epoch: it.get(6)? })
        },
    },
    Reading {
        sql: "SELECT id, note, group_names, uses_left, is_first, created_at, expires_at
                FROM invite ORDER BY id",
        row: |it| Ok(Row::Invite(invitations::invite_at(it)?)),
    },
    Reading {
        sql: "SELECT id, user_id, expires_at FROM resting_name ORDER BY id",
        row: |it| Ok(Row::RestingName(names::resting_name_at(it)?)),
    },
    Reading {
        sql: "SELECT id, user_id, last_used_at FROM device ORDER BY id, user_id",
        row: |it| {
            Ok(Row::Device(Device {
                id: TokenHash::from_bytes(it.get(0)?),
                user_id: UserId(it.get(1)?),
                last_used_at: moment_at(it, 2)?,
            }))
        },
    },
    Reading {
        sql: "SELECT failures, last_at, until, id FROM throttle ORDER BY id",
        row: |it| Ok(Row::Count { id: CountId(it.get(3)?), count: count_at(it)? }),
    },
    Reading {
        sql: "SELECT id, at, event, user_id, address, session, request, detail
                FROM audit ORDER BY id",
        row: |it| Ok(Row::Record { number: it.get(0)?, record: record_at(it, 1)? }),
    },
];

impl Copies for Sqlite {
    // LIMIT: the log grows as long as this goes on, as nothing that was written since is folded into the
    // file.
    fn each_row(
        &self,
        progress: Progress<'_>,
        each: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        let conn = self.open_reader()?;
        // One view of the whole file.
        let tx = conn.unchecked_transaction().map_err(Fault::from)?;
        for (table, what) in READINGS.iter().zip(READ_TEXTS) {
            show(&tx, table, what, progress, each)?;
        }
        Ok(())
    }

    fn begin_copy(&self) -> Result<()> {
        let begun = self.write(WRITE_PATIENCE, |tx| {
            if invitations::has_users(tx)? && !file::is_half_copied(tx)? {
                return Err(Fault::Error(Error::Broken(INHABITED_TEXT.to_owned())));
            }
            // Whoever refers to others goes before them. The key for handles stays until another one takes
            // its place, as no database is without it.
            tx.execute_batch(
                "DELETE FROM audit;
                 DELETE FROM throttle;
                 DELETE FROM device;
                 DELETE FROM resting_name;
                 DELETE FROM invite;
                 DELETE FROM one_time_token;
                 DELETE FROM access_token;
                 DELETE FROM user_session;
                 DELETE FROM user_key;
                 DELETE FROM user;
                 DELETE FROM secret WHERE name <> 'handle';",
            )?;
            tx.execute(
                "INSERT INTO secret (name, value) VALUES (?1, zeroblob(32))",
                [HALF_COPIED],
            )?;
            Ok(())
        });
        Ok(begun?)
    }

    fn add_rows(&self, rows: &[Row]) -> Result<()> {
        let added = self.write(WRITE_PATIENCE, |tx| {
            for row in rows {
                insert(tx, row).map_err(|fault| {
                    let say = |cause| format!("a row of {} cannot be added: {cause}", row.table());
                    Fault::Error(Error::from(fault).saying(say))
                })?;
            }
            Ok(())
        });
        Ok(added?)
    }

    fn end_copy(&self) -> Result<()> {
        let ended = self.write(WRITE_PATIENCE, |tx| {
            tx.execute("DELETE FROM secret WHERE name = ?1", [HALF_COPIED])?;
            Ok(())
        });
        Ok(ended?)
    }

    fn rows(&self) -> Result<Vec<(&'static str, u64)>> {
        let counts: [u64; TABLES.len()] = self.read(|conn| {
            conn.query_row(
                "SELECT (SELECT count(*) FROM secret WHERE name <> ?1),
                        (SELECT count(*) FROM user),
                        (SELECT count(*) FROM user_key),
                        (SELECT count(*) FROM user_session),
                        (SELECT count(*) FROM access_token),
                        (SELECT count(*) FROM one_time_token),
                        (SELECT count(*) FROM invite),
                        (SELECT count(*) FROM resting_name),
                        (SELECT count(*) FROM device),
                        (SELECT count(*) FROM throttle),
                        (SELECT count(*) FROM audit)",
                [HALF_COPIED],
                |row| {
                    let mut counts = [0; TABLES.len()];
                    for (at, count) in counts.iter_mut().enumerate() {
                        *count = row.get::<_, i64>(at)?.unsigned_abs();
                    }
                    Ok(counts)
                },
            )
        })?;
        Ok(TABLES.into_iter().zip(counts).collect())
    }
}

fn show(
    conn: &Connection,
    table: &Reading,
    what: &str,
    progress: Progress<'_>,
    each: &mut dyn FnMut(Row) -> Result<()>,
) -> std::result::Result<(), Fault> {
    let mut statement = conn.prepare(table.sql)?;
    let mut rows = statement.query([])?;
    let mut shown = 0;
    while let Some(row) = rows.next()? {
        each((table.row)(row)?).map_err(Fault::Error)?;
        shown += 1;
        tell(progress, what, shown);
    }
    Ok(())
}

fn insert(tx: &Transaction<'_>, row: &Row) -> std::result::Result<(), Fault> {
    match row {
        Row::Secret { name, value } => {
            tx.prepare_cached(
                "INSERT INTO secret (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = ?2",
            )?
            .execute((name, value))?;
        }
        Row::User { user, attributes, epoch } => {
            insert_user(tx, user)?;
            tx.prepare_cached("UPDATE user SET attributes = ?2, epoch = ?3 WHERE id = ?1")?
                .execute((user.id.as_str(), attributes, epoch))?;
        }
        Row::Key(key) => insert_key(tx, key)?,
        Row::Session { session, epoch } => {
            insert_session_row(tx, session)?;
            tx.prepare_cached("UPDATE user_session SET epoch = ?2 WHERE id = ?1")?
                .execute((session.id.as_bytes(), epoch))?;
        }
        Row::AccessToken { token, epoch } => access_tokens::insert(tx, token, Some(*epoch))?,
        Row::OneTimeToken { token, epoch } => one_time_tokens::insert(tx, token, Some(*epoch))?,
        Row::Invite(invite) => invitations::insert(tx, invite)?,
        Row::RestingName(name) => names::upsert(tx, name)?,
        Row::Device(device) => insert_device(tx, device)?,
        Row::Count { id, count } => upsert_count(tx, *id, *count)?,
        Row::Record { number, record } => insert_record(tx, Some(*number), record)?,
    }
    Ok(())
}
