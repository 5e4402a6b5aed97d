//! Bringing people over from another system, so that nobody notices: their passwords work, and they
//! stay signed in.
//!
//! Decides who can come over as they are, who cannot and why, and what the operator is told. Nothing is
//! dropped silently: whatever does not come over is counted, with the reason.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use serde_json::{Map, Value, json};

use crate::clock::Moment;
use crate::log;
use crate::password::PasswordHash;
use crate::store::{
    Arrival, Attribute, Groups, Key, KeyId, Lucia, LuciaKey, LuciaSession, LuciaTables, LuciaUser,
    Place, Progress, Record, Session, Standing, Store, User, UserId,
};
use crate::token::Token;
use crate::users::Username;

/// How long a session may be used that came over, at least, if its own idle end lets it: Lucia knows no
/// absolute end.
const ABSOLUTE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What is to be brought over, and how.
pub struct Order {
    /// The database of Lucia.
    pub file: PathBuf,
    /// Its tables; `None`: they are found by their columns.
    pub tables: Option<LuciaTables>,
    /// Only look.
    pub dry_run: bool,
    /// Leave out who cannot come over as they are.
    pub skip_conflicts: bool,
    /// Report as data.
    pub json: bool,
    /// The server's database.
    pub database: PathBuf,
}

/// What came of it.
pub struct Outcome {
    /// What to print.
    pub report: String,
    /// Why nothing was written although it should have been: one line.
    pub refusal: Option<String>,
}

/// Brings everybody over from a database of Lucia v2, or nobody. An error is one line, and nothing is
/// written then.
///
/// Whoever is here by the same id and name already is left as they are. Sessions that are dead at `now`
/// stay behind.
pub fn lucia(order: &Order, now: Moment, progress: Progress<'_>) -> Result<Outcome, String> {
    let text = |err: crate::store::Error| err.to_string();
    let old = Lucia::read(&order.file, order.tables.clone(), progress).map_err(text)?;
    let mut report = Report { tables: Some(old.tables.clone()), ..Report::default() };
    let arrivals = pack(old, &mut report, now);
    let refused = |report: &Report| !order.skip_conflicts && !report.conflicts.is_empty();
    // Only looking makes no database. (One that is there is opened, and so brought up to date.)
    let only_looks = order.dry_run || refused(&report);
    let store = if only_looks && !order.database.exists() {
        None
    } else {
        Some(Store::open(&order.database).map_err(text)?)
    };
    let standings = match &store {
        None => vec![Standing::New; arrivals.len()],
        Some(store) if only_looks => store.standings(&arrivals).map_err(text)?,
        Some(store) => store.admit(&arrivals, order.skip_conflicts, progress).map_err(text)?,
    };
    for (arrival, standing) in arrivals.iter().zip(&standings) {
        report.count(arrival, standing);
    }
    let refusal = refused(&report).then(|| {
        format!(
            "{} cannot come over as they are, and nothing was written; --skip-conflicts leaves them out",
            many(report.conflicts.len(), "user")
        )
    });
    report.is_written = !order.dry_run && refusal.is_none();
    if let Some(store) = store.filter(|_| report.is_written && report.users.imported > 0) {
        let record = Record::of_program("import", report.facts(), now);
        let kept = store.add_records(&[record]);
        kept.map_err(|err| format!("it is done, but not on record: {err}"))?;
    }
    Ok(Outcome { report: if order.json { report.json() } else { report.text() }, refusal })
}

/// A user of Lucia with all that is theirs.
struct Luggage {
    user: LuciaUser,
    keys: Vec<LuciaKey>,
    sessions: Vec<LuciaSession>,
}

