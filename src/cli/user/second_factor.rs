//! `vestibule user second-factor`: turns the second factor of a user off who has lost it.

use super::change::{gone, open_access};
use super::notices;
use crate::auth::events::Event;
use crate::auth::second_factors::{self, TurnedOff};
use crate::base::clock::Moment;
use crate::cli::change_report::ChangeReport;
use crate::cli::records::record;
use crate::cli::table::{counted, printable};
use crate::store::{Store, User};

/// Turns the second factor of a user off, and has them told in this language.
pub(super) fn turn_off(
    store: &dyn Store,
    user: &User,
    language: &str,
    now: Moment,
) -> Result<ChangeReport, String> {
    let name = printable(&user.username);
    let sessions = open_access(store, user, now)?.sessions;
    let language = notices::language(store, language);
    let done = second_factors::turn_off_for(store, user, language, now);
    let is_told = match done.map_err(|err| err.to_string())? {
        TurnedOff::Done { is_told } => is_told,
        TurnedOff::NotOn => {
            let sentence = format!("{name} has no second factor; nothing is changed");
            let report = ChangeReport::of(user, sentence).with("changed", false);
            return Ok(report.with("sessions_ended", 0).with("mailed", false));
        }
        TurnedOff::NoUser => return Err(gone(user)),
    };
    record(store, user, (Event::SecondFactorOff, &[("sessions", &sessions.to_string())]), now)?;
    let ended = match sessions {
        0 => "no session was open".to_owned(),
        count => format!("{} ended", counted(count, "session")),
    };
    let sentence = format!(
        "the second factor of {name} is off, with its recovery codes; {ended}; the password alone signs in now"
    );
    let report = notices::told(ChangeReport::of(user, sentence), user, is_told);
    Ok(report.with("changed", true).with("sessions_ended", sessions))
}
