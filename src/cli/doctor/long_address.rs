//! Whether visitors return to a long address after signing in: the address is guarded, the sign-in page is told the
//! whole of it, and the address of that page, which is longer still, is answered too.

use url::Url;

use super::verdict::{self, Guard};
use super::wire::{Question, Reply};
use super::{Examination, Visit, asked, leads_to_sign_up, of_site, without_query};

/// The lengths of the addresses that are tried, in bytes, until the app's proxy accepts one. nginx accepts the first.
/// Each is shorter than the address of the sign-in page with the next one in its query.
const ADDRESS_BYTES: [usize; 9] = [7_500, 6_000, 4_800, 3_900, 3_200, 2_600, 2_000, 1_600, 1_300];

/// The filling of the query: characters that grow when they are percent-encoded, and some that need not.
const PART: &str = "&x=%C3%A4,a,b,c/d";

impl Examination<'_> {
    /// Follows a long address at this path to the sign-in page. With `asks_page`, that page is requested as well.
    pub(super) fn follow_long(&mut self, visit: &Visit, asks_page: bool) {
        let Some((url, reply)) = self.ask_longest(visit) else { return };
        let what = with_length(visit, &url);
        let location = reply.values("location").next().and_then(|it| Url::parse(it).ok());
        let (Guard::SignIn { back, .. }, Some(location)) = (Guard::of(&reply), location) else {
            self.report.tell(Err(format!(
                "{what} answered {} and leads to no sign-in page; let the proxy read a long Location from the gate \
                 (in nginx, proxy_buffer_size 32k)",
                reply.status
            )));
            return;
        };
        if back.is_none_or(|it| it != url.as_str()) {
            self.report.tell(Err(format!(
                "{what} does not tell the sign-in page the whole address, so visitors do not come back to it; let the \
                 gate read it and hand its own Location on, unchanged"
            )));
            return;
        }
        if asks_page {
            self.follow_to_page(&what, &location);
            self.ask_long_location(&location);
        }
    }

    /// The longest of the tried addresses that the app's proxy accepts, and its answer. A longer one is refused with or
    /// without a gate. But the address of the sign-in page is longer than the one it leads back to, so a proxy with the
    /// same limit in front of the sign-in page may refuse that page.
    fn ask_longest(&mut self, visit: &Visit) -> Option<(Url, Reply)> {
        let mut refused = None;
        for length in ADDRESS_BYTES {
            let url = long(&self.plan.app, &visit.path, length);
            let what = with_length(visit, &url);
            let reply = self.ask(&what, &Question::navigation(&url))?;
            if !matches!(reply.status, 400 | 414 | 431) {
                return Some((url, reply));
            }
            refused.get_or_insert_with(|| {
                self.report.skip(&format!(
                    "{what}: the app's proxy takes none (it answered {}); shorter ones are tried",
                    reply.status
                ));
            });
        }
        None
    }

    /// Examines whether the proxy of the sign-in passes on a long `Location`, as there is one after signing in: the
    /// address to return to. The redirect from an account page to the sign-in page shows it without a session.
    fn ask_long_location(&mut self, page: &Url) {
        let login = Url::parse(without_query(page)).expect("it is an address without its query");
        let profile = of_site(&login, "/account");
        let url = long(&profile, profile.path(), ADDRESS_BYTES[0]);
        let what = format!(
            "GET {} with an address of {} bytes",
            without_query(&profile),
            url.as_str().len()
        );
        let Some(reply) = self.ask(&what, &Question::navigation(&url)) else { return };
        let location = reply.values("location").next().and_then(|it| login.join(it).ok());
        let back = location.as_ref().and_then(verdict::back_of);
        let advice = "let the proxy of the sign-in read a long Location (in nginx, proxy_buffer_size 16k; in httpd, \
                      responsefieldsize=32768 with ProxyPass)";
        match reply.status {
            300..=399 if back.and_then(|it| login.join(&it).ok()).as_ref() == Some(&url) => self
                .report
                .tell(Ok(format!("{what} is led on to an address as long, as after a sign-in"))),
            status @ 300..=399 => self.report.tell(Err(format!(
                "{what} answered {status} and leads to an address that is cut off, as would a sign-in that leads back \
                 to a long address; {advice}"
            ))),
            status @ 500.. => self.report.tell(Err(format!(
                "{what} answered {status}, as would a sign-in that leads back to a long address; {advice}"
            ))),
            // The request itself was too long: that limit is reported for the sign-in page.
            _ => {}
        }
    }

    fn follow_to_page(&mut self, what: &str, page: &Url) {
        let length = page.as_str().len();
        let asked = |page: &Url| {
            let (short, length) = (without_query(page), page.as_str().len());
            format!("GET {short} with an address of {length} bytes, to which {what} leads,")
        };
        let Some(reply) = self.ask(&asked(page), &Question::navigation(page)) else { return };
        // On a site without accounts, the sign-in page redirects to the form for the first one.
        let form = reply.values("location").next().and_then(|it| page.join(it).ok());
        let reply = match form.filter(|_| leads_to_sign_up(page, &reply)) {
            Some(form) => match self.ask(&asked(&form), &Question::navigation(&form)) {
                Some(reply) => reply,
                None => return,
            },
            None => reply,
        };
        self.report.tell(match reply.status {
            200 if reply.body.contains("name=\"next\"") => {
                Ok(format!("{what} leads to the sign-in page and back"))
            }
            200 => Err(format!(
                "{what} leads to a sign-in page that does not know where to lead back to; let the proxy pass its whole \
                 address on"
            )),
            status => Err(format!(
                "{what} leads to a sign-in page that answered {status}, as its address has {length} bytes; let its proxy \
                 read as many (in nginx, large_client_header_buffers 4 32k)"
            )),
        });
    }
}

fn with_length(visit: &Visit, url: &Url) -> String {
    format!("GET {} with an address of {} bytes", visit.path, url.as_str().len())
}

/// An address at this path with this many bytes.
fn long(app: &Url, path: &str, length: usize) -> Url {
    let mut url = asked(app, path);
    let begun = url.as_str().len();
    let rest: String = PART.chars().cycle().take(length.saturating_sub(begun)).collect();
    // Some proxies would encode a truncated escape again.
    let whole = rest.rfind('&').map_or("", |at| &rest[..at]);
    let filled = format!("{whole}{}", "z".repeat(rest.len() - whole.len()));
    let query = format!("{}{filled}", url.query().unwrap_or_default());
    url.set_query(Some(&query));
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::redirect;

    #[test]
    fn makes_an_address_that_is_as_long_as_it_says_and_not_written_anew() {
        for app in ["https://a.test/", "https://a.test:8443/wiki/"] {
            for length in ADDRESS_BYTES {
                let url = long(&Url::parse(app).unwrap(), "/wiki/", length);
                assert_eq!(url.as_str().len(), length);
                assert_eq!(Url::parse(url.as_str()).unwrap(), url);
            }
        }
    }

    #[test]
    fn tries_addresses_so_near_each_other_that_a_page_is_longer_than_the_next() {
        let app = Url::parse("https://a.test/").unwrap();
        for pair in ADDRESS_BYTES.windows(2) {
            let inside =
                redirect::way("https://a.test/login", Some(long(&app, "/", pair[1]).as_str()));
            assert!(inside.len() > pair[0], "{pair:?}: {}", inside.len());
        }
    }
}
