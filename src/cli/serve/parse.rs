//! Parsers for the values of flags. An error is one line that says what would be accepted.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use crate::auth::events::LogLevel;
use crate::auth::invitations::SignUps;
use crate::auth::password_policy::Policy;
use crate::auth::users;
use crate::base::base_url::BaseUrl;
use crate::base::origin::{Domain, Origin, is_public_suffix};
use crate::server::gate::{self, Listen};
use crate::server::log::LogFormat;
use crate::store::Groups;
use crate::web::pages::Remember;
use crate::web::{Alias, App};

/// The longest period that can be set. Browsers keep no cookie for longer than 400 days anyway.
pub(super) const PERIOD_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The shortest: what cookies count in.
const PERIOD_MIN: Duration = Duration::from_secs(1);

/// Bits before the IPv4 address in an IPv6 address that stands for one (RFC 4291 § 2.5.5.2).
const MAPPED_BITS: u8 = 96;

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
            "browsers keep no cookie for all of {name}, where anyone can have a host \
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

/// The origin of an app, which may have the name that its users know it by before it.
pub(in crate::cli) fn app(text: &str) -> Result<Origin, String> {
    named_app(text).map(|it| it.origin)
}

/// An app, with the name that its users know it by before it, if it has one, and the groups whose members see it behind
/// it, as a check has them.
pub(super) fn named_app(text: &str) -> Result<App, String> {
    const CHARACTERS_MAX: usize = 60;
    let (text, groups) = match text.rsplit_once("?groups=") {
        Some((text, named)) => (text, groups(named)?),
        None => (text, Groups::default()),
    };
    let (name, url) = text.split_once('=').unwrap_or(("", text));
    let name = name.trim().to_owned();
    let Some(origin) = Origin::parse(url.trim()) else {
        return Err(match users::groups(text).filter(|_| name.is_empty()) {
            Some(_) if !text.contains('.') => {
                "write it as in https://app.example.com; | is between groups, as in ?groups=staff|admin".to_owned()
            }
            _ => "write it as in https://app.example.com".to_owned(),
        });
    };
    if name.chars().count() > CHARACTERS_MAX || name.chars().any(char::is_control) {
        return Err(format!("a name has {CHARACTERS_MAX} visible characters at most"));
    }
    Ok(App { origin, name, groups })
}