/// Makes ready whoever can come over, and notes in the report who and what cannot.
fn pack(old: Lucia, report: &mut Report, now: Moment) -> Vec<Arrival> {
    let mut all: Vec<_> = old
        .users
        .into_iter()
        .map(|user| Luggage { user, keys: Vec::new(), sessions: Vec::new() })
        .collect();
    let owners: HashMap<String, usize> =
        all.iter().enumerate().map(|(at, it)| (it.user.id.clone(), at)).collect();
    for key in old.keys {
        match owners.get(&key.user_id) {
            Some(&at) => all[at].keys.push(key),
            None => report.keys.leave_out(1, "of no user"),
        }
    }
    for session in old.sessions {
        match owners.get(&session.user_id) {
            Some(&at) => all[at].sessions.push(session),
            None => report.sessions.leave_out(1, "of no user"),
        }
    }
    let arrivals: Vec<_> = all.into_iter().filter_map(|it| arrival(it, report, now)).collect();
    without_collisions(arrivals, report)
}

/// Somebody as they come over. `None` if they cannot; then the report says why.
fn arrival(luggage: Luggage, report: &mut Report, now: Moment) -> Option<Arrival> {
    let (keys, sessions) = (luggage.keys.len(), luggage.sessions.len());
    let (id, shown) = (luggage.user.id.clone(), luggage.user.username.clone());
    match prepare(luggage, report, now) {
        Ok(arrival) => Some(arrival),
        Err(why) => {
            report.refuse(&id, shown.as_deref().unwrap_or_default(), why, keys, sessions);
            None
        }
    }
}

fn prepare(luggage: Luggage, report: &mut Report, now: Moment) -> Result<Arrival, String> {
    let Luggage { user: LuciaUser { id, username, attributes }, keys, sessions } = luggage;
    if id.is_empty() {
        return Err("has an empty id".to_owned());
    }
    let id = UserId::new(id);
    let keys = keys.into_iter().map(|it| key(it, &id)).collect::<Result<Vec<_>, _>>()?;
    let typed = username.filter(|it| !it.is_empty());
    let typed = typed.or_else(|| keys.iter().find_map(|(_, name)| name.clone()));
    let typed = typed.ok_or("has no name")?;
    let username = Username::for_sign_in(&typed).ok_or("has a name of more than 31 characters")?;
    let own = KeyId::username(username.canonical());
    let keys: Vec<_> = keys.into_iter().map(|(key, _)| key).collect();
    for (at, key) in keys.iter().enumerate() {
        if keys[..at].iter().any(|it| it.id == key.id) {
            return Err(format!("has two keys that are one here: {}", key.id.as_str()));
        }
    }
    let mut names = keys.iter().filter(|it| it.id.provider() == "username").peekable();
    if names.peek().is_none() {
        report.notes.add(1, "users without a username key: they cannot sign in by name");
    } else if !names.any(|it| it.id == own) {
        report.notes.add(1, "users who sign in by another name than the one they are shown by");
    }
    let hashes = keys.iter().filter_map(|it| it.hashed_password.as_ref());
    let unreadable = hashes.filter(|it| !it.is_readable()).count();
    report.notes.add(unreadable, "passwords of a kind that is not known: they need new ones");
    let sessions = sessions.into_iter().filter_map(|it| session(&it, &id, report, now)).collect();
    let user = User {
        id,
        username: username.typed().to_owned(),
        canonical_username: username.canonical().to_owned(),
        created_at: now,
        groups: Groups::default(),
        email: String::new(),
        disabled_at: None,
        disabled_reason: String::new(),
    };
    Ok(Arrival { user, attributes: object(attributes), keys, sessions })
}

/// A key, and the name that it gives its user, if it is of that kind: a `username:` key is kept under the
/// canonical name, as sign-in looks for it there.
fn key(old: LuciaKey, user: &UserId) -> Result<(Key, Option<String>), String> {
    let malformed = || format!("has a key without a provider: {}", old.id);
    let (provider, id) = old.id.split_once(':').ok_or_else(malformed)?;
    let mut new = KeyId::new(provider, id).ok_or_else(malformed)?;
    let mut name = None;
    if provider == "username" {
        let username = Username::for_sign_in(id)
            .ok_or("has a username key that is empty or of more than 31 characters")?;
        new = KeyId::username(username.canonical());
        name = Some(id.to_owned());
    }
    let hashed_password = old.hashed_password.map(PasswordHash::from_stored);
    Ok((Key { id: new, user_id: user.clone(), hashed_password }, name))
}

