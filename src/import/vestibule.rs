//! People out of what `vestibule export` writes.

use super::luggage::{Luggage, OldKey, OldSession};
use super::tell;
use super::text::Text;
use crate::lines::{self, Counts, Line};
use crate::store::{Departure, Progress};
use crate::users;

/// Everybody in the text. It is refused unless it is whole: a part of it would look like all.
pub(super) fn read(mut text: Text<'_>, progress: Progress<'_>) -> Result<Vec<Luggage>, String> {
    let first = text.next().map(|it| it.map(|(_, line)| lines::read(line)));
    match first {
        Ok(Some(Ok(Line::Header { .. }))) => {}
        Ok(Some(Err(why))) if why.contains("newer vestibule") => return Err(text.fault(&why)),
        _ => return Err(text.fault("it is not what vestibule export writes")),
    }
    let mut all = Vec::new();
    let mut counts = Counts::default();
    loop {
        let Some((number, line)) = text.next()? else {
            return Err(text.fault("it is cut short: its last line is missing"));
        };
        match lines::read(line) {
            Ok(Line::Person(it)) => {
                counts.add(&it);
                all.push(luggage(*it));
            }
            Ok(Line::End(told)) if told == counts => break,
            Ok(Line::End(_)) => return Err(text.fault_here("it counts others than there are")),
            Ok(Line::Header { .. }) => return Err(text.fault_here("another export begins here")),
            Err(why) => return Err(text.fault_here(&why)),
        }
        tell(progress, number);
    }
    match text.next()? {
        None => Ok(all),
        Some(_) => Err(text.fault_here("something follows the end")),
    }
}

fn luggage(it: Departure) -> Luggage {
    let fault = fault(&it);
    let user = it.user;
    Luggage {
        id: Some(user.id.as_str().to_owned()),
        name: Some(user.username),
        created_at: Some(user.created_at),
        groups: user.groups,
        email: user.email,
        disabled_at: user.disabled_at,
        disabled_reason: user.disabled_reason,
        attributes: it.attributes,
        keys: it.keys.into_iter().map(OldKey::Ours).collect(),
        sessions: it.sessions.into_iter().map(OldSession::Ours).collect(),
        fault,
    }
}

/// What no program of ours has written: it may have been written by hand.
fn fault(it: &Departure) -> Option<String> {
    let user = &it.user;
    if users::canonical(&user.username) != user.canonical_username {
        return Some("has a canonical name that does not follow from the name".to_owned());
    }
    if users::groups(user.groups.as_str()).is_none_or(|it| it != user.groups) {
        return Some("has groups that cannot be groups here".to_owned());
    }
    if !user.email.is_empty() && users::email(&user.email).is_none() {
        return Some("has an address that cannot be one here".to_owned());
    }
    None
}
