//! The second factor: of the user who signs in, and where an app demands one.

use url::{Url, form_urlencoded};

use super::session::sign_in_form;
use super::way_out::links;
use super::wire::Reply;
use super::{DoctorCredentials, Examination, SetCookie, Visit, of_site, without_query};
use crate::cli::terminal;

impl Examination<'_> {
    /// The answer to a sign-in after the second factor, if that is asked for. `None`: there is no code, which is told.
    pub(super) fn give_second_factor(
        &mut self,
        what: &str,
        login: &Url,
        credentials: &DoctorCredentials,
        reply: Reply,
    ) -> Option<Reply> {
        let second = of_site(login, "/login/second");
        if !leads_to(login, &reply, &second) {
            return Some(reply);
        }
        if credentials.code.is_some() {
            self.report.tell(Err(format!(
                "{what} asks for a second factor that is not set up yet; sign in once in a browser, or examine as another \
                 user"
            )));
            return None;
        }
        let name = &credentials.name;
        let Some(code) = terminal::ask(&format!("Code of the second factor of {name}: ")) else {
            self.report.tell(Err(format!(
                "{what} asks for a second factor; write a code of the app, or a recovery code, into the line below the \
                 password on standard input"
            )));
            return None;
        };
        let cookies = reply.values("set-cookie").filter_map(SetCookie::parse);
        let cookies: Vec<_> = cookies.map(|it| format!("{}={}", it.name, it.value)).collect();
        let form =
            form_urlencoded::Serializer::new(String::new()).append_pair("code", &code).finish();
        let question = sign_in_form(login, &second, form).with(&[("Cookie", &*cookies.join("; "))]);
        self.ask(&format!("POST {second}"), &question)
    }

    /// Whether the path is open only to sessions with a second factor, which this is not: it leads to the page where one
    /// is set up, by a redirect or by a link.
    pub(super) fn demands_second_factor(
        &mut self,
        what: &str,
        visit: &Visit,
        login: &Url,
        reply: &Reply,
    ) -> bool {
        let page = of_site(login, "/account/second-factor");
        let led = match reply.status {
            300..=399 => target(login, reply).into_iter().collect(),
            403 => links(&reply.body).collect::<Vec<_>>(),
            _ => return false,
        };
        let Some(to) = led.into_iter().find(|it| without_query(it) == page.as_str()) else {
            return false;
        };
        let back = to.query_pairs().find(|(name, _)| name == "next").map(|(_, it)| it.into_owned());
        if back.is_none_or(|it| to.join(&it).ok().as_ref() != Some(&visit.url)) {
            self.report.tell_at("second factor", &visit.path, Err(format!(
                "{what} leads to {page}, and not back from there to what was asked for; let the proxy tell the gate the \
                 address as the browser sent it, and hand the gate's own Location on unchanged"
            )));
        }
        true
    }
}

fn leads_to(from: &Url, reply: &Reply, page: &Url) -> bool {
    (300..=399).contains(&reply.status)
        && target(from, reply).is_some_and(|it| without_query(&it) == page.as_str())
}

/// Where a redirect leads.
fn target(from: &Url, reply: &Reply) -> Option<Url> {
    reply.values("location").next().and_then(|it| from.join(it).ok())
}