/// The groups behind the address of an app. A comma is between apps, so groups have a bar.
fn groups(named: &str) -> Result<Groups, String> {
    let groups = users::groups(&named.replace('|', ",")).filter(|it| !it.as_str().is_empty());
    groups.ok_or_else(|| {
        "write groups as in ?groups=staff|admin: a to z, digits, ., _ and -".to_owned()
    })
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
pub(in crate::cli) fn written(period: Duration) -> String {
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

pub(in crate::cli) fn log_level(text: &str) -> Result<LogLevel, String> {
    let found = LogLevel::ALL.into_iter().find(|it| it.as_str() == text);
    found.ok_or_else(|| "it must be checks, requests, events or warnings".to_owned())
}

pub(in crate::cli) fn log_format(text: &str) -> Result<LogFormat, String> {
    let found = LogFormat::ALL.into_iter().find(|it| it.as_str() == text);
    found.ok_or_else(|| "it must be logfmt or json".to_owned())
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

/// An address or a network. An IPv4 network that is written as an IPv6 one is the IPv4 network, as every
/// address is compared so.
pub(in crate::cli) fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    let found: IpNet =
        text.parse().or_else(|_| one()).map_err(|_| "write it as in 10.0.0.0/8 or ::1")?;
    let IpNet::V6(written) = found else { return Ok(found) };
    let Some(address) = written.addr().to_ipv4_mapped() else { return Ok(found) };
    match written.prefix_len().checked_sub(MAPPED_BITS) {
        Some(bits) => Ok(IpNet::V4(Ipv4Net::new_assert(address, bits))),
        None => Err(format!(
            "an IPv4 address in an IPv6 network of {} bits stands for no IPv4 network; write it as in \
             {address}/24, or with {MAPPED_BITS} bits or more",
            written.prefix_len()
        )),
    }
}

/// The address or network that an operator means, as they write it or copy it from a log or a URL: alone, as
/// a field (`ip=192.0.2.7`), in brackets, with a port, with a zone. `None`: it is meant for a name. An error is
/// one line that says what would do.
pub(in crate::cli) fn address_or_network(typed: &str) -> Option<Result<IpNet, String>> {
    let quotes = |it: char| it.is_whitespace() || "\"',;".contains(it);
    let text = typed.trim_matches(quotes);
    let text = text.rsplit_once('=').map_or(text, |(_, value)| value.trim_matches(quotes));
    let inner = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let text = inner.filter(|it| !it.contains(']')).unwrap_or(text);
    let (address, prefix) = match text.rsplit_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    match (address_in_log(address), prefix) {
        (Some(address), None) => Some(network(&address.to_string())),
        (Some(address), Some(prefix)) => {
            Some(network(&format!("{address}/{prefix}")).map(|it| it.trunc()))
        }
        (None, _) => looks_like_address(text)
            .then(|| {
                "this is no IP address; write it as in 203.0.113.7, 2001:db8::7 or 10.1.0.0/16"
                    .to_owned()
            })
            .map(Err),
    }
}

fn address_in_log(text: &str) -> Option<IpAddr> {
    let text = match text.split_once('%') {
        Some((address, zone)) => address.to_owned() + zone.find(']').map_or("", |at| &zone[at..]),
        None => text.to_owned(),
    };
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(&text);
    let with_port = || text.parse::<SocketAddr>().map(|it| it.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

/// Whether a text has nothing but the digits and signs of an address, and enough of these to be one.
fn looks_like_address(text: &str) -> bool {
    let has_only =
        |is_digit: fn(char) -> bool| text.chars().all(|it| is_digit(it) || "[]:./%".contains(it));
    let count = |sign| text.matches(sign).count();
    (has_only(|it| it.is_ascii_hexdigit()) && count(':') > 1)
        || (has_only(|it| it.is_ascii_digit()) && count('.') > 2)
}

/// A whole number in these bounds; without an upper one `MOST` is that of the type.
pub(in crate::cli) fn number<const LEAST: u32, const MOST: u32>(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| match MOST {
        u32::MAX => format!("it must be a number of at least {LEAST}"),
        _ => format!("it must be a number from {LEAST} to {MOST}"),
    })
}

pub(in crate::cli) fn connections(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=gate::CONNECTIONS_MAX).contains(count));
    count.ok_or_else(|| format!("it must be a number from 1 to {}", gate::CONNECTIONS_MAX))
}

pub(in crate::cli) fn head_bytes(text: &str) -> Result<usize, String> {
    let bounds = gate::head::HEAD_BYTES..=gate::head::HEAD_BYTES_MAX;
    let count = text.parse().ok().filter(|count| bounds.contains(count));
    count.ok_or_else(|| format!("it must be a number from {} to {}", bounds.start(), bounds.end()))
}

pub(in crate::cli) fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
    count.ok_or_else(|| format!("it must be a number from 1 to {COUNT_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_app_with_its_name_and_the_groups_that_see_it() {
        let read = |text| named_app(text).map(|it| (it.name.clone(), it.to_string()));
        for (text, name, written) in [
            ("https://a.example.com", "", "https://a.example.com"),
            ("Wiki = https://a.example.com/", "Wiki", "Wiki=https://a.example.com"),
            ("What?=https://a.example.com", "What?", "What?=https://a.example.com"),
            ("https://a.example.com?groups=staff", "", "https://a.example.com?groups=staff"),
            (
                "A=https://a.example.com:8443?groups=staff| admin |staff",
                "A",
                "A=https://a.example.com:8443?groups=admin|staff",
            ),
        ] {
            assert_eq!(read(text), Ok((name.to_owned(), written.to_owned())), "{text}");
        }
        for (text, advice) in [
            ("https://a.example.com?groups=", "?groups=staff|admin"),
            ("https://a.example.com?groups=Staff", "a to z"),
            ("https://a.example.com?group=staff", "https://app.example.com"),
            ("admin", "| is between groups"),
            ("a.example.com", "https://app.example.com"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(advice), "{text}: {told}");
        }
    }

    #[test]
    fn reads_an_ipv4_network_that_is_written_as_an_ipv6_one_as_what_it_is() {
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.1", "10.0.0.1/32"),
            ("::1", "::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:a00:1", "10.0.0.1/32"),
        ] {
            assert_eq!(network(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["::ffff:10.0.0.0/8", "::ffff:0:0/95", "::ffff:10.0.0.0/0"] {
            assert!(network(text).unwrap_err().contains("96 bits or more"), "{text}");
        }
    }

    #[test]
    fn finds_the_address_in_whatever_is_copied_from_a_log() {
        for (typed, expected) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7:443", "192.0.2.7/32"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            (" 192.0.2.7,", "192.0.2.7/32"),
            ("ip=192.0.2.7", "192.0.2.7/32"),
            ("ip=\"2001:db8::1\"", "2001:db8::1/128"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("[2001:db8::1]", "2001:db8::1/128"),
            ("[2001:db8::1]:443", "2001:db8::1/128"),
            ("[2001:db8::]/64", "2001:db8::/64"),
            ("[2001:db8::/64]", "2001:db8::/64"),
            ("2001:db8:0:0::/64", "2001:db8::/64"),
            ("2001:db8:1:2:3::4/64", "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("[::ffff:192.0.2.7]:443", "192.0.2.7/32"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
            ("fe80::1%eth0", "fe80::1/128"),
            ("[fe80::1%eth0]:443", "fe80::1/128"),
        ] {
            let found = address_or_network(typed).unwrap().unwrap();
            assert_eq!(found.to_string(), expected, "{typed}");
        }
    }

    #[test]
    fn refuses_what_can_only_be_meant_for_an_address() {
        for typed in [
            "192.0.2.300",
            "192.0.2.7:99999",
            "192.0.2.7/33",
            "2001:db8:::1",
            "2001:db8::/129",
            "::ffff:192.0.2.0/24",
            "1.2.3.4.5",
        ] {
            assert!(address_or_network(typed).is_some_and(|it| it.is_err()), "{typed}");
        }
        for name in
            ["anna", "a.b.c.d", "beef", "anna@example.com", "10", "12:30", "1.2.3", "a:b:c:z"]
        {
            assert!(address_or_network(name).is_none(), "{name}");
        }
    }

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
