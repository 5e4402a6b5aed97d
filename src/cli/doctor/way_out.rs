//! Whether a user can sign out: the page with the sign-out button, to which links of apps and of the page for denied
//! users lead.

use url::Url;

use super::verdict::Finding;
use super::wire::{Question, Reply};
use super::{Examination, Visit, asked, of_site};

impl Examination<'_> {
    /// Follows a sign-out link as an app would show it, with a session.
    pub(super) fn check_way_out(&mut self, login: &Url, cookie: &str) {
        let mut out = of_site(login, "/logout");
        out.query_pairs_mut().append_pair("next", self.plan.app.as_str());
        self.follow_way_out("a sign-out link", &out, cookie);
    }

    /// Examines the page for a user who is denied access, and follows its sign-out link. Returns whether it has one; a
    /// page without one may be the app's own.
    pub(super) fn leave_denied(
        &mut self,
        visit: &Visit,
        login: &Url,
        cookie: &str,
        reply: &Reply,
    ) -> bool {
        let own = of_site(login, "/logout");
        let Some(out) = links(&reply.body).find(|it| is_page(it, &own)) else { return false };
        let what = format!("the page for users without access at {}", visit.path);
        let back =
            out.query_pairs().find(|(name, _)| name == "next").map(|(_, it)| it.into_owned());
        if back.is_none_or(|it| out.join(&it).ok() != Some(asked(&self.plan.app, &visit.path))) {
            self.report.tell_at("way out", &visit.path, Err(format!(
                "{what} leads to {out}, and not back to what was asked for; let the proxy tell vestibule the whole \
                 address there too"
            )));
        } else {
            self.follow_way_out(&what, &out, cookie);
        }
        true
    }

    fn follow_way_out(&mut self, what: &str, out: &Url, cookie: &str) {
        let question = Question::navigation(out).with(&[("Cookie", cookie)]);
        if let Some(reply) = self.ask(&format!("GET {out}"), &question) {
            let finding = judge(what, out, &reply);
            self.report.tell_at("way out", out.path(), finding);
        }
    }
}

/// Judges the response to a sign-out link with a session.
fn judge(what: &str, out: &Url, reply: &Reply) -> Finding {
    let page = super::without_query(out);
    let advice = "let its proxy pass GET and POST of this path on to vestibule, with the query";
    match reply.status {
        200 if reply.body.contains("name=\"next\"") => {
            Ok(format!("{what} leads to the button at {page}, and back"))
        }
        200 if reply.body.contains("<form") => Err(format!(
            "{what} leads to the button at {page}, which does not know where to lead back to; {advice}, and see \
             next_refused in vestibule's log"
        )),
        status => {
            let to = reply
                .values("location")
                .next()
                .map_or(String::new(), |it| format!(" and leads to {it}"));
            Err(format!(
                "{what} leads to {page}, which answered {status}{to} and shows no button, so that no user can leave by \
                 it; {advice}"
            ))
        }
    }
}

/// The absolute URLs that a page links to.
pub(super) fn links(page: &str) -> impl Iterator<Item = Url> {
    let hrefs = page.split("href=\"").skip(1).filter_map(|it| it.split_once('"'));
    hrefs.filter_map(|(it, _)| Url::parse(&it.replace("&amp;", "&")).ok())
}

fn is_page(url: &Url, page: &Url) -> bool {
    super::without_query(url) == page.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(status: u16, location: &str, body: &str) -> Finding {
        let out = Url::parse("https://a.test/auth/logout?next=https://b.test/").unwrap();
        let headers = [location].into_iter().filter(|it| !it.is_empty());
        let headers = headers.map(|it| ("Location".to_owned(), it.to_owned())).collect();
        judge("a link", &out, &Reply { status, headers, body: body.to_owned() })
    }

    #[test]
    fn finds_a_link_that_is_a_dead_end_or_leads_in_a_circle() {
        assert!(found(200, "", "<form><input name=\"next\">").is_ok());
        for (status, location, body, expected) in [
            (
                302,
                "/login",
                "",
                "https://a.test/auth/logout, which answered 302 and leads to /login and shows no",
            ),
            (405, "", "", "answered 405 and shows no button"),
            (404, "", "", "answered 404 and shows no button"),
            (200, "", "the app", "answered 200 and shows no button"),
            (200, "", "<form>", "does not know where to lead back to; let its proxy"),
        ] {
            let text = found(status, location, body).unwrap_err();
            assert!(text.contains(expected) && text.contains("; let its proxy pass"), "{text}");
        }
    }

    #[test]
    fn reads_the_links_of_a_page() {
        let page = "<a href=\"/x\"><link href=\"https://a.test/style.css\"><a href=\"https://a.test/logout?a=b&amp;c\">";
        let all: Vec<_> = links(page).map(String::from).collect();
        assert_eq!(all, ["https://a.test/style.css", "https://a.test/logout?a=b&c"]);
    }
}
