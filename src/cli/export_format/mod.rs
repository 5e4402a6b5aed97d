//! Users as lines of JSON: what `vestibule export` writes and `vestibule import vestibule` reads.
//!
//! Decides the format. The first line describes the file, each line after it is a user with keys and sessions, and
//! the last one has the totals, so that a file that was cut short is recognised. Times are in milliseconds since
//! 1970, as in the database; hashes of tokens are in hex.

mod passkey;

use serde_json::{Map, Value, json};

use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::sealing::StoredSecret;
use crate::base::token::{self, TokenHash};
use crate::base::totp::TotpSecret;
use crate::store::{
    ClientInfo, ExportedUser, Groups, Key, KeyId, SecondFactor, Session, Totp, User, UserId,
};

/// The version of the format. A program that knows only lower ones must not read the file.
const FORMAT: u64 = 1;

/// How deep attributes may nest to be written as an object; readers of JSON give up at 128.
const DEPTH_MAX: usize = 100;

/// Bytes of a line, at most.
pub const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The totals of an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExportCounts {
    /// People.
    pub users: u64,
    /// Their keys.
    pub keys: u64,
    /// Their sessions.
    pub sessions: u64,
}

impl ExportCounts {
    /// Counts a user with their keys and sessions.
    pub fn add(&mut self, it: &ExportedUser) {
        self.users += 1;
        self.keys += it.keys.len() as u64;
        self.sessions += it.sessions.len() as u64;
    }
}

/// The error for a file of a newer format.
pub const NEWER: &str = "a newer vestibule made it";

/// A line of an export. It may hold hashes and so has no `Debug`.
pub enum Line {
    /// The first line.
    Header {
        /// Whether the file contains sessions.
        has_sessions: bool,
    },
    /// A user.
    Person(Box<ExportedUser>),
    /// The last line.
    End(ExportCounts),
}

/// The first line.
pub fn header(has_sessions: bool, now: Moment) -> String {
    let about = json!({
        "format": FORMAT,
        "made_at": now.millis(),
        "sessions": has_sessions,
        "version": env!("CARGO_PKG_VERSION"),
    });
    json!({ "vestibule_export": about }).to_string()
}

/// The line of a user. `secret`: that of their app, in the clear.
pub fn person(it: &ExportedUser, secret: Option<&TotpSecret>, has_sessions: bool) -> String {
    let user = &it.user;
    let mut data = json!({
        "id": user.id.as_str(),
        "username": user.username,
        "canonical_username": user.canonical_username,
        "created_at": user.created_at.millis(),
        "groups": user.groups.iter().collect::<Vec<_>>(),
        "email": user.email,
        "disabled_at": user.disabled_at.map(Moment::millis),
        "disabled_reason": user.disabled_reason,
        "attributes": attributes(&it.attributes),
        "keys": it.keys.iter().map(key).collect::<Vec<_>>(),
    });
    // Of a verified address, and of none, nothing is said, so that an older vestibule reads the line.
    if user.verified_email() != user.email {
        data["email_verified"] = false.into();
    }
    // Of the first second factor on, an older vestibule refuses the file rather than leave it out.
    if let (Some(since), Some(factor)) = (user.second_factor_since, &it.second_factor) {
        data["second_factor"] = second_factor(since, factor, secret);
    }
    if !it.passkeys.is_empty() {
        data["passkeys"] = it.passkeys.iter().map(passkey::write).collect();
    }
    if has_sessions {
        data["sessions"] = it.sessions.iter().map(session).collect();
    }
    data.to_string()
}

/// The last line.
pub fn end(counts: &ExportCounts) -> String {
    let ExportCounts { users, keys, sessions } = counts;
    json!({ "end": { "users": users, "keys": keys, "sessions": sessions } }).to_string()
}

/// An object as it is if it is written the way we write one, or else its text: what is read back must
/// be the same to the byte. One that nests so deep that a line with it could not be read stays a text.
fn attributes(text: &str) -> Value {
    match serde_json::from_str::<Map<_, _>>(text) {
        Ok(object) if object.values().all(|it| is_flat(it, DEPTH_MAX)) => {
            let object = Value::Object(object);
            let again = object.to_string();
            if again == text { object } else { text.into() }
        }
        Ok(_) | Err(_) => text.into(),
    }
}

