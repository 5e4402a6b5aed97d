//! `vestibule audit`: what happened that matters for security, as the server and the commands keep it.

use std::collections::HashMap;
use std::io::Write;
use std::thread;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Map, Value, json};

use super::account_values;
use super::find::ids_on_record;
use super::moments::{self, WrittenMoment};
use super::serve::parse::number;
use super::table::{Columns, takes_cells};
use super::{Access, Failure, lines, open};
use crate::auth::audit;
use crate::auth::events::{Audited, Event};
use crate::auth::record_fields::RecordField;
use crate::base::clock::Moment;
use crate::base::log_fields;
use crate::cli::database::DatabaseArgs;
use crate::store::{ListedRecord, Record, RecordFilter, Store};
use crate::web::json;

/// `vestibule audit`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule audit --since 2h\n  \
    vestibule audit --user anna --event login_fail --event throttled\n  \
    vestibule audit --since 2026-11-20 --until 2026-11-22 --json\n  \
    # the last twenty records, and then every new one\n  \
    vestibule audit --limit 20 --follow\n\n\
    A time is given as a date, as a date with a time (in UTC, unless it ends with an offset such as +01:00), or as \
    how long ago it was, such as 2h.")]
pub struct AuditArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// Only records from this time on. [default: the last 24 hours, or with --user, --event, --until or --limit all
    /// records]
    #[arg(long, value_name = "DATE|TIME|DURATION", value_parser = moments::read)]
    since: Option<WrittenMoment>,

    /// Only records up to this time; a date includes the whole day.
    #[arg(long, value_name = "DATE|TIME|DURATION", value_parser = moments::read)]
    #[arg(conflicts_with = "follow")]
    until: Option<WrittenMoment>,

    /// Only records about this user: a name in any spelling, or an id. Deleted and renamed users are found by their
    /// former names.
    #[arg(long, value_name = "NAME", value_parser = account_values::user)]
    user: Option<String>,

    /// Only records of this event; may be repeated.
    #[arg(long, value_name = "EVENT", value_parser = event_parser())]
    #[arg(hide_possible_values = true)]
    event: Vec<Event>,

    /// Only the latest records, at most this many.
    #[arg(long, value_name = "COUNT", value_parser = number::<1, { u32::MAX }>)]
    limit: Option<u32>,

    /// Keep printing new records until interrupted.
    #[arg(long)]
    follow: bool,
}

/// Records that are read at once.
const PAGE: u32 = 1_000;

/// How often new records are looked for.
const PAUSE: Duration = Duration::from_millis(500);

/// Where to begin without any condition.
const LATELY: Duration = Duration::from_secs(24 * 60 * 60);

/// `vestibule audit`: a line for each record. Returns at the end, when nothing more can be written to
/// `out`, or with one line about why it cannot go on.
pub(super) fn run(
    flags: &AuditArgs,
    as_json: bool,
    out: &mut dyn Write,
    now: Moment,
) -> Result<(), Failure> {
    let (since, until) = span(flags, now).map_err(Failure::usage)?;
    let store = open(&flags.database, Access::Read)?;
    let filter = RecordFilter { since, until, ..filter(&*store, flags)? };
    let mut printer = Printer { store: &*store, out, columns: None, handles: HashMap::new() };
    let mut last = 0;
    if let Some(limit) = flags.limit {
        let mut latest = store.latest_records(&filter, limit).map_err(|err| err.to_string())?;
        latest.reverse();
        last = latest.iter().map(|it| it.number).max().unwrap_or(0);
        if !printer.print(&latest, as_json)? || !flags.follow {
            printer.end(as_json);
            return Ok(());
        }
    }
    loop {
        let page = store.records_after(&filter, last, PAGE).map_err(|err| err.to_string())?;
        last = page.last().map_or(last, |it| it.number);
        if !printer.print(&page, as_json)? {
            return Ok(());
        }
        match (page.len() < PAGE as usize, flags.follow) {
            (true, false) => break,
            (true, true) => thread::sleep(PAUSE),
            (false, _) => {}
        }
    }
    printer.end(as_json);
    Ok(())
}

