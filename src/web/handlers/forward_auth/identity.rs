//! The headers that tell an app who the user is.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::checks::{Protocol, Tells};
use crate::store::User;
use crate::web::Site;
use crate::web::http::{Note, Response};

/// The names of the headers that tell an app who the user is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdentityHeaders {
    /// The canonical name, unique among all users.
    pub user: &'static str,
    /// The user id, which never changes.
    pub id: &'static str,
    /// The name as first typed, for display.
    pub name: &'static str,
    /// The groups, separated by commas.
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
    /// All names, in the order of the fields.
    pub const fn all(&self) -> [&'static str; 5] {
        [self.user, self.id, self.name, self.groups, self.email]
    }
}

/// What must be escaped in a header: control characters and non-ASCII, the per cent sign, which starts an
/// escape, the comma, which separates list items, and the space, as outer spaces would be lost.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b',').add(b' ');

/// What must be escaped in a text for display, which may have inner spaces.
const SHOWN: &AsciiSet = &CONTROLS.add(b'%');

/// The only response with an identity, which always has all of its headers: a missing one could be taken
/// from the client's request.
pub(super) fn let_through(site: &Site, check: Protocol, user: Option<&User>) -> Response {
    let answer = Response::text(check.passed, "").noting(Note::of_passed_check());
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let text = |of: fn(&User) -> &str| user.map_or(String::new(), |it| escaped(of(it)));
    let name = text(|it| &it.canonical_username);
    let email = text(User::verified_email);
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

/// A name for display, in ASCII. Escapes are decoded like those of a URL.
fn shown(name: &str) -> String {
    // White space at either end of a header value is lost.
    let set = if name.trim() == name { SHOWN } else { ESCAPED };
    utf8_percent_encode(name, set).to_string()
}
