//! Users from what `vestibule export` writes.

use serde_json::{Map, Value};

use super::candidate::{Candidate, CandidateFactor, CandidateKey, CandidateSession};
use super::reasons::SourceRow;
use super::text_file::TextFile;
use crate::auth::usernames;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::sealing::StoredSecret;
use crate::cli::export_format::{self, ExportCounts, Line};
use crate::store::{ExportedUser, KeyId, Progress, SecondFactor, Totp, tell};

/// All users in the text. It is refused unless it is whole: a part of it would look like all.
pub(super) fn read(
    mut text: TextFile<'_>,
    progress: Progress<'_>,
) -> Result<Vec<Candidate>, String> {
    let has_sessions = header(&mut text)?;
    let mut all = Vec::new();
    let mut counts = ExportCounts::default();
    loop {
        let Some((number, line)) = text.next()? else {
            return Err(text.fault("it is cut short: its last line is missing"));
        };
        match export_format::read(line) {
            Ok(Line::Person(it)) if !has_sessions && !it.sessions.is_empty() => {
                return Err(
                    text.fault_here("it has sessions, and the first line says there are none")
                );
            }
            Ok(Line::Person(it)) => {
                counts.add(&it);
                all.push(Candidate { row: SourceRow::Line(number as u64), ..candidate(*it) });
            }
            Ok(Line::End(told)) if told == counts => break,
            Ok(Line::End(_)) => return Err(text.fault_here("it counts others than there are")),
            Ok(Line::Header { .. }) => return Err(text.fault_here("another export begins here")),
            Err(why) => return Err(text.fault_here(&why)),
        }
        tell(progress, "lines read", number);
    }
    // Editors leave an empty line at the end.
    while let Some((_, line)) = text.next()? {
        if !line.trim().is_empty() {
            return Err(text.fault_here("something follows the end"));
        }
    }
    Ok(all)
}

/// Reads the first line, which says whether sessions follow.
fn header(text: &mut TextFile<'_>) -> Result<bool, String> {
    let first = text.next().map(|it| it.map(|(_, line)| export_format::read(line)));
    match first {
        Ok(Some(Ok(Line::Header { has_sessions }))) => Ok(has_sessions),
        Ok(Some(Err(why))) if why.ends_with(export_format::NEWER) => Err(text.fault(&why)),
        _ => Err(text.fault("it is not what vestibule export writes")),
    }
}

fn candidate(it: ExportedUser) -> Candidate {
    let fault = fault(&it);
    let user = it.user;
    Candidate {
        id: Some(user.id.as_str().to_owned()),
        name: Some(user.username),
        created_at: Some(user.created_at),
        groups: user.groups,
        is_email_unverified: user.email_verified_at.is_none(),
        email: user.email,
        disabled_at: user.disabled_at,
        disabled_reason: user.disabled_reason,
        attributes: it.attributes,
        keys: it.keys.into_iter().map(CandidateKey::Ours).collect(),
        sessions: it.sessions.into_iter().map(CandidateSession::Ours).collect(),
        second_factor: factor(it.second_factor, user.second_factor_since),
        passkeys: it.passkeys,
        fault,
        ..Candidate::default()
    }
}

fn factor(found: Option<SecondFactor>, since: Option<Moment>) -> Option<CandidateFactor> {
    let SecondFactor { totp, recovery_codes } = found?;
    let last_step = totp.as_ref().map(|it| it.last_step);
    let open = |it: Totp| StoredSecret::from_stored(it.secret).open(it.user_id.as_str(), None).ok();
    Some(CandidateFactor { secret: totp.and_then(open), since, last_step, recovery_codes })
}

/// What is wrong with a user whom `vestibule export` cannot have written: the line may have been edited by hand.
fn fault(it: &ExportedUser) -> Option<String> {
    let user = &it.user;
    if usernames::canonical(&user.username) != user.canonical_username {
        return Some("has a canonical name that does not follow from the name".to_owned());
    }
    let names = it.keys.iter().map(|key| &key.id).filter(|id| id.provider() == "username");
    if names.map(KeyId::provider_user_id).any(|name| usernames::canonical(name) != name) {
        return Some("has a username key that is not canonical".to_owned());
    }
    let is_object = serde_json::from_str::<Map<String, Value>>(&it.attributes).is_ok();
    if !it.attributes.is_empty() && !is_object {
        return Some("has attributes that are no object in JSON".to_owned());
    }
    if users::groups(user.groups.as_str()).is_none_or(|it| it != user.groups) {
        return Some("has groups that cannot be groups here".to_owned());
    }
    if !user.email.is_empty() && users::email(&user.email).is_none() {
        return Some("has an address that cannot be one here".to_owned());
    }
    None
}