/// The first moment and the last one of which records are asked for. An error is one line.
fn span(flags: &AuditArgs, now: Moment) -> Result<(Moment, Moment), String> {
    let is_narrow = flags.user.is_some()
        || !flags.event.is_empty()
        || flags.until.is_some()
        || flags.limit.is_some();
    let since = match flags.since {
        Some(since) => since.start(now),
        None if is_narrow => Moment::from_millis(i64::MIN),
        None => now.before(LATELY),
    };
    let until = flags.until.map_or(Moment::from_millis(i64::MAX), |it| it.end(now));
    if until < since {
        return Err("--until is before --since".to_owned());
    }
    Ok((since, until))
}

/// Which records are asked for, of whatever time.
fn filter(store: &dyn Store, flags: &AuditArgs) -> Result<RecordFilter, String> {
    let (since, until) = (Moment::from_millis(i64::MIN), Moment::from_millis(i64::MAX));
    let user_ids = match &flags.user {
        Some(user) => ids_on_record(store, user)?,
        None => Vec::new(),
    };
    let events = flags.event.iter().map(|it| it.name()).collect();
    Ok(RecordFilter { since, until, user_ids, events })
}

/// Prints records, each on a line.
struct Printer<'a> {
    store: &'a dyn Store,
    out: &'a mut dyn Write,
    /// `None`: nothing is printed yet.
    columns: Option<Columns>,
    /// The handles of the names that deleted users had, by their ids.
    handles: HashMap<String, Option<String>>,
}

impl Printer<'_> {
    /// Prints these records, and before the first ones the headings. `false`: nothing more can be written.
    fn print(&mut self, records: &[ListedRecord], as_json: bool) -> Result<bool, String> {
        let named = records.iter().map(|it| Ok((it, self.handle(it)?)));
        let named = named.collect::<Result<Vec<_>, String>>()?;
        let mut text = String::new();
        if as_json {
            text = lines(named.iter().map(|(it, handle)| data(it, handle.as_deref())));
        } else if !named.is_empty() {
            let rows: Vec<_> =
                named.iter().map(|(it, handle)| row(it, handle.as_deref())).collect();
            let columns = self.columns.get_or_insert_with(|| {
                let headings = ["time", "event", "user", "id", "address", "session", "detail"];
                let mut columns = Columns::of(&headings);
                for row in &rows {
                    columns.widen(row);
                }
                text.push_str(&columns.heading());
                columns
            });
            for row in &rows {
                columns.write(row, &mut text);
            }
        }
        Ok(self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).is_ok())
    }

    /// Says so if there was nothing to print.
    fn end(&mut self, as_json: bool) {
        if !as_json && self.columns.is_none() {
            // What cannot be written is told at the end.
            let _ = self.out.write_all(b"no records\n");
        }
    }

    /// The handle of the name of the deleted user whom a record is about, as far as it is on record.
    fn handle(&mut self, it: &ListedRecord) -> Result<Option<String>, String> {
        let Some(id) = it.record.user_id.as_ref().filter(|_| is_of_deleted(it)) else {
            return Ok(None);
        };
        if let Some(known) = self.handles.get(id) {
            return Ok(known.clone());
        }
        let handle = audit::last_name_handle(self.store, id).map_err(|err| err.to_string())?;
        self.handles.insert(id.clone(), handle.clone());
        Ok(handle)
    }
}

/// Whether a record is about a user who is deleted.
const fn is_of_deleted(it: &ListedRecord) -> bool {
    it.record.user_id.is_some() && it.username.is_none()
}

/// The cells of a record; `handle` is that of the name of a deleted user.
fn row(it: &ListedRecord, handle: Option<&str>) -> Vec<String> {
    let Record { at, event, user_id, address, session, detail, .. } = &it.record;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let user = match &it.username {
        Some(name) => name.clone(),
        None if is_of_deleted(it) => format!("{} (deleted)", handle.unwrap_or_default()),
        None => String::new(),
    };
    let mut row = vec![at.rfc3339(), event.clone(), user.trim_start().to_owned()];
    row.extend([text(user_id), text(address), text(session), readable(detail)]);
    row
}

