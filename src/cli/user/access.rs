//! `vestibule user disable` and `enable`.

use super::change::{open_access, see_that_it_is_done};
use super::list::or_null;
use super::show::disabled;
use crate::auth::events::Event;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::cli::change_report::ChangeReport;
use crate::cli::records::record;
use crate::cli::table::counted;
use crate::store::{Store, User};

/// Disables a user. One who is disabled already keeps date and reason, unless the reason is to be replaced.
pub(super) fn disable(
    store: &dyn Store,
    user: &User,
    (reason, replaces): (Option<&str>, bool),
    now: Moment,
) -> Result<ChangeReport, String> {
    if let Some(since) = disabled(user) {
        return disable_again(store, user, (&since, reason, replaces), now);
    }
    let open = open_access(store, user, now)?;
    let reason = reason.unwrap_or_default();
    see_that_it_is_done(users::disable(store, &user.id, reason, now), user)?;
    let sessions = open.sessions.to_string();
    record(store, user, (Event::UserDisable, &[("reason", reason), ("sessions", &sessions)]), now)?;
    let ended = match open.sessions {
        0 => "no session was open".to_owned(),
        count => format!("{} ended", counted(count, "session")),
    };
    let mut sentence = format!("{} is disabled; {ended}", user.username);
    if open.access_tokens > 0 {
        let stopped = counted(open.access_tokens, "access token");
        sentence = format!("{sentence}; {stopped} stopped, until the account is enabled");
    }
    let report = ChangeReport::of(user, sentence).with("changed", true);
    let report = report.with("disabled_at", now.rfc3339()).with("disabled_reason", or_null(reason));
    Ok(report
        .with("sessions_ended", open.sessions)
        .with("access_tokens_stopped", open.access_tokens))
}

/// Tells of a user who is disabled already, and replaces the reason where that is asked for.
fn disable_again(
    store: &dyn Store,
    user: &User,
    (since, reason, replaces): (&str, Option<&str>, bool),
    now: Moment,
) -> Result<ChangeReport, String> {
    let (name, old) = (&user.username, &*user.disabled_reason);
    let is_other = reason.is_some_and(|it| it != old);
    let mut sentence = format!("{name} is disabled already, {since}");
    let mut new = old;
    if let Some(reason) = reason.filter(|_| is_other && replaces) {
        see_that_it_is_done(users::set_disabled_reason(store, &user.id, reason), user)?;
        record(store, user, (Event::UserDisable, &[("reason", reason), ("before", old)]), now)?;
        sentence = format!("{sentence}; the reason is now: {reason}");
        new = reason;
    } else if is_other {
        sentence.push_str("; nothing is changed: --replace-reason replaces the reason");
    } else {
        sentence.push_str("; nothing is changed");
    }
    let report = ChangeReport::of(user, sentence).with("changed", new != old);
    let since = user.disabled_at.map(Moment::rfc3339);
    Ok(report
        .with("disabled_at", since)
        .with("disabled_reason", or_null(new))
        .with("sessions_ended", 0))
}

/// Enables a user.
pub(super) fn enable(store: &dyn Store, user: &User, now: Moment) -> Result<ChangeReport, String> {
    let name = &user.username;
    let Some(since) = disabled(user) else {
        let sentence = format!("{name} is not disabled; nothing is changed");
        return Ok(ChangeReport::of(user, sentence).with("changed", false));
    };
    see_that_it_is_done(users::enable(store, &user.id), user)?;
    let date = user.disabled_at.map(Moment::rfc3339).unwrap_or_default();
    let facts = [("disabled_since", &*date), ("reason", &*user.disabled_reason)];
    record(store, user, (Event::UserEnable, &facts), now)?;
    let report = ChangeReport::of(user, format!("{name} is enabled; it was disabled {since}"));
    Ok(report.with("changed", true))
}
