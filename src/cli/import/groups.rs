//! Groups of another system, made fit to be groups here.
//!
//! Decides how: letters become lower case, blanks become hyphens, and a group that is still invalid is left out by
//! itself. So `Staff Members` becomes `staff-members`, and the user keeps their other groups.

use crate::auth::users;
use crate::store::Groups;

/// The groups that a user gets.
pub(super) struct FittedGroups {
    pub(super) groups: Groups,
    /// Those that had to be changed, and what they are now.
    pub(super) renamed: Vec<(String, String)>,
    /// Those that cannot be groups here.
    pub(super) left_out: Vec<String>,
}

/// The groups in a text with commas or semicolons between them.
pub(super) fn fit(text: &str) -> FittedGroups {
    let (mut fitting, mut renamed, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for written in text.split([',', ';']).map(str::trim).filter(|it| !it.is_empty()) {
        let name = written.split_whitespace().collect::<Vec<_>>().join("-").to_lowercase();
        if users::groups(&name).is_none() {
            left_out.push(written.to_owned());
            continue;
        }
        if name != written {
            renamed.push((written.to_owned(), name.clone()));
        }
        fitting.push((name, written));
    }
    loop {
        let names: Vec<_> = fitting.iter().map(|(name, _)| name.as_str()).collect();
        if let Some(groups) = users::groups(&names.join(",")) {
            return FittedGroups { groups, renamed, left_out };
        }
        // More groups than one user may be in.
        let (_, last) = fitting.pop().expect("no groups at all are groups");
        left_out.push(last.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_groups_fit_and_leaves_out_those_that_cannot_be() {
        let it = fit("Staff  Members; ops,ADMIN,b\u{fc}ro,a/b;;ops");
        assert_eq!(it.groups.as_str(), "admin,ops,staff-members");
        let renamed = [("Staff  Members", "staff-members"), ("ADMIN", "admin")];
        assert!(it.renamed.iter().map(|(one, other)| (&**one, &**other)).eq(renamed));
        assert_eq!(it.left_out, ["b\u{fc}ro", "a/b"]);
        assert_eq!(fit("").groups.as_str(), "");
    }

    #[test]
    fn leaves_out_groups_beyond_the_most_that_a_user_may_have() {
        let all = (0..102).map(|it| format!("g{it}")).collect::<Vec<_>>().join(";");
        let it = fit(&all);
        assert_eq!((it.groups.iter().count(), it.left_out.len()), (100, 2));
    }
}