/// Whether nothing in it nests deeper than that.
fn is_flat(value: &Value, depth: usize) -> bool {
    let deeper = |it: &Value| depth > 0 && is_flat(it, depth - 1);
    match value {
        Value::Array(list) => list.iter().all(deeper),
        Value::Object(object) => object.values().all(deeper),
        _ => true,
    }
}

fn second_factor(since: Moment, it: &SecondFactor, secret: Option<&TotpSecret>) -> Value {
    let codes = it.recovery_codes.iter().map(|it| token::hex(it.as_bytes()));
    let mut data = json!({ "since": since.millis(), "recovery_codes": codes.collect::<Vec<_>>() });
    // Without an app it is given with a passkey.
    if let Some((secret, app)) = secret.zip(it.totp.as_ref()) {
        data["totp"] = secret.base32().into();
        data["last_step"] = app.last_step.into();
    }
    data
}

fn key(it: &Key) -> Value {
    let hash = it.hashed_password.as_ref().map(PasswordHash::as_stored);
    json!({ "id": it.id.as_str(), "hashed_password": hash })
}

fn session(it: &Session) -> Value {
    let mut data = json!({
        "id": token::hex(it.id.as_bytes()),
        "active_expires": it.active_expires.millis(),
        "idle_expires": it.idle_expires.millis(),
        "absolute_expires": it.absolute_expires.millis(),
        "created_at": it.created_at.millis(),
        "proven_at": it.proven_at.millis(),
        "seen_at": it.seen_at.millis(),
        "is_transient": it.place.is_transient,
        "browser": it.place.browser,
        "address": it.place.address,
    });
    // An older vestibule reads a session without a second factor.
    if it.second_at != Moment::NEVER {
        data["second_at"] = it.second_at.millis().into();
    }
    data
}

/// Reads a line. An error says what is wrong with it, without repeating anything of it.
///
/// Of two fields with one name the last counts (RFC 8259 § 4), as with every reader of JSON.
pub fn read(text: &str) -> Result<Line, String> {
    let mut fields = Fields::of(serde_json::from_str(text).map_err(|_| "it is no JSON")?)?;
    if let Some(about) = fields.0.remove("vestibule_export") {
        fields.end()?;
        return read_header(Fields::of(about)?);
    }
    if let Some(counts) = fields.0.remove("end") {
        fields.end()?;
        return read_end(Fields::of(counts)?);
    }
    Ok(Line::Person(Box::new(read_person(fields)?)))
}

fn read_header(mut fields: Fields) -> Result<Line, String> {
    let format = fields.take("format", Value::as_u64)?;
    if format != FORMAT {
        return Err(format!("it has the form {format}, and this program knows {FORMAT}: {NEWER}"));
    }
    fields.take("made_at", Value::as_i64)?;
    fields.text("version")?;
    let has_sessions = fields.take("sessions", Value::as_bool)?;
    fields.end()?;
    Ok(Line::Header { has_sessions })
}

fn read_end(mut fields: Fields) -> Result<Line, String> {
    let mut count = |name| fields.take(name, Value::as_u64);
    let (users, keys, sessions) = (count("users")?, count("keys")?, count("sessions")?);
    fields.end()?;
    Ok(Line::End(ExportCounts { users, keys, sessions }))
}

fn read_person(mut fields: Fields) -> Result<ExportedUser, String> {
    let id = UserId::new(fields.text("id")?);
    let groups = fields.list("groups")?.into_iter().map(|it| match it {
        Value::String(name) if !name.contains(',') => Ok(name),
        _ => Err("a group is no name"),
    });
    let groups = groups.collect::<Result<Vec<_>, _>>()?.join(",");
    let email = fields.text("email")?;
    let created_at = fields.moment("created_at")?;
    let is_unverified = fields.0.remove("email_verified").is_some_and(|it| it == false);
    let second = fields.0.remove("second_factor");
    let second = second.map(|it| read_second_factor(Fields::of(it)?, &id)).transpose()?;
    let (second_factor_since, second_factor) = second.unzip();
    let user = User {
        id: id.clone(),
        username: fields.text("username")?,
        canonical_username: fields.text("canonical_username")?,
        created_at,
        groups: Groups::new(groups),
        email_verified_at: (!email.is_empty() && !is_unverified).then_some(created_at),
        email,
        disabled_at: fields.or_null("disabled_at", Value::as_i64)?.map(Moment::from_millis),
        disabled_reason: fields.text("disabled_reason")?,
        second_factor_since,
    };
    let attributes = match fields.take("attributes", |it| Some(it.clone()))? {
        Value::String(text) => text,
        Value::Object(object) => Value::Object(object).to_string(),
        _ => return Err("its attributes are neither an object nor a text".to_owned()),
    };
    let keys = fields.list("keys")?.into_iter().map(|it| read_key(Fields::of(it)?, &id));
    let keys = keys.collect::<Result<_, _>>()?;
    let has_sessions = fields.0.contains_key("sessions");
    let sessions = if has_sessions { fields.list("sessions")? } else { Vec::new() };
    let sessions = sessions.into_iter().map(|it| read_session(Fields::of(it)?, &id));
    let sessions = sessions.collect::<Result<_, _>>()?;
    let passkeys =
        if fields.0.contains_key("passkeys") { fields.list("passkeys")? } else { Vec::new() };
    let passkeys = passkeys.into_iter().map(|it| passkey::read(Fields::of(it)?, &id));
    let passkeys = passkeys.collect::<Result<_, _>>()?;
    fields.end()?;
    Ok(ExportedUser { user, attributes, keys, sessions, second_factor, passkeys })
}

