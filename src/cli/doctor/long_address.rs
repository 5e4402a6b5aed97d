//! Whether a long address comes back: it is guarded, the sign-in page is told it, and that page's own address, which
//! is longer still, is answered as well.

use url::Url;

use super::verdict::Guard;
use super::wire::Question;
use super::{Examination, Visit, asked, leads_to_sign_up, without_query};

/// The longest address that is tried, in bytes: less than nginx reads, so that any proxy of an app takes it.
const ADDRESS_BYTES: usize = 7_500;

/// What it is full of: parts that grow when they are written into a parameter, and parts that need not.
const PART: &str = "&x=%C3%A4,a,b,c/d";

impl Examination<'_> {
    /// Follows a long address of this path to the sign-in page, and asks for that page as well if it answers otherwise.
    pub(super) fn follow_long(&mut self, visit: &Visit, asks_page: bool) {
        let url = long(&self.plan.app, &visit.path);
        let what = format!("GET {} with an address of {ADDRESS_BYTES} bytes", visit.path);
        let Some(reply) = self.ask(&what, &Question::navigation(&url)) else { return };
        let location = reply.values("location").next().and_then(|it| Url::parse(it).ok());
        let (Guard::SignIn { back, .. }, Some(location)) = (Guard::of(&reply), location) else {
            if matches!(reply.status, 400 | 414 | 431) {
                self.report.skip(&format!(
                    "{what}: the app's proxy takes none (it answered {})",
                    reply.status
                ));
            } else {
                self.report.tell(Err(format!(
                    "{what} answered {} and leads to no sign-in page; let the proxy read a long Location from the gate \
                     (in nginx, proxy_buffer_size 32k)",
                    reply.status
                )));
            }
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
        }
    }

    fn follow_to_page(&mut self, what: &str, page: &Url) {
        let length = page.as_str().len();
        let asked = |page: &Url| {
            let (short, length) = (without_query(page), page.as_str().len());
            format!("GET {short} with an address of {length} bytes, to which {what} leads,")
        };
        let Some(reply) = self.ask(&asked(page), &Question::navigation(page)) else { return };
        // Without an account, the way leads on to the form for the first one.
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

/// An address at this path as long as is tried.
fn long(app: &Url, path: &str) -> Url {
    let mut url = asked(app, path);
    let begun = url.as_str().len();
    let rest: String = PART.chars().cycle().take(ADDRESS_BYTES.saturating_sub(begun)).collect();
    // An escape that is cut off would be written anew by some proxies.
    let whole = rest.rfind('&').map_or("", |at| &rest[..at]);
    let filled = format!("{whole}{}", "z".repeat(rest.len() - whole.len()));
    let query = format!("{}{filled}", url.query().unwrap_or_default());
    url.set_query(Some(&query));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_an_address_that_is_as_long_as_it_says_and_not_written_anew() {
        for app in ["https://a.test/", "https://a.test:8443/wiki/"] {
            let url = long(&Url::parse(app).unwrap(), "/wiki/");
            assert_eq!(url.as_str().len(), ADDRESS_BYTES);
            assert_eq!(Url::parse(url.as_str()).unwrap(), url);
        }
    }
}
