//! `vestibule user unlock`: forgets the failed attempts for a name, or from an address or a network.
//!
//! Decides which of them an operator means. Whose failures are counted together is decided in
//! `auth::throttle`.

use super::Failure;
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
pub(super) fn run(store: &dyn Store, typed: &str, now: Moment) -> Result<ChangeReport, Failure> {
    let user = look_up(store, typed)?;
    match (network(typed, user.is_some()).map_err(Failure::usage)?, user) {
        (Some(network), user) => Ok(unlock_network(store, typed, &network, user.as_ref(), now)?),
        (None, Some(user)) => {
            let forgotten = forget_user(store, &user, now)?;
            Ok(told_of(&user, forgotten).with("changed", forgotten > 0))
        }
        (None, None) => unlock_name(store, typed, now),
    }
}

/// An address or a network, as it is written, and the clients in it.
struct ClientNetwork {
    written: String,
    clients: Vec<ClientPrefix>,
}

/// The network that is typed, if it reads as one. `is_user`: an account may be called so.
fn network(typed: &str, is_user: bool) -> Result<Option<ClientNetwork>, String> {
    let network = match address_or_network(typed) {
        Some(Err(_)) if is_user => None,
        found => found.transpose()?,
    };
    let Some(network) = network else { return Ok(None) };
    let clients = ClientPrefix::all_of(network.addr(), network.prefix_len())
        .ok_or("a network is an IPv4 /16 or an IPv6 /48 at the widest")?;
    Ok(Some(ClientNetwork { written: network.to_string(), clients }))
}

/// Forgets what was counted for a user, and returns how many failed attempts that were.
fn forget_user(store: &dyn Store, user: &User, now: Moment) -> Result<u32, String> {
    let forgotten = throttle::forget_user(store, user, now).map_err(|err| err.to_string())?;
    if forgotten > 0 {
        record(store, user, (Event::UserUnlock, &[("attempts", &forgotten.to_string())]), now)?;
    }
    Ok(forgotten)
}

fn told_of(user: &User, forgotten: u32) -> ChangeReport {
    let name = &user.username;
    let sentence = match forgotten {
        0 => format!("{name} was not locked; nothing is changed"),
        _ => format!("{} for {name} forgotten", counted(forgotten, "failed attempt")),
    };
    ChangeReport::of(user, sentence).with("attempts_forgotten", forgotten)
}

fn unlock_network(
    store: &dyn Store,
    typed: &str,
    network: &ClientNetwork,
    user: Option<&User>,
    now: Moment,
) -> Result<ChangeReport, String> {
    let by_name = match (user, Username::or_address(typed)) {
        (Some(user), _) => forget_user(store, user, now)?,
        (None, Some(name)) => forget_name(store, &name, now)?,
        (None, None) => 0,
    };
    let mut is_any = false;
    for client in &network.clients {
        is_any |= throttle::forget_address(store, *client, now).map_err(|err| err.to_string())?;
    }
    let network = &*network.written;
    let is_any = is_any || (user.is_none() && by_name > 0);
    if is_any {
        record_of(store, Event::UserUnlock, &[("network", network)], now)?;
    }
    let sentence = if is_any {
        format!("failed attempts from {network} are forgotten")
    } else {
        format!("{network} was not locked; nothing is changed")
    };
    let report = match user {
        Some(user) => told_of(user, by_name).and(sentence),
        None => ChangeReport::new(sentence),
    };
    Ok(report.with("network", network).with("changed", is_any || by_name > 0))
}

/// The name is not put on record as it is: it may be a password in the wrong place.
fn unlock_name(store: &dyn Store, typed: &str, now: Moment) -> Result<ChangeReport, Failure> {
    let name = Username::or_address(typed).ok_or_else(|| {
        let rule = "names have 1 to 31 characters or are e-mail addresses, and networks are written as in 10.1.0.0/16 or 2001:db8:1::/48";
        Failure::usage(rule.to_owned())
    })?;
    let forgotten = forget_name(store, &name, now)?;
    if forgotten > 0 {
        let handle = audit::name_handle(store, counted_as(&name).canonical());
        record_of(store, Event::UserUnlock, &[(audit::NAME, &handle)], now)?;
    }
    let typed = printable(typed);
    let sentence = match forgotten {
        0 => format!("{typed}, a name that no account has, was not locked; nothing is changed"),
        _ => format!("failed attempts for {typed}, a name that no account has, are forgotten"),
    };
    let report = ChangeReport::new(sentence).with("username", typed);
    Ok(report.with("attempts_forgotten", forgotten).with("changed", forgotten > 0))
}

fn forget_name(store: &dyn Store, name: &Username, now: Moment) -> Result<u32, String> {
    let forgotten = throttle::forget(store, counted_as(name).canonical(), now);
    forgotten.map_err(|err| err.to_string())
}

/// Attempts are counted under the plain form of the name where no account has it.
fn counted_as(name: &Username) -> Username {
    name.plain().unwrap_or_else(|| name.clone())
}
