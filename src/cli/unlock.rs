//! `vestibule user unlock`: forgets the failed attempts for a name, or from an address or a network.
//!
//! Decides which of them an operator means. Whose failures are counted together is decided in
//! `auth::throttle`.

use super::serve::parse::address_or_network;
use super::{Done, printable, record_of};
use crate::auth::events::Event;
use crate::auth::throttle;
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::ip_prefix::ClientPrefix;
use crate::base::token;
use crate::store::{self, Store};

/// Works for names without an account too: failures for them are counted alike. A text that is an address may
/// be a username as well, and is then taken for both.
pub(super) fn run(store: &dyn Store, typed: &str, now: Moment) -> Done {
    let name = Username::for_sign_in(typed);
    let user = name.as_ref().map_or(Ok(None), |it| users::by_any_name(store, it));
    let is_known = user.map_err(|err| err.to_string())?.is_some();
    let network = match address_or_network(typed) {
        // An account may be called so.
        Some(Err(_)) if is_known => None,
        found => found.transpose()?,
    };
    let Some(network) = network else {
        let name = name.ok_or(
            "names have 1 to 31 characters, and networks are written as in 10.1.0.0/16 or 2001:db8:1::/48",
        )?;
        unlock_name(store, &name).map_err(|err| err.to_string())?;
        let handle = format!("h:{}", token::keyed_handle(store.handle_key(), name.canonical()));
        record_of(store, Event::UserUnlock, &[("name", &handle)], now)?;
        let whose = if is_known { "" } else { ", a name that no account has," };
        return Ok(format!("failed tries for {}{whose} are forgotten\n", printable(typed)));
    };
    let clients = ClientPrefix::all_of(network.addr(), network.prefix_len())
        .ok_or("a network is an IPv4 /16 or an IPv6 /48 at the widest")?;
    let forget = || {
        name.iter().try_for_each(|it| unlock_name(store, it))?;
        clients.into_iter().try_for_each(|it| throttle::forget_address(store, it))
    };
    forget().map_err(|err: store::Error| err.to_string())?;
    record_of(store, Event::UserUnlock, &[("network", &network.to_string())], now)?;
    Ok(format!("failed tries from {network} are forgotten\n"))
}

fn unlock_name(store: &dyn Store, name: &Username) -> store::Result<()> {
    throttle::forget(store, name.canonical())?;
    match users::by_any_name(store, name)? {
        Some(user) => throttle::forget_user(store, &user),
        None => Ok(()),
    }
}