/// Since when there is a second factor, and what it is, with its secret in the clear.
fn read_second_factor(mut fields: Fields, user: &UserId) -> Result<(Moment, SecondFactor), String> {
    let since = fields.moment("since")?;
    let has_app = fields.0.contains_key("totp");
    let totp = has_app.then(|| read_app(&mut fields, user, since)).transpose()?;
    let code = |it: Value| it.as_str().and_then(unhex).map(TokenHash::from_bytes);
    let codes = fields.list("recovery_codes")?.into_iter().map(code);
    let codes: Option<Vec<_>> = codes.collect();
    let recovery_codes = codes.ok_or("the hash of a recovery code is not 64 hex digits")?;
    fields.end()?;
    Ok((since, SecondFactor { totp, recovery_codes }))
}

/// The app of a second factor, with its secret in the clear.
fn read_app(fields: &mut Fields, user: &UserId, since: Moment) -> Result<Totp, String> {
    let secret = TotpSecret::from_base32(&fields.text("totp")?)
        .map_err(|why| format!("the secret of an app {why}"))?;
    Ok(Totp {
        user_id: user.clone(),
        secret: StoredSecret::new(&secret, user.as_str(), None).as_stored().to_vec(),
        last_step: fields.take("last_step", Value::as_i64)?,
        created_at: since,
    })
}

fn read_key(mut fields: Fields, user: &UserId) -> Result<Key, String> {
    let id = fields.text("id")?;
    let id = id.split_once(':').and_then(|(provider, id)| KeyId::new(provider, id));
    let hash = fields.or_null("hashed_password", |it| it.as_str().map(str::to_owned))?;
    fields.end()?;
    Ok(Key {
        id: id.ok_or("a key has no provider")?,
        user_id: user.clone(),
        hashed_password: hash.map(PasswordHash::from_stored),
    })
}

fn read_session(mut fields: Fields, user: &UserId) -> Result<Session, String> {
    let id = unhex(&fields.text("id")?).ok_or("the id of a session is not 64 hex digits")?;
    let session = Session {
        id: TokenHash::from_bytes(id),
        user_id: user.clone(),
        active_expires: fields.moment("active_expires")?,
        idle_expires: fields.moment("idle_expires")?,
        absolute_expires: fields.moment("absolute_expires")?,
        created_at: fields.moment("created_at")?,
        proven_at: fields.moment("proven_at")?,
        seen_at: fields.moment("seen_at")?,
        place: ClientInfo {
            is_transient: fields.take("is_transient", Value::as_bool)?,
            browser: fields.text("browser")?,
            address: fields.text("address")?,
        },
        second_at: if fields.0.contains_key("second_at") {
            fields.moment("second_at")?
        } else {
            Moment::NEVER
        },
    };
    fields.end()?;
    let ends = [session.active_expires, session.idle_expires, session.absolute_expires];
    if ends.is_sorted() {
        Ok(session)
    } else {
        Err("the ends of a session do not follow".to_owned())
    }
}

