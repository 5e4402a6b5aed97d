//! An app on the host of the sign-in: which paths are the sign-in's, and which of the app's are guarded.

use std::fmt;

use crate::base::base_url::BaseUrl;
use crate::web::{CHANGE_PASSWORD, page_paths};

/// An app on the host of the sign-in.
pub struct SharedHost {
    /// The address at which the proxy reaches it.
    pub upstream: String,
    /// The paths that are guarded; none, or one that is the root: the whole app.
    pub guarded: Vec<GuardedPath>,
}

impl SharedHost {
    /// A regular expression for the guarded paths, without regard to case, as some apps have none for it.
    /// `None`: the whole app is guarded.
    pub(super) fn pattern(&self) -> Option<String> {
        let is_whole = self.guarded.is_empty() || self.guarded.iter().any(GuardedPath::is_root);
        let parts = self.guarded.iter().map(GuardedPath::expression);
        (!is_whole).then(|| format!("^/({})", parts.collect::<Vec<_>>().join("|")))
    }

    /// The same, and every path with a semicolon, a backslash or an encoded slash: some servers leave out what follows
    /// the first in a segment (RFC 3986 § 3.3), and take the others for a slash, so that `/x/..;/admin` is `/admin`
    /// there. Traefik does not decode `%2f` before it chooses.
    pub(super) fn wide_pattern(&self) -> Option<String> {
        self.pattern().map(|it| format!("{it}|[;\\x5c]|%3b|%5c|%2f"))
    }
}

/// A path of an app that is guarded with all that begins like it, in any case of letters: `/admin` with `/admins`.
/// With a slash at its end it is guarded with what is below it alone: `/admin/` with `/admin` and `/admin/users`.
#[derive(Clone)]
pub struct GuardedPath(String);

impl GuardedPath {
    /// Parses a path as the operator writes it, if it can stand in a regular expression of every proxy. An error
    /// says how to write it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._~-".contains(it);
        let advice = match text.chars().find(|it| !is_plain(*it)) {
            _ if !text.starts_with('/') => "begin each path with a slash, as in /admin",
            Some('?' | '#') => {
                "leave out what begins with ? or #, as in /admin: a path is guarded with every query"
            }
            Some(';') => {
                "leave out the ; and what follows it, as in /admin: every path with a ; is guarded anyway"
            }
            Some(_) => {
                "write the beginning of the path, as in /admin, with letters, digits and ._~-; it is no pattern, and \
                 all that begins like it is guarded"
            }
            None if text.contains("//") => "write single slashes, as in /admin/users",
            None if text.split('/').any(|it| it == "." || it == "..") => {
                "write the path that it leads to, as in /admin, without . and .."
            }
            None => return Ok(Self(text.to_owned())),
        };
        Err(advice.to_owned())
    }

    fn is_root(&self) -> bool {
        self.path().is_empty()
    }

    /// The path without a slash at its end.
    fn path(&self) -> &str {
        self.0.trim_end_matches('/')
    }

    fn is_exact(&self) -> bool {
        self.0.ends_with('/')
    }

    fn expression(&self) -> String {
        let end = if self.is_exact() { "(/|$)" } else { "" };
        format!("{}{end}", self.path().trim_start_matches('/').replace('.', "\\."))
    }

    /// Whether requests for this path are guarded.
    fn covers(&self, path: &str) -> bool {
        let (guarded, path) = (self.path().to_ascii_lowercase(), path.to_ascii_lowercase());
        if self.is_exact() { is_below(&path, &guarded) } else { path.starts_with(&guarded) }
    }
}

impl fmt::Display for GuardedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The paths that the sign-in answers on the host of an app, each with all that is below it.
pub(super) fn own_paths(own: &BaseUrl) -> Vec<String> {
    if own.prefix.is_empty() {
        page_paths().map(str::to_owned).collect()
    } else {
        vec![own.prefix.to_string(), CHANGE_PASSWORD.to_owned()]
    }
}

/// Whether a path is this one, or below it.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

/// Refuses guarded paths that are named twice, and those for which the sign-in answers, without a check. An error is
/// one line that says what to do.
pub(super) fn refuse(guarded: &[GuardedPath], own: &BaseUrl) -> Result<(), String> {
    for (at, guard) in guarded.iter().enumerate() {
        let path = guard.path().to_ascii_lowercase();
        let is_same = |it: &&GuardedPath| it.path().eq_ignore_ascii_case(&path);
        if let Some(other) = guarded[..at].iter().find(is_same) {
            return Err(format!(
                "--guard names {other} and {guard}, which is one path twice; leave one out"
            ));
        }
        // The root stands for the whole app.
        let own_paths = if guard.is_root() { Vec::new() } else { own_paths(own) };
        let is_theirs = |it: &String| is_below(&path, &it.to_ascii_lowercase()) || guard.covers(it);
        if let Some(theirs) = own_paths.iter().find(|it| is_theirs(it)) {
            return Err(conflict(guard, theirs, own));
        }
    }
    Ok(())
}

/// What to do about a guarded path and a path of the sign-in of which one holds the other.
fn conflict(guard: &GuardedPath, theirs: &str, own: &BaseUrl) -> String {
    let elsewhere = if own.prefix.is_empty() {
        format!("give the sign-in a path of its own, as in --origin {}/auth", own.origin)
    } else {
        format!("give the sign-in another path with --origin than {}", own.prefix)
    };
    let (path, folder) = (guard.path(), theirs.to_ascii_lowercase());
    if is_below(&path.to_ascii_lowercase(), &folder) {
        return format!(
            "--guard {guard}: the sign-in answers {theirs}, without a check, and not your app; leave it out, or {elsewhere}"
        );
    }
    let instead = if is_below(&folder, &path.to_ascii_lowercase()) {
        format!("name the paths below {path} one by one")
    } else {
        format!("write {path}/ for {path} and what is below it alone")
    };
    format!(
        "--guard {guard} stands for {theirs} as well, which the sign-in answers, without a check; {instead}, or \
         {elsewhere}"
    )
}
