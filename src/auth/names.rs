//! Names that cannot be taken at sign-up although no account has them.
//!
//! Apps behind a reverse proxy identify users by name, and would give the next owner of a name what the
//! last one had. So the name of a deleted or renamed account rests (stays reserved) for a time, and names
//! of roles such as `admin` are assigned by the operator only. Decides which names those are and how long a
//! name rests. Knows nothing of HTTP.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::auth::usernames::{Username, bare, canonical};
use crate::base::clock::Moment;
use crate::store::{Result, Store};

/// Names that apps, mail servers, certificate authorities or people associate with authority: the mailboxes
/// of RFC 2142, those that a certificate is issued for (CA/Browser Forum, Baseline Requirements §
/// 3.2.2.4.4), accounts of operating systems, roles, and the names that apps use for anonymous users. In
/// canonical form.
const ROLES: [&str; 61] = [
    "abuse",
    "account",
    "accounts",
    "admin",
    "administrator",
    "administrators",
    "admins",
    "anonymous",
    "billing",
    "contact",
    "daemon",
    "everybody",
    "everyone",
    "ghost",
    "guest",
    "help",
    "helpdesk",
    "hostmaster",
    "info",
    "legal",
    "localhost",
    "mail",
    "mailer-daemon",
    "maintainer",
    "marketing",
    "moderator",
    "news",
    "no-reply",
    "nobody",
    "noc",
    "noreply",
    "null",
    "official",
    "operator",
    "operators",
    "owner",
    "postmaster",
    "privacy",
    "privileged",
    "root",
    "sales",
    "security",
    "service",
    "ssladmin",
    "ssladministrator",
    "sslwebmaster",
    "staff",
    "superadmin",
    "superuser",
    "support",
    "sysadmin",
    "sysop",
    "system",
    "team",
    "undefined",
    "unknown",
    "usenet",
    "uucp",
    "vestibule",
    "webmaster",
    "www-data",
];

/// The most lines that a file of reserved names may have.
const LINES_MAX: usize = 10_000;

/// Names that only the operator can assign.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reserved {
    /// In canonical form.
    names: BTreeSet<String>,
    /// As [`bare`] has them: reserved with any combining marks and punctuation.
    bare: BTreeSet<String>,
    /// The domain of the site: e-mail addresses there are reserved with the names before their `@`.
    domain: Option<String>,
}

impl Reserved {
    /// Parses a list of names, one a line, in any spelling; empty lines and text after a `#` are ignored.
    /// The error is one line that quotes the entry which is not a name.
    pub fn read(text: &str) -> std::result::Result<Self, String> {
        let mut names = BTreeSet::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let name = Username::or_address(line).ok_or_else(|| {
                format!("line {} is no name of 1 to 31 characters and no e-mail address", at + 1)
            })?;
            names.insert(name.plain().unwrap_or(name).canonical().to_owned());
            if at >= LINES_MAX {
                return Err(format!("it has more than {LINES_MAX} lines"));
            }
        }
        Ok(Self { names, ..Self::default() })
    }

    /// Adds the built-in names of roles, and reserves with every name in the set those that differ from it only by
    /// combining marks or punctuation, such as `ádmin`, `_admin_` and `ad.min`. `domain` is the registrable domain of
    /// the site, if it has one: there, and under it, `admin@example.com` is reserved as `admin` is. What is before the
    /// `@` of other addresses says nothing of a role here.
    #[must_use]
    pub fn and_roles(mut self, domain: Option<&str>) -> Self {
        self.domain = domain.map(canonical);
        self.names.extend(ROLES.map(str::to_owned));
        self.bare = self.names.iter().map(|it| bare(it)).filter(|it| !it.is_empty()).collect();
        self
    }

    /// Whether this name is in the set, in any spelling.
    pub fn has(&self, name: &Username) -> bool {
        let is_listed = |it: &str| self.names.contains(it) || self.bare.contains(&bare(it));
        let name = name.canonical();
        is_listed(name) || self.mailbox_here(name).is_some_and(is_listed)
    }

    /// What is before the `@` of an address under the domain of the site, without what a mail server ignores there.
    fn mailbox_here<'a>(&self, name: &'a str) -> Option<&'a str> {
        let (mailbox, host) = name.split_once('@')?;
        let rest = host.strip_suffix(self.domain.as_deref()?)?;
        let is_here = rest.is_empty() || rest.ends_with('.');
        is_here.then(|| mailbox.split_once('+').map_or(mailbox, |(before, _)| before))
    }
}