/// A session that lives. `None` if it is dead or its id is no token of ours; the report counts it.
fn session(old: &LuciaSession, user: &UserId, report: &mut Report, now: Moment) -> Option<Session> {
    let idle_expires = Moment::from_millis(old.idle_expires);
    if now > idle_expires {
        report.dead += 1;
        return None;
    }
    let Some(token) = Token::parse(&old.id) else {
        report.sessions.leave_out(1, "with an id that is not 40 characters a-z0-9");
        return None;
    };
    Some(Session {
        id: token.hash(),
        user_id: user.clone(),
        active_expires: Moment::from_millis(old.active_expires).min(idle_expires),
        idle_expires,
        absolute_expires: idle_expires.max(now.after(ABSOLUTE)),
        created_at: now,
        // Nobody has given a password here: what matters most asks for it again.
        proven_at: Moment::from_millis(0),
        seen_at: now,
        place: Place::default(),
    })
}

/// Columns and their values as an object in JSON; empty if there are none.
fn object(attributes: Vec<(String, Attribute)>) -> String {
    if attributes.is_empty() {
        return String::new();
    }
    let value = |it| match it {
        Attribute::Null => Value::Null,
        Attribute::Integer(number) => number.into(),
        Attribute::Real(number) => number.into(),
        Attribute::Text(text) => text.into(),
        Attribute::Bytes(bytes) => Base64::encode_string(&bytes).into(),
    };
    let object: Map<_, _> = attributes.into_iter().map(|(name, it)| (name, value(it))).collect();
    Value::Object(object).to_string()
}

/// Leaves everybody out who has an id, a name, a key or a session in common with somebody else: which of them
/// is meant is not for us to say.
fn without_collisions(arrivals: Vec<Arrival>, report: &mut Report) -> Vec<Arrival> {
    fn claims(it: &Arrival) -> impl Iterator<Item = (String, String)> {
        let claim = |kind: &str, what: &str| (format!("{kind}\n{what}"), format!("{kind} {what}"));
        let id = claim("the id", it.user.id.as_str());
        let own = &it.user.canonical_username;
        // Whom a name lets in and whom it shows must be one person.
        let others = it.keys.iter().map(|key| &key.id).filter(|id| id.provider() == "username");
        let others = others.map(KeyId::provider_user_id).filter(move |name| name != own);
        let names = std::iter::once(own.as_str()).chain(others);
        let names = names.map(move |name| claim("the name", name));
        let keys = it.keys.iter().map(move |key| claim("the key", key.id.as_str()));
        let sessions = it.sessions.iter().map(|session| {
            let handle = session.id.public_handle();
            (format!("session\n{handle}"), "a session".to_owned())
        });
        std::iter::once(id).chain(names).chain(keys).chain(sessions)
    }
    let mut owners: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, it) in arrivals.iter().enumerate() {
        for (claim, _) in claims(it) {
            owners.entry(claim).or_default().push(at);
        }
    }
    let shared = |it: &Arrival| claims(it).find(|(claim, _)| owners[claim].len() > 1);
    let whys: Vec<_> = arrivals.iter().map(shared).collect();
    let mut kept = Vec::with_capacity(arrivals.len());
    for (arrival, why) in arrivals.into_iter().zip(whys) {
        match why {
            None => kept.push(arrival),
            Some((_, what)) => {
                report.refuse_arrival(&arrival, format!("shares {what} with another user"));
            }
        }
    }
    kept
}

/// Why what belongs to somebody stays behind with them.
const OF_CONFLICT: &str = "of users who cannot come over";

/// How many of a kind came over, and how many did not.
#[derive(Default)]
struct Tally {
    imported: usize,
    already_there: usize,
    left_out: Counts,
}

impl Tally {
    fn leave_out(&mut self, count: usize, why: &'static str) {
        self.left_out.add(count, why);
    }

    fn json(&self) -> Value {
        json!({
            "imported": self.imported,
            "already_there": self.already_there,
            "left_out": self.left_out.0,
        })
    }

    fn line(&self, what: &str) -> String {
        let mut line =
            format!("{what:<10}{} imported, {} already there", self.imported, self.already_there);
        for (why, count) in &self.left_out.0 {
            write!(line, ", {count} left out: {why}").expect("a text takes all");
        }
        line + "\n"
    }
}

