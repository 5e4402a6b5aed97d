//! Where a browser reaches the site that has just begun to listen: what serve says on a terminal, and how the
//! link for the first account begins.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a browser reaches the site.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// At the URL that the operator has set, by way of a proxy that passes requests on to `address`.
    Proxied { url: String, address: String },
    /// At this address.
    Direct(SocketAddr),
    /// At every address of this machine; this one is for browsers on it.
    Everywhere(SocketAddr),
    /// Through a Unix socket alone: a proxy has to be in front, and its URL is not known.
    Socket(String),
}

impl Reach {
    /// Where the site is reached that listens on these addresses, if it has this URL.
    pub(super) fn of(url: Option<&str>, addresses: &[String]) -> Self {
        let first = addresses.first().cloned().unwrap_or_default();
        if let Some(url) = url {
            return Self::Proxied { url: url.to_owned(), address: first };
        }
        let mut sockets = addresses.iter().filter_map(|it| it.parse::<SocketAddr>().ok());
        let is_one = |it: &SocketAddr| !it.ip().is_unspecified();
        let one = sockets.clone().find(is_one).map(Self::Direct);
        one.or_else(|| sockets.next().map(|it| Self::Everywhere(here(it))))
            .unwrap_or(Self::Socket(first))
    }

    /// What to open in a browser, in one line.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Proxied { url, address } => {
                format!("open {url}/ (once a reverse proxy passes it on to {address})")
            }
            Self::Direct(address) => format!("open http://{address}/"),
            Self::Everywhere(address) => format!(
                "open http://{address}/ on this machine; on others, with its address in place of {}",
                host(*address)
            ),
            Self::Socket(address) => format!(
                "let a reverse proxy pass requests on to {address}, and set --origin to where browsers reach it"
            ),
        }
    }

    /// A link to this path of the site, and in a line of its own what has to be done with it first, if anything.
    pub(super) fn link(&self, path: &str) -> (String, Option<String>) {
        match self {
            Self::Proxied { url, .. } => (format!("{url}{path}"), None),
            Self::Direct(address) => (format!("http://{address}{path}"), None),
            Self::Everywhere(address) => {
                let advice = format!(
                    "It is for a browser on this machine. On others, put its address in place of {}; with \
                     --origin the link is right for all.",
                    host(*address)
                );
                (format!("http://{address}{path}"), Some(advice))
            }
            Self::Socket(_) => {
                let advice = "Put before it where browsers reach the site, as in https://auth.example.com; with \
                              --origin the link is whole.";
                (path.to_owned(), Some(advice.to_owned()))
            }
        }
    }
}

/// The address of this machine for itself.
fn here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, address.port())
}

/// The host as it stands in a URL.
fn host(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(url: Option<&str>, addresses: &[&str]) -> Reach {
        let addresses: Vec<_> = addresses.iter().map(|it| (*it).to_owned()).collect();
        Reach::of(url, &addresses)
    }

    #[test]
    fn says_what_to_open_wherever_it_listens() {
        let url = Some("https://example.com/auth");
        for (url, addresses, expected) in [
            (None, &["127.0.0.1:8080"][..], "open http://127.0.0.1:8080/"),
            (None, &["[::1]:41237"], "open http://[::1]:41237/"),
            (None, &["unix:/x", "0.0.0.0:80", "127.0.0.2:81"], "open http://127.0.0.2:81/"),
            (
                None,
                &["0.0.0.0:80"],
                "open http://127.0.0.1:80/ on this machine; on others, with its address in place of 127.0.0.1",
            ),
            (
                None,
                &["[::]:8080"],
                "open http://[::1]:8080/ on this machine; on others, with its address in place of [::1]",
            ),
            (
                None,
                &["unix:/run/x.sock"],
                "let a reverse proxy pass requests on to unix:/run/x.sock, and set --origin to where \
                 browsers reach it",
            ),
            (
                url,
                &["unix:/x"],
                "open https://example.com/auth/ (once a reverse proxy passes it on to unix:/x)",
            ),
        ] {
            assert_eq!(reach(url, addresses).line(), expected);
        }
    }

    #[test]
    fn leads_to_the_address_that_is_really_bound_or_says_what_the_link_lacks() {
        let link = |url, address| reach(url, &[address]).link("/signup?invite=x");
        for (url, address, expected) in [
            (
                Some("https://example.com/auth"),
                "0.0.0.0:1",
                "https://example.com/auth/signup?invite=x",
            ),
            (None, "127.0.0.1:41237", "http://127.0.0.1:41237/signup?invite=x"),
            (None, "[::1]:41237", "http://[::1]:41237/signup?invite=x"),
        ] {
            assert_eq!(link(url, address), (expected.to_owned(), None));
        }
        for (address, expected, advice) in [
            ("0.0.0.0:1", "http://127.0.0.1:1/signup?invite=x", "in place of 127.0.0.1"),
            ("[::]:1", "http://[::1]:1/signup?invite=x", "in place of [::1]"),
            ("unix:/x", "/signup?invite=x", "https://auth.example.com"),
        ] {
            let (link, said) = link(None, address);
            assert_eq!(link, expected);
            assert!(said.is_some_and(|it| it.contains(advice) && it.contains("--origin")));
        }
    }
}