/// The fields of a record with the characters of all scripts as they are. What could disturb a terminal stays escaped.
fn readable(detail: &str) -> String {
    let mut parts = detail.split("\\u{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Behind a backslash that is one itself, it is text that looks so.
        let backslashes = text.len() - text.trim_end_matches('\\').len();
        let code = part.split_once('}').filter(|_| backslashes.is_multiple_of(2));
        let letter = code.and_then(|(code, rest)| {
            let letter = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
            // What takes no cell is a part of another character, or changes the direction of the text.
            takes_cells(letter).then_some((letter, rest))
        });
        if let Some((letter, rest)) = letter {
            text.push(letter);
            text.push_str(rest);
        } else {
            text.push_str("\\u{");
            text.push_str(part);
        }
    }
    text
}

/// A record as a script gets to see it; `handle` is that of the name of a deleted user.
fn data(it: &ListedRecord, handle: Option<&str>) -> Value {
    let Record { at, event, user_id, address, session, request, detail } = &it.record;
    let fields = fields(detail);
    let browser = fields.get(audit::BROWSER).and_then(Value::as_str).unwrap_or_default();
    let mut data = json::record(*at, event, browser, address.as_deref());
    let of_operators = json!({
        "user_id": user_id,
        "username": it.username,
        // As it was called before.
        "user": it.username,
        "user_is_deleted": is_of_deleted(it),
        "name_handle": handle,
        "session": session,
        "request": request,
        "detail": detail,
        "fields": fields,
    });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), of_operators) {
        data.extend(more);
    }
    data
}

/// The fields of a record, numbers as numbers.
fn fields(detail: &str) -> Map<String, Value> {
    let value = |name: &str, text: String| match text.parse::<u64>() {
        Ok(number) if RecordField::is_number(name) => number.into(),
        Ok(_) | Err(_) => Value::String(text),
    };
    log_fields::read(detail)
        .into_iter()
        .map(|(name, text)| {
            let value = value(&name, text);
            (name, value)
        })
        .collect()
}

/// The events of the audit log, by their names.
fn event_parser() -> impl TypedValueParser<Value = Event> {
    let kept = || Event::ALL.iter().copied().filter(|it| it.audited() != Audited::Never);
    let find = move |name: String| kept().find(|it| it.name() == name);
    PossibleValuesParser::new(kept().map(Event::name))
        .try_map(move |name| find(name).ok_or("there is no such event"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_letters_as_they_are_and_nothing_that_disturbs_a_terminal() {
        for (detail, expected) in [
            ("name=anna by=root", "name=anna by=root"),
            (r#"name="\u{5c71}\u{eb}x" by=root"#, "name=\"\u{5c71}\u{eb}x\" by=root"),
            (r#"note="\u{202e}\u{1b}[2J\n""#, r#"note="\u{202e}\u{1b}[2J\n""#),
            (r#"name="\u{1f46a}\u{e9}" x"#, "name=\"\u{1f46a}\u{e9}\" x"),
            (r#"note="\u{301}\u{200b}""#, r#"note="\u{301}\u{200b}""#),
            (r#"name="\\u{5c71}""#, r#"name="\\u{5c71}""#),
            (r#"name="\\\u{5c71}""#, "name=\"\\\\\u{5c71}\""),
            (r#"note="\u{zz}} \u{5c71""#, r#"note="\u{zz}} \u{5c71""#),
            ("", ""),
        ] {
            assert_eq!(readable(detail), expected, "{detail}");
        }
    }

    #[test]
    fn tells_numbers_as_numbers_and_names_of_digits_as_texts() {
        let fields = Value::Object(fields("name=1234 sessions=2 keys=x"));
        assert_eq!(fields, json!({ "name": "1234", "sessions": 2, "keys": "x" }));
    }
}
