//! `vestibule user reset-link`: a link with which a user sets a new password, printed or mailed.

use serde_json::json;

use super::change::gone;
use super::notices;
use crate::auth::events::Event;
use crate::auth::mail::{self, ResetMailed};
use crate::auth::one_time_tokens::{self, Purpose};
use crate::base::base_url::BaseUrl;
use crate::base::clock::Moment;
use crate::cli::change_report::ChangeReport;
use crate::cli::drawn;
use crate::cli::output::Printout;
use crate::cli::records::record;
use crate::cli::table::printable;
use crate::store::{Store, User};

/// Has a reset link mailed to a user, if a server sends mail.
pub(super) fn mail(
    store: &dyn Store,
    user: &User,
    language: &str,
    now: Moment,
) -> Result<ChangeReport, String> {
    let name = printable(&user.username);
    let refused = |what: &str, todo: &str| Err(format!("{name} {what}; {todo}"));
    if !notices::is_mail_sent(store) {
        return Err(format!(
            "no mail for {name} was queued, as the server that was the last to start sends none (serve --mail); without \
             --mail the link is printed"
        ));
    }
    match mail::mail_reset(store, user, language, now).map_err(|err| err.to_string())? {
        ResetMailed::Done => {}
        ResetMailed::NoAddress if user.disabled_at.is_some() => {
            return refused("is disabled", "vestibule user enable comes first");
        }
        ResetMailed::NoAddress => {
            return refused(
                "has no verified e-mail address to which mail can be sent",
                "vestibule user email sets one, and without --mail the link is printed",
            );
        }
        ResetMailed::QueueFull => {
            let todo = "vestibule mail list shows them, and vestibule mail drop deletes one";
            return Err(format!("no mail for {name} was queued, as too many wait; {todo}"));
        }
    }
    record(store, user, (Event::ResetLink, &[("mailed", "true")]), now)?;
    let sentence = format!(
        "a mail with a reset link for {name} waits; a server with mail sends it within 15 seconds"
    );
    Ok(ChangeReport::of(user, sentence).with("mailed", true))
}

/// Makes a reset link.
pub(super) fn reset(
    store: &dyn Store,
    user: &User,
    origin: &BaseUrl,
    (as_qr, as_json): (bool, bool),
    now: Moment,
) -> Result<Printout, String> {
    let name = printable(&user.username);
    if user.disabled_at.is_some() {
        return Err(format!("{name} is disabled; vestibule user enable comes first"));
    }
    let made = one_time_tokens::create(store, &user.id, Purpose::ResetPassword, now)
        .map_err(|err| err.to_string())?;
    let token = made.ok_or_else(|| gone(user))?;
    let lost =
        format!("a reset link for {name} was made and not shown; another one will take its place");
    let unshown = |cause: String| format!("{lost} ({cause})");
    let until = now.after(one_time_tokens::life(Purpose::ResetPassword)).rfc3339();
    record(store, user, (Event::ResetLink, &[("until", &until)]), now).map_err(unshown)?;
    let link = format!("{origin}/reset?token={}", token.reveal());
    let text = if as_json {
        let id = user.id.as_str();
        let data = json!({
            "user_id": id, "username": user.username, "link": link, "expires_at": until,
        });
        format!("{data}\n")
    } else {
        let drawn = if as_qr { drawn(&link).map_err(unshown)? } else { String::new() };
        format!("{link}\n{drawn}")
    };
    Ok(Printout { text, lost: Some(lost) })
}