/// The fields of an object, of which each is taken once, and none may be left: what is not known must
/// not be dropped without a word.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(object) => Ok(Self(object)),
            _ => Err("it is no object in JSON".to_owned()),
        }
    }

    fn take<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<T, String> {
        let value = self.0.remove(name).ok_or_else(|| format!("{name} is missing"))?;
        read(&value).ok_or_else(|| format!("{name} is of another kind than it should be"))
    }

    fn or_null<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        self.take(name, |it| if it.is_null() { Some(None) } else { read(it).map(Some) })
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("{name} is no text")),
            None => Err(format!("{name} is missing")),
        }
    }

    fn list(&mut self, name: &str) -> Result<Vec<Value>, String> {
        match self.0.remove(name) {
            Some(Value::Array(list)) => Ok(list),
            _ => Err(format!("{name} is no list")),
        }
    }

    fn moment(&mut self, name: &str) -> Result<Moment, String> {
        self.take(name, Value::as_i64).map(Moment::from_millis)
    }

    fn end(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(_) => Err("it has a field that is not known here".to_owned()),
        }
    }
}

/// The 32 bytes that 64 hex digits stand for.
fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departure(attributes: &str) -> ExportedUser {
        let moment = Moment::from_millis;
        let id = UserId::new("u\u{0}1".to_owned());
        let user = User {
            id: id.clone(),
            username: "Ann \"x\"\n".to_owned(),
            canonical_username: "ann \"x\"\n".to_owned(),
            created_at: moment(-5),
            groups: Groups::new("a,b".to_owned()),
            email: "a@b".to_owned(),
            email_verified_at: Some(moment(-5)),
            disabled_at: Some(moment(i64::MAX)),
            disabled_reason: "left".to_owned(),
            second_factor_since: None,
        };
        let hash = Some(PasswordHash::from_stored("$x".to_owned()));
        let key = |name: &str, hashed_password| Key {
            id: KeyId::new("email", name).unwrap(),
            user_id: id.clone(),
            hashed_password,
        };
        let keys = vec![key("a:b", hash), key("", None)];
        let session = Session {
            id: TokenHash::from_bytes([0xab; 32]),
            user_id: id.clone(),
            active_expires: moment(1),
            idle_expires: moment(1),
            absolute_expires: moment(i64::MAX),
            created_at: moment(0),
            proven_at: moment(3),
            seen_at: moment(4),
            place: ClientInfo {
                browser: "Firefox".to_owned(),
                address: "::1".to_owned(),
                is_transient: true,
            },
            second_at: Moment::NEVER,
        };
        let attributes = attributes.to_owned();
        let passkeys = Vec::new();
        ExportedUser {
            user,
            attributes,
            keys,
            sessions: vec![session],
            second_factor: None,
            passkeys,
        }
    }

    #[test]
    fn reads_what_it_writes_to_the_byte() {
        for attributes in [
            "",
            "{}",
            "{\"a\":1.5,\"b\":[null]}",
            "{\"b\": 1, \"a\": 2}",
            "no JSON",
            "[1]",
            "1.10",
            "null",
        ] {
            let all = departure(attributes);
            let line = person(&all, None, true);
            assert!(!line.contains('\n'));
            let Ok(Line::Person(again)) = read(&line) else { panic!("{line}") };
            assert!(*again == all, "{line}");
            assert_eq!(person(&again, None, true), line);
        }
        let now = Moment::from_millis(7);
        assert!(matches!(read(&header(true, now)), Ok(Line::Header { has_sessions: true })));
        let counts = ExportCounts { users: 1, keys: 2, sessions: 3 };
        assert!(matches!(read(&end(&counts)), Ok(Line::End(it)) if it == counts));
    }

    #[test]
    fn reads_nothing_that_it_does_not_know_whole() {
        let good = person(&departure(""), None, true);
        let bad = [
            ("\"email\":\"a@b\"", "\"email\":7"),
            ("\"email\":\"a@b\",", ""),
            ("\"email\":\"a@b\",", "\"email\":\"a@b\",\"mail\":\"\","),
            ("\"email:a:b\"", "\":a\""),
            ("\"idle_expires\":1", "\"idle_expires\":0"),
            ("abab", "ABAB"),
            ("abab", "xbab"),
            ("abab", "ab"),
        ];
        for (one, other) in bad {
            let text = good.replacen(one, other, 1);
            assert_ne!(text, good, "{one}");
            // Hex digits of either case are the same bytes.
            assert_eq!(read(&text).is_err(), other != "ABAB", "{other}");
        }
        for text in ["", "1", "[]", "{\"end\":{}}", "{\"vestibule_export\":1}"] {
            assert!(read(text).is_err(), "{text}");
        }
        let newer = header(true, Moment::from_millis(1)).replace("\"format\":1", "\"format\":2");
        assert!(read(&newer).err().unwrap().contains("newer"));
    }
}
