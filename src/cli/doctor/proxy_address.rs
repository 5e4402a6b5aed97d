//! Whether vestibule takes the proxy's address for that of every client, as it does if it trusts no proxy.

use std::net::IpAddr;

use url::Url;

use super::wire::{Question, Reply};
use super::{Examination, of_site};

impl Examination<'_> {
    /// Examines which client address vestibule sees: without a trusted proxy, it is the proxy's for every client.
    pub(super) fn check_proxy(&mut self, login: &Url, cookie: &str) {
        if self.wire.leads_to_loopback(login) {
            // A loopback address is then this client's own.
            return;
        }
        let question = Question::bare("GET", &of_site(login, "/whoami"));
        let question = question.with(&[("Cookie", cookie), ("Accept", "text/plain")]);
        let Ok(reply) = self.wire.ask(&question) else { return };
        if let Some(hint) = unbelieved_proxy(&reply) {
            self.report.hint(&hint);
        }
    }
}

/// The finding for a client on another machine to which `/whoami` shows a loopback address.
fn unbelieved_proxy(whoami: &Reply) -> Option<String> {
    let address: IpAddr = whoami.body.trim().parse().ok()?;
    (whoami.status == 200 && address.to_canonical().is_loopback()).then(|| {
        format!(
            "vestibule takes {address} for the address of every client, which is the proxy's, so guesses at passwords \
             are counted together; give vestibule serve --trusted-proxy {address}, and let the proxy send \
             X-Forwarded-For"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_client_that_has_the_proxys_address() {
        for (status, body, expected) in [
            (200, "127.0.0.1", Some("--trusted-proxy 127.0.0.1,")),
            (200, "::1\n", Some("--trusted-proxy ::1,")),
            (200, "192.0.2.7", None),
            (200, "unknown", None),
            (401, "127.0.0.1", None),
        ] {
            let found =
                unbelieved_proxy(&Reply { status, headers: Vec::new(), body: body.to_owned() });
            assert_eq!(found.is_some(), expected.is_some(), "{body}");
            assert!(found.is_none_or(|it| it.contains(expected.unwrap())), "{body}");
        }
    }
}
