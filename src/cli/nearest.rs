//! What an operator may have meant by a word that names nothing.

/// The name that is nearest to what was typed; `None`: none is near. Upper case, hyphens and underscores make no
/// difference, two letters in the wrong order are one mistake, and a name that is cut short or has an ending
/// is near as well.
pub(super) fn nearest<'a>(
    typed: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = letters(typed);
    let near = names.into_iter().filter_map(|name| Some((mistakes(&typed, &letters(name))?, name)));
    // Of those with as few mistakes, the one with more in common.
    let unlike = |name: &str| 1.0 - strsim::jaro(&typed, &letters(name));
    let order = |(few, one): &(usize, &str), (other_few, other): &(usize, &str)| {
        few.cmp(other_few).then(unlike(one).total_cmp(&unlike(other)))
    };
    near.min_by(order).map(|(_, name)| name)
}

fn letters(text: &str) -> String {
    text.chars().filter(|it| !matches!(it, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// How many mistakes lead from a name to what was typed; `None`: more than its length lets one expect.
fn mistakes(typed: &str, name: &str) -> Option<usize> {
    let is_cut = typed.len() > 1 && name.starts_with(typed);
    let has_ending = typed.strip_prefix(name).is_some_and(|ending| ending.len() < 3);
    if typed != name && (is_cut || has_ending) {
        return Some(1);
    }
    let most = match typed.chars().count() {
        0 | 1 => 0,
        2 | 3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    Some(strsim::osa_distance(typed, name)).filter(|count| *count <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 14] = [
        "restore",
        "serve",
        "user",
        "session",
        "audit",
        "add",
        "reset-link",
        "rename",
        "signup",
        "json",
        "follow",
        "trusted-proxy",
        "trusted-origin",
        "logo",
    ];

    #[test]
    fn finds_what_was_meant_whatever_the_slip() {
        for (typed, expected) in [
            ("sreve", "serve"),
            ("srve", "serve"),
            ("serv", "serve"),
            ("Serve", "serve"),
            ("retsore", "restore"),
            ("users", "user"),
            ("usr", "user"),
            ("ad", "add"),
            ("sess", "session"),
            ("auidt", "audit"),
            ("resetlink", "reset-link"),
            ("reset_lnik", "reset-link"),
            ("sing-up", "signup"),
            ("sign_up", "signup"),
            ("jsn", "json"),
            ("sessions", "session"),
            ("trusted-proxies", "trusted-proxy"),
        ] {
            assert_eq!(nearest(typed, NAMES), Some(expected), "{typed}");
        }
    }

    #[test]
    fn finds_nothing_where_nothing_is_near() {
        for typed in ["", "-", "x", "xyz", "hahahaha", "foo", "format"] {
            assert_eq!(nearest(typed, NAMES), None, "{typed}");
        }
    }
}
