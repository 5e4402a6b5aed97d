//! The row of the site's tables that a request met, by which requests are counted.
//!
//! The rows are those of [`routes::ROUTES`](super::routes) and of the check endpoints, and one for everything else, so
//! no client can bring a new one into being.

use super::handlers::forward_auth;
use super::routes::{ROUTES, Route};

/// A row of the table of routes or of that of check endpoints.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RouteRow(usize);

impl RouteRow {
    /// Not a row: the site has no such address, or it is not known which one was asked for.
    pub const OTHER: Self = Self(0);

    /// How many rows there are, [`RouteRow::OTHER`] included.
    pub const COUNT: usize = 1 + ROUTES.len() + forward_auth::CHECK_ROWS;

    /// The row of the route with this number in the table.
    pub(super) const fn of_route(number: usize) -> Self {
        Self(1 + number)
    }

    /// The row of the check endpoint with this number in its table.
    pub(super) const fn of_check(number: usize) -> Self {
        Self(1 + ROUTES.len() + number)
    }

    /// Every row, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Its number, less than [`RouteRow::COUNT`].
    pub const fn number(self) -> usize {
        self.0
    }

    /// The path as the table has it, without the prefix of a site; `other` for [`RouteRow::OTHER`].
    pub fn path(self) -> &'static str {
        let of_check = || forward_auth::check_row_paths().nth(self.0 - 1 - ROUTES.len());
        match self.route() {
            Some(route) => route.path,
            None if self == Self::OTHER => "other",
            None => of_check().unwrap_or("other"),
        }
    }

    /// The route, if it is the row of one.
    pub(super) fn route(self) -> Option<&'static Route> {
        ROUTES.get(self.0.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn gives_every_row_a_path_of_its_own() {
        let paths: BTreeSet<_> = RouteRow::all().map(RouteRow::path).collect();
        assert_eq!(paths.len(), RouteRow::COUNT);
        assert!(forward_auth::check_paths().all(|it| paths.contains(it)));
        assert!(["/", "/login", "/auth/envoy/", "other"].iter().all(|it| paths.contains(it)));
    }
}
