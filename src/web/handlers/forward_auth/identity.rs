//! The headers that tell an app who the user is.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::checks::{Protocol, Tells};
use crate::store::User;
use crate::web::Site;
use crate::web::http::Response;

/// The headers that tell an app who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdentityHeaders {
    /// The canonical name: the same however it was typed, and nobody else's.
    pub user: &'static str,
    /// The user id, which outlasts the name.
    pub id: &'static str,
    /// The name as first typed, to be shown.
    pub name: &'static str,
    /// The groups, with commas between them.
    pub groups: &'static str,
    pub email: &'static str,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            user: "Remote-User",
            id: "Remote-Id",
            name: "Remote-Name",
            groups: "Remote-Groups",
            email: "Remote-Email",
        }
    }
}

impl IdentityHeaders {
    /// All of them.
    pub const fn all(&self) -> [&'static str; 5] {
        [self.user, self.id, self.name, self.groups, self.email]
    }
}

/// What stands in a header as it is: visible ASCII, but no per cent sign, since that begins an escape,
/// no comma, which parts a list, and no space, of which the outer ones would be lost.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b',').add(b' ');

/// The same for a text that is to be shown: its inner spaces may stay.
const SHOWN: &AsciiSet = &CONTROLS.add(b'%');

/// The one response that carries an identity, and always the whole of it: a header that is missing
/// could be one that the client sent.
pub(super) fn let_through(site: &Site, check: Protocol, user: Option<&User>) -> Response {
    let answer = Response::text(check.passed, "");
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let text = |of: fn(&User) -> &str| user.map_or(String::new(), |it| escaped(of(it)));
    let name = text(|it| &it.canonical_username);
    let email = text(|it| &it.email);
    let groups = user.map_or(String::new(), |it| it.groups.as_str().to_owned());
    match check.tells {
        Tells::Vouch => answer.with("X-Vouch-User", name),
        Tells::Oauth2Proxy => answer
            .with("X-Auth-Request-User", name.clone())
            .with("X-Auth-Request-Preferred-Username", name)
            .with("X-Auth-Request-Groups", groups)
            .with("X-Auth-Request-Email", email),
        Tells::Ours | Tells::OursAndSub => {
            let id = text(|it| it.id.as_str());
            let shown = user.map_or(String::new(), |it| shown(&it.username));
            let answer = match check.tells {
                Tells::OursAndSub => answer.with("Remote-Sub", id.clone()),
                _ => answer,
            };
            answer
                .with(site.settings.identity.user, name)
                .with(site.settings.identity.id, id)
                .with(site.settings.identity.name, shown)
                .with(site.settings.identity.groups, groups)
                .with(site.settings.identity.email, email)
        }
    }
}

/// A name to be shown, as ASCII. Escapes are read back as in an address.
fn shown(name: &str) -> String {
    // A header loses white space at either end.
    let set = if name.trim() == name { SHOWN } else { ESCAPED };
    utf8_percent_encode(name, set).to_string()
}
