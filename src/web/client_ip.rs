//! The client address of a request. Pure.
//!
//! What a peer reports about other addresses counts only if the operator trusts it as a proxy. Of the
//! headers that carry addresses only `X-Forwarded-For` is read, and of it only what trusted proxies have
//! written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::web::http::Request;

/// The address of the client: the peer, or the one that a trusted proxy reports.
///
/// The right-most address that is not itself a trusted proxy counts, since the client may have made up
/// everything to the left of it. At an entry that cannot be parsed the search ends with the last good
/// address, so that garbage never exempts a client from throttling. `None` on a Unix socket, if no proxy
/// reports an address.
pub fn address(request: &Request, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut best = request.peer;
    if !may_speak(request, trusted) {
        return best;
    }
    let is_trusted = |it: IpAddr| trusted.iter().any(|network| network.contains(&it));
    let values: Vec<_> = request.values("x-forwarded-for").collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Some(address) = read(hop.trim()) else { break };
        best = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    best
}

/// Whether a peer that is not trusted reports a client address: a sign that the operator has a reverse
/// proxy and has not named it, so that all its clients count as one.
pub fn is_ignored(request: &Request, trusted: &[IpNet]) -> bool {
    !may_speak(request, trusted) && request.value("x-forwarded-for").is_some()
}

/// Whether the peer is a trusted proxy. A peer on the Unix socket is on this machine; it counts as trusted
/// if any proxy is.
fn may_speak(request: &Request, trusted: &[IpNet]) -> bool {
    request.peer.map_or(!trusted.is_empty(), |it| trusted.iter().any(|net| net.contains(&it)))
}

/// Whether a network is too large to hold only reverse proxies, so that others in it could claim any
/// address: a network that is not private as a whole and at least as large as an IPv4 /8 or an IPv6 /19,
/// the largest public allocations.
pub fn is_too_wide(network: &IpNet) -> bool {
    let private: [IpNet; 4] = [
        Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8).into(),
        Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
        Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7).into(),
        Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10).into(),
    ];
    let widest = match network {
        IpNet::V4(_) => 8,
        IpNet::V6(_) => 19,
    };
    network.prefix_len() <= widest && !private.iter().any(|it| it.contains(network))
}

/// Whether the address stands for one client. Behind a proxy that is not configured all clients would
/// share its address, so loopback and private addresses count only where some proxy is trusted.
pub fn is_one_client(address: IpAddr, trusted: &[IpNet]) -> bool {
    let is_near = match address {
        IpAddr::V4(it) => it.is_loopback() || it.is_private() || it.is_link_local(),
        IpAddr::V6(it) => it.is_loopback() || it.is_unique_local() || it.is_unicast_link_local(),
    };
    !is_near || !trusted.is_empty()
}

/// Parses an address as proxies write it, with or without a port.
fn read(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|it| it.ip()));
    address.ok().map(|it: IpAddr| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::http::Method;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|it| it.parse().unwrap()).collect()
    }

    fn asked(peer: Option<&str>, forwarded: &[&str], trusted: &[&str]) -> Option<String> {
        let mut headers: Vec<_> =
            forwarded.iter().map(|it| ("X-Forwarded-For".to_owned(), (*it).to_owned())).collect();
        for name in ["X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP"] {
            headers.push((name.to_owned(), "for=198.51.100.66".to_owned()));
        }
        let request = Request {
            method: Method::Get,
            path: "/".to_owned(),
            query: String::new(),
            headers,
            body: Vec::new(),
            peer: peer.map(ip),
        };
        address(&request, &networks(trusted)).map(|it| it.to_string())
    }

    #[test]
    fn believes_no_proxy_that_is_not_trusted() {
        let peer = Some("192.0.2.9");
        for trusted in [&[][..], &["10.0.0.0/8"]] {
            assert_eq!(asked(peer, &["1.2.3.4"], trusted).as_deref(), peer);
        }
        assert_eq!(asked(None, &["1.2.3.4"], &[]), None);
    }

    #[test]
    fn believes_a_trusted_proxy_about_the_last_hop_and_no_further() {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"];
        for (forwarded, expected) in [
            (&["1.2.3.4"][..], "1.2.3.4"),
            (&["evil, 1.2.3.4"], "1.2.3.4"),
            (&["9.9.9.9, 1.2.3.4"], "1.2.3.4"),
            (&["9.9.9.9", "1.2.3.4"], "1.2.3.4"),
            (&["9.9.9.9, 1.2.3.4, 10.1.1.1"], "1.2.3.4"),
            (&["9.9.9.9, 1.2.3.4", "10.1.1.1,10.2.2.2"], "1.2.3.4"),
            (&["1.2.3.4:5678"], "1.2.3.4"),
            (&["[2001:470::1]:5678"], "2001:470::1"),
            (&["[2001:470::1]"], "2001:470::1"),
            (&["::ffff:1.2.3.4"], "1.2.3.4"),
            (&["10.1.1.1"], "10.1.1.1"),
            (&[], "10.0.0.1"),
            (&["1.2.3.4, evil"], "10.0.0.1"),
            (&["1.2.3.4, "], "10.0.0.1"),
            (&["1.2.3.4, unknown, 10.1.1.1"], "10.1.1.1"),
            (&["1.2.3"], "10.0.0.1"),
        ] {
            let found = asked(Some("10.0.0.1"), forwarded, &trusted);
            assert_eq!(found.as_deref(), Some(expected), "{forwarded:?}");
        }
        assert_eq!(asked(None, &["1.2.3.4"], &trusted).as_deref(), Some("1.2.3.4"));
    }

    #[test]
    fn finds_networks_too_wide_in_which_there_are_strangers() {
        for wide in [
            "0.0.0.0/0",
            "0.0.0.0/1",
            "128.0.0.0/1",
            "8.0.0.0/7",
            "10.0.0.0/7",
            "17.0.0.0/8",
            "::/0",
            "::/1",
            "2000::/3",
            "2a00::/12",
            "fc00::/6",
        ] {
            assert!(is_too_wide(&networks(&[wide])[0]), "{wide}");
        }
        for good in [
            "127.0.0.1/32",
            "127.0.0.0/8",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "104.16.0.0/13",
            "2400:cb00::/32",
            "2a06:98c0::/29",
            "fc00::/7",
            "fd00::/8",
            "fe80::/10",
            "::1/128",
        ] {
            assert!(!is_too_wide(&networks(&[good])[0]), "{good}");
        }
    }

    #[test]
    fn takes_near_addresses_for_one_client_only_behind_a_trusted_proxy() {
        for near in ["127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd00::1", "fe80::1"] {
            assert!(!is_one_client(ip(near), &[]), "{near}");
            assert!(is_one_client(ip(near), &networks(&["172.16.0.1/32"])), "{near}");
        }
        assert!(is_one_client(ip("1.2.3.4"), &[]) && is_one_client(ip("2001:470::1"), &[]));
    }

    proptest! {
        #[test]
        fn finds_an_address_whatever_stands_in_the_field(text in "[0-9a-f:., \\[\\]x]{0,60}") {
            prop_assert!(asked(Some("10.0.0.1"), &[&text], &["10.0.0.0/8"]).is_some());
        }
    }
}
