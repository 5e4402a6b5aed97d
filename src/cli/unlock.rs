//! `vestibule user unlock`: forgets the failed attempts for a name, or from an address or a network.
//!
//! Decides which of them an operator means. Whose failures are counted together is decided in
//! `auth::throttle`.

use super::change_report::ChangeReport;
use super::find::look_up;
use super::records::{record, record_of};
use super::serve::parse::address_or_network;
use super::table::{counted, printable};
use crate::auth::audit;
use crate::auth::events::Event;
use crate::auth::throttle;
use crate::auth::usernames::Username;
use crate::base::clock::Moment;
use crate::base::ip_prefix::ClientPrefix;
use crate::store::{Store, User};

/// Works for names that no account has, too: they are counted alike. What reads as an address may be a name as
/// well, and is taken for both.
pub(super) fn run(store: &dyn Store, typed: &str, now: Moment) -> Result<ChangeReport, String> {
    let user = look_up(store, typed)?;
    let network = match address_or_network(typed) {
        // An account may be called so.
        Some(Err(_)) if user.is_some() => None,
        found => found.transpose()?,
    };
    let Some(network) = network else {
        return match user {
            Some(user) => unlock_user(store, &user, now),
            None => unlock_name(store, typed, now),
        };
    };
    let clients = ClientPrefix::all_of(network.addr(), network.prefix_len())
        .ok_or("a network is an IPv4 /16 or an IPv6 /48 at the widest")?;
    if let Some(user) = user {
        unlock_user(store, &user, now)?;
    } else if let Some(name) = Username::for_look_up(typed) {
        throttle::forget(store, name.trimmed().unwrap_or(name).canonical())
            .map_err(|err| err.to_string())?;
    }
    for client in clients {
        throttle::forget_address(store, client).map_err(|err| err.to_string())?;
    }
    let network = network.to_string();
    record_of(store, Event::UserUnlock, &[("network", &network)], now)?;
    let report = ChangeReport::new(format!("failed attempts from {network} are forgotten"));
    Ok(report.with("network", network))
}

fn unlock_user(store: &dyn Store, user: &User, now: Moment) -> Result<ChangeReport, String> {
    let failed = throttle::failed_attempts(store, user, now).map_err(|err| err.to_string())?;
    throttle::forget_user(store, user).map_err(|err| err.to_string())?;
    let count = failed.0.attempts.saturating_add(failed.1.attempts);
    record(store, user, (Event::UserUnlock, &[("attempts", &count.to_string())]), now)?;
    let attempts = counted(count, "failed attempt");
    let sentence = format!("{attempts} for {} forgotten", user.username);
    Ok(ChangeReport::of(user, sentence).with("attempts_forgotten", count))
}

/// The name is not put on record as it is: it may be a password in the wrong place.
fn unlock_name(store: &dyn Store, typed: &str, now: Moment) -> Result<ChangeReport, String> {
    let name = Username::for_look_up(typed).ok_or(
        "names have 1 to 31 characters, and networks are written as in 10.1.0.0/16 or 2001:db8:1::/48",
    )?;
    // Attempts are counted without white space at either end, as no account has the name.
    let name = name.trimmed().unwrap_or(name);
    throttle::forget(store, name.canonical()).map_err(|err| err.to_string())?;
    let handle = audit::name_handle(store, name.canonical());
    record_of(store, Event::UserUnlock, &[(audit::NAME, &handle)], now)?;
    let typed = printable(typed);
    let sentence =
        format!("failed attempts for {typed}, a name that no account has, are forgotten");
    Ok(ChangeReport::new(sentence).with("name", typed))
}
