//! How the values of flags are written. An error is one line that says what would do.

use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::auth::invitations::SignUps;
use crate::auth::password_policy::Policy;
use crate::base::base_url::BaseUrl;
use crate::base::origin::{Domain, Origin, is_public_suffix};
use crate::server::gate::{self, Listen};
use crate::web::Alias;
use crate::web::pages::Remember;

/// The longest period that can be set. Browsers keep no cookie for longer than 400 days anyway.
pub(super) const PERIOD_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The shortest: what cookies count in.
const PERIOD_MIN: Duration = Duration::from_secs(1);

/// The most workers of either lane.
const COUNT_MAX: usize = 256;

pub(in crate::cli) fn alias(text: &str) -> Result<Alias, String> {
    let found = Alias::ALL.into_iter().find(|it| it.as_str() == text);
    found.ok_or_else(|| "it must be authelia, tinyauth, oauth2-proxy or vouch".to_owned())
}

pub(in crate::cli) fn domain(text: &str) -> Result<Domain, String> {
    let domain = Domain::parse(text).ok_or_else(|| "write it as in example.com".to_owned())?;
    let name = domain.as_str();
    if is_public_suffix(name) {
        return Err(format!(
            "browsers keep no cookie for all of {name}, where anybody can have a host \
             (publicsuffix.org); write your own domain, as in example.{name}"
        ));
    }
    Ok(domain)
}

pub(in crate::cli) fn listen(text: &str) -> Result<Listen, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            "" => Err("the path of the socket is missing".to_owned()),
            path => Ok(Listen::Unix(PathBuf::from(path))),
        };
    }
    // A host name may stand for several addresses; the first is as good as any.
    let found = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    found.map(Listen::Tcp).ok_or_else(|| "write it as in 127.0.0.1:8080 or unix:/path".to_owned())
}

/// The URL of the site: an origin, or one with a path prefix.
pub(in crate::cli) fn base_url(text: &str) -> Result<BaseUrl, String> {
    BaseUrl::parse(text).ok_or_else(|| {
        "write it as in https://auth.example.com or https://example.com/auth".to_owned()
    })
}

pub(in crate::cli) fn origin(text: &str) -> Result<Origin, String> {
    Origin::parse(text).ok_or_else(|| "write it as in https://auth.example.com".to_owned())
}

pub(in crate::cli) fn period(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Err(_) => Err("write it as in 90s, 15m, 24h or 14d".to_owned()),
        Ok(period) if period < PERIOD_MIN || period > PERIOD_MAX => {
            Err("it must be at least 1s and at most 3650d".to_owned())
        }
        Ok(period) => Ok(period),
    }
}

/// A period in the largest unit of which it is a whole number: `365d` and `90s`, never `11months30days`.
pub(super) fn written(period: Duration) -> String {
    let (seconds, millis) = (period.as_secs(), period.as_millis());
    let units = [(24 * 60 * 60, "d"), (60 * 60, "h"), (60, "m")];
    let whole = units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match whole {
        _ if period.subsec_nanos() > 0 => format!("{millis}ms"),
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

pub(in crate::cli) fn policy(text: &str) -> Result<Policy, String> {
    match text {
        "seed" => Ok(Policy::Minimal),
        "standard" => Ok(Policy::Standard),
        "nist" => Ok(Policy::Nist),
        _ => Err("it must be seed, standard or nist".to_owned()),
    }
}

pub(in crate::cli) fn signup(text: &str) -> Result<SignUps, String> {
    match text {
        "open" => Ok(SignUps::Open),
        "invite" => Ok(SignUps::Invite),
        "closed" => Ok(SignUps::Closed),
        _ => Err("it must be open, invite or closed".to_owned()),
    }
}

pub(in crate::cli) fn remember(text: &str) -> Result<Remember, String> {
    match text {
        "ticked" => Ok(Remember::Offered(true)),
        "unticked" => Ok(Remember::Offered(false)),
        "always" => Ok(Remember::Always),
        "never" => Ok(Remember::Never),
        _ => Err("it must be ticked, unticked, always or never".to_owned()),
    }
}

pub(in crate::cli) fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "write it as in 660".to_owned())
}

/// An address or a network.
pub(in crate::cli) fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| one()).map_err(|_| "write it as in 10.0.0.0/8 or ::1".to_owned())
}

pub(in crate::cli) fn connections(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=gate::CONNECTIONS_MAX).contains(count));
    count.ok_or_else(|| format!("it must be a number from 1 to {}", gate::CONNECTIONS_MAX))
}

pub(in crate::cli) fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
    count.ok_or_else(|| format!("it must be a number from 1 to {COUNT_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_period_as_an_operator_would_type_it() {
        for text in ["365d", "30d", "1d", "36h", "15m", "90s", "1s", "1500ms"] {
            assert_eq!(written(period(text).unwrap()), text);
        }
        for (text, expected) in [("24h", "1d"), ("2w", "14d"), ("120m", "2h"), ("1d 1s", "86401s")]
        {
            assert_eq!(written(period(text).unwrap()), expected);
        }
        assert_eq!(written(Duration::ZERO), "0s");
    }
}