#[derive(Default)]
struct Counts(BTreeMap<&'static str, usize>);

impl Counts {
    fn add(&mut self, count: usize, what: &'static str) {
        if count > 0 {
            *self.0.entry(what).or_default() += count;
        }
    }
}

/// Somebody who cannot come over as they are.
struct Conflict {
    id: String,
    username: String,
    why: String,
}

/// What the operator is told.
#[derive(Default)]
struct Report {
    tables: Option<LuciaTables>,
    is_written: bool,
    users: Tally,
    keys: Tally,
    sessions: Tally,
    /// Sessions that nobody could use any more.
    dead: usize,
    notes: Counts,
    conflicts: Vec<Conflict>,
}

impl Report {
    fn refuse(&mut self, id: &str, username: &str, why: String, keys: usize, sessions: usize) {
        self.users.leave_out(1, "cannot come over as they are");
        self.keys.leave_out(keys, OF_CONFLICT);
        self.sessions.leave_out(sessions, OF_CONFLICT);
        self.conflicts.push(Conflict { id: id.to_owned(), username: username.to_owned(), why });
    }

    fn refuse_arrival(&mut self, it: &Arrival, why: String) {
        self.refuse(it.user.id.as_str(), &it.user.username, why, it.keys.len(), it.sessions.len());
    }

    fn count(&mut self, it: &Arrival, standing: &Standing) {
        match standing {
            Standing::New => {
                self.users.imported += 1;
                self.keys.imported += it.keys.len();
                self.sessions.imported += it.sessions.len();
            }
            Standing::Here { keys, sessions } => {
                self.users.already_there += 1;
                self.keys.already_there += keys;
                self.sessions.already_there += sessions;
                // Keys may have been deleted and sessions ended since.
                let why = "of users who are here already";
                self.keys.leave_out(it.keys.len() - keys, why);
                self.sessions.leave_out(it.sessions.len() - sessions, why);
            }
            Standing::IdTaken => {
                self.refuse_arrival(it, "has the id of somebody else here".to_owned());
            }
            Standing::NameTaken => {
                self.refuse_arrival(it, "has the name of somebody else here".to_owned());
            }
            Standing::KeyTaken(key) => {
                self.refuse_arrival(
                    it,
                    format!("has a key of somebody else here: {}", key.as_str()),
                );
            }
        }
    }

    /// For the audit trail.
    fn facts(&self) -> String {
        let count = |it: &Tally| it.imported.to_string();
        let counts = [count(&self.users), count(&self.keys), count(&self.sessions)];
        let [users, keys, sessions] = counts.each_ref().map(String::as_str);
        log::fields(&[("from", "lucia"), ("users", users), ("keys", keys), ("sessions", sessions)])
    }

    fn json(&self) -> String {
        let conflict =
            |it: &Conflict| json!({ "id": it.id, "username": it.username, "why": it.why });
        let tables = self
            .tables
            .as_ref()
            .map(|it| json!({ "user": it.user, "user_key": it.key, "user_session": it.session }));
        let data = json!({
            "written": self.is_written,
            "tables": tables,
            "users": self.users.json(),
            "keys": self.keys.json(),
            "sessions": self.sessions.json(),
            "dead_sessions": self.dead,
            "notes": self.notes.0,
            "conflicts": self.conflicts.iter().map(conflict).collect::<Vec<_>>(),
        });
        format!("{data}\n")
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for it in &self.conflicts {
            let who = if it.username.is_empty() { &it.id } else { &it.username };
            let line = format!("user {who} ({}) {}", it.id, it.why);
            text += &line.replace(char::is_control, "\u{fffd}");
            text.push('\n');
        }
        text += &self.users.line("users");
        text += &self.keys.line("keys");
        text += &self.sessions.line("sessions");
        writeln!(text, "dead      {} sessions, left behind", self.dead).expect("a text takes all");
        for (what, count) in &self.notes.0 {
            writeln!(text, "note      {count} {what}").expect("a text takes all");
        }
        if !self.is_written {
            text += "Nothing was written.\n";
        }
        text
    }
}

fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