/// How long the name of a deleted or renamed account rests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rest(Duration);

impl Default for Rest {
    /// A year, in which apps with their own lists of users have time to remove the name.
    fn default() -> Self {
        Self(Duration::from_secs(365 * 24 * 60 * 60))
    }
}

impl Rest {
    /// A rest of this length. With zero, the name is free at once.
    pub const fn new(length: Duration) -> Self {
        Self(length)
    }

    /// How long a name stays reserved.
    pub const fn length(self) -> Duration {
        self.0
    }

    /// The last moment of a rest that starts now. `None` if the length is zero.
    pub fn end(self, now: Moment) -> Option<Moment> {
        (!self.0.is_zero()).then(|| now.after(self.0))
    }
}

/// Whether a new account may have this name: no account has it, and it does not rest. One look-up, whatever
/// the answer.
pub fn is_free(store: &dyn Store, name: &Username, now: Moment) -> Result<bool> {
    store.is_name_free(name.canonical(), now)
}

/// Releases a resting name. `false` if it does not rest.
pub fn free(store: &dyn Store, name: &Username) -> Result<bool> {
    store.free_name(name.canonical())
}

/// Deletes up to `limit` names whose rest is over, and returns how many.
pub fn delete_rested(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_rested_names(now, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::usernames;

    fn name(typed: &str) -> Username {
        Username::for_sign_in(typed).unwrap()
    }

    #[test]
    fn lists_the_names_of_an_office_in_canonical_form_and_in_order() {
        assert!(ROLES.is_sorted());
        for role in ROLES {
            assert_eq!(usernames::canonical(role), role);
        }
        let roles = Reserved::default().and_roles(None);
        for spelling in ["admin", "Admin", "ＡＤＭＩＮ", "POSTMASTER", "ａdministrator"] {
            assert!(roles.has(&name(spelling)), "{spelling}");
        }
        assert!(!roles.has(&name("anna")) && !Reserved::default().has(&name("admin")));
    }

    #[test]
    fn reserves_the_mailboxes_of_an_office_at_the_domain_of_the_site() {
        let roles = Reserved::read("boss\nceo@example.org").unwrap().and_roles(Some("example.com"));
        let has = |typed: &str| roles.has(&Username::new_address(typed).unwrap());
        for reserved in [
            "admin@example.com",
            "Post.Master@Example.com",
            "root@mail.example.com",
            "admin+1@example.com",
            "boss@example.com",
            "CEO@example.org",
        ] {
            assert!(has(reserved), "{reserved}");
        }
        for free in [
            "anna@example.com",
            "info@example.org",
            "admin@notexample.com",
            "admin@example.com.evil.example",
        ] {
            assert!(!has(free), "{free}");
        }
    }

    #[test]
    fn reads_names_a_line_each_in_any_spelling() {
        let names = Reserved::read("# bosses\n\n  Boss \r\nＣＥＯ # of us\ntwo words\n").unwrap();
        for spelling in ["boss", "BOSS", "ceo", "Two Words"] {
            assert!(names.has(&name(spelling)), "{spelling}");
        }
        assert!(!names.has(&name("of us")) && !names.has(&name("admin")));
        let long = format!("a\n{}\n", "x".repeat(32));
        assert!(Reserved::read(&long).unwrap_err().contains("line 2"));
        assert!(Reserved::read(&"a\n".repeat(LINES_MAX + 1)).is_err());
    }

    #[test]
    fn lets_a_name_rest_for_a_year_unless_told_otherwise() {
        let now = Moment::from_millis(7);
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        assert_eq!(Rest::default().end(now), Some(now.after(year)));
        assert_eq!(Rest::new(Duration::ZERO).end(now), None);
    }
}
