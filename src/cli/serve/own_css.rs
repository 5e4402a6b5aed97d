//! What in an operator's stylesheet cannot work: the pages load nothing, and use twelve variables.
//!
//! It reads CSS as far as that needs (CSS Syntax Module Level 3): comments, strings and brackets, and no grammar of
//! rules. A stylesheet in which it finds something is served all the same.

use crate::cli::nearest::nearest;
use crate::web::pages::branding;

/// The most flaws that are named: more have one cause.
const NAMED_MAX: usize = 5;

/// What cannot work, each in a few words; empty: nothing was found.
pub(super) fn flaws(css: &str) -> Vec<String> {
    let sheet = Sheet::read(css);
    let mut flaws: Vec<String> = sheet.unclosed.map(str::to_owned).into_iter().collect();
    let mut add = |flaw: String| {
        if !flaws.contains(&flaw) {
            flaws.push(flaw);
        }
    };
    let code = &*sheet.code;
    let lower = code.to_ascii_lowercase();
    for mark in ["<style", "</style", "<!--", "-->"] {
        if lower.contains(mark) {
            add(format!("{mark} is HTML: a stylesheet has rules alone"));
        }
    }
    for (rule, why) in [
        ("@import", "loads nothing behind other rules: put its rules into the file"),
        ("@font-face", "loads no font: name one that visitors have"),
        ("@charset", "counts at the beginning alone: it is UTF-8 in any case"),
        ("@namespace", "counts at the beginning alone"),
    ] {
        if words(&lower, '@').any(|word| word == &rule[1..]) {
            add(format!("{rule} {why}"));
        }
    }
    for address in &sheet.addresses {
        if !is_loaded(address) {
            add(format!("url({}) is not loaded: the pages load nothing", shortened(address)));
        }
    }
    variables(code).for_each(&mut add);
    let more = flaws.len().saturating_sub(NAMED_MAX);
    flaws.truncate(NAMED_MAX);
    if more > 0 {
        flaws.push(format!("and {more} more"));
    }
    flaws
}

/// Whether a page shows what is at this address: a part of the page itself, or the site's own images.
fn is_loaded(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    address.starts_with('#')
        || (path.starts_with('/') && !path.starts_with("//"))
            && ["/logo", "/icon.svg"].iter().any(|it| path.ends_with(it))
}

/// Variables that are set and that no rule uses, and that are used and that nothing sets.
fn variables(code: &str) -> impl Iterator<Item = String> {
    let known: Vec<_> = branding::variables().collect();
    let (mut set, mut used) = (Vec::new(), Vec::new());
    for (at, _) in code.match_indices("--") {
        let is_start = !code[..at].ends_with(|it: char| is_of_name(it));
        let name = &code[at + 2..];
        let name = &name[..name.find(|it: char| !is_of_name(it)).unwrap_or(name.len())];
        let rest = code[at + 2 + name.len()..].trim_start();
        let before = code[..at].trim_end().to_ascii_lowercase();
        if !is_start || name.is_empty() {
            continue;
        }
        if before.ends_with("var(") {
            used.push((name, rest.starts_with(',')));
        } else if rest.starts_with(':') && (before.is_empty() || before.ends_with(['{', ';'])) {
            set.push(name);
        } else {
            // As in `from --accent`, or `@property --x`: another use, which is none of ours to judge.
            used.push((name, true));
        }
    }
    let mut flaws = Vec::new();
    for name in &set {
        let is_used = known.contains(name) || used.iter().any(|(it, _)| it == name);
        if !is_used {
            flaws.push(format!("nothing uses --{name}{}", suggestion(name, &known)));
        }
    }
    for (name, has_other) in &used {
        if !has_other && !known.contains(name) && !set.contains(name) {
            flaws.push(format!("nothing sets --{name}{}", suggestion(name, &known)));
        }
    }
    flaws.into_iter()
}

fn suggestion(name: &str, known: &[&str]) -> String {
    let near = nearest(name.trim_start_matches('_'), known.iter().copied());
    near.map_or(String::new(), |it| format!("; did you mean --{it}?"))
}

fn is_of_name(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '-' | '_') || !it.is_ascii()
}

/// The words behind a sign, as in `import` behind `@`.
fn words(code: &str, sign: char) -> impl Iterator<Item = &str> {
    code.split(sign).skip(1).map(|it| it.split(|end: char| !is_of_name(end)).next().unwrap_or(""))
}

/// As much of an address as a line has room for.
fn shortened(address: &str) -> String {
    const SHOWN_MAX: usize = 40;
    let shown: String = address.chars().filter(|it| !it.is_control()).take(SHOWN_MAX).collect();
    if shown.len() < address.len() { shown + "…" } else { shown }
}

/// A stylesheet without its comments and what is in quotation marks.
struct Sheet {
    code: String,
    /// What `url()` names.
    addresses: Vec<String>,
    /// What is opened and not closed, or the other way round; rules after it may have no effect.
    unclosed: Option<&'static str>,
}

impl Sheet {
    fn read(css: &str) -> Self {
        let mut it = Self { code: String::new(), addresses: Vec::new(), unclosed: None };
        let mut depth = 0_i64;
        let mut rest = css.trim_start_matches('\u{feff}');
        while let Some(next) = rest.chars().next() {
            if let Some(comment) = rest.strip_prefix("/*") {
                rest = it.after(comment, "*/", "a comment (/*) is not closed");
                it.code.push(' ');
                continue;
            }
            if next == '"' || next == '\'' {
                let (_, after) = quoted(rest);
                it.code.push_str("\"\"");
                rest = after;
                continue;
            }
            if next == '(' && ends_with_url(&it.code) {
                let (address, after) = address(&rest[1..]);
                it.addresses.push(address);
                it.code.push_str("()");
                rest = after;
                continue;
            }
            match next {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth < 0 {
                it.unclosed = Some("a } closes no {: the rule behind it has no effect");
                depth = 0;
            }
            it.code.push(next);
            rest = &rest[next.len_utf8()..];
        }
        if depth > 0 {
            it.unclosed = Some("a { is not closed: the rules behind it have no effect");
        }
        it
    }

    /// What is behind the end of something that was opened.
    fn after<'a>(&mut self, rest: &'a str, end: &str, fault: &'static str) -> &'a str {
        if let Some((_, after)) = rest.split_once(end) {
            after
        } else {
            self.unclosed = Some(fault);
            ""
        }
    }
}

fn ends_with_url(code: &str) -> bool {
    let Some((before, word)) = code.split_at_checked(code.len().saturating_sub(3)) else {
        return false;
    };
    word.eq_ignore_ascii_case("url") && !before.ends_with(is_of_name)
}

/// A string in quotation marks, and what is behind it. It ends at the end of its line in any case.
fn quoted(text: &str) -> (String, &str) {
    let mut letters = text.char_indices();
    let mark = letters.next().map_or('"', |(_, it)| it);
    let mut inside = String::new();
    while let Some((at, it)) = letters.next() {
        match it {
            '\\' => inside.extend(letters.next().map(|(_, it)| it)),
            '\n' => return (inside, &text[at..]),
            _ if it == mark => return (inside, &text[at + 1..]),
            _ => inside.push(it),
        }
    }
    (inside, "")
}

/// What stands in `url(…)`, and what is behind it.
fn address(text: &str) -> (String, &str) {
    let text = text.trim_start();
    if text.starts_with(['"', '\'']) {
        let (address, after) = quoted(text);
        return (address, after.trim_start().strip_prefix(')').unwrap_or(after));
    }
    let (address, after) = text.split_once(')').unwrap_or((text, ""));
    (address.trim().to_owned(), after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_nothing_in_looks_that_work() {
        for css in [
            ":root { --accent: #7a3b10 }",
            ":root { --accent: light-dark(#7a3b10, #f0b58a); color-scheme: light }",
            "@media (prefers-color-scheme: dark) { :root { --accent: #f0b58a } }",
            ":root { --brand: teal; --accent: var(--brand) }",
            "main { border-color: var(--edge); color: var(--mine, red) }",
            "/* @import url(x.css) </style> { */ p::before { content: \"@import url(x) } --x: 1\" }",
            "p::after { content: 'it\\'s } {' }",
            ".mark { background: url(/icon.svg); filter: url(#blur) }",
            ".mark { background: url(\"/auth/logo?v=1\") }",
            "@media (width < 40rem) { main > p { margin: 0 } }",
            "@property --angle { syntax: \"<angle>\"; inherits: false; initial-value: 0deg }",
            "a--b { margin: 0 } .x--y, #--z { color: red }",
            "\u{feff}main { margin: 0 }",
        ] {
            assert_eq!(flaws(css), [""; 0], "{css}");
        }
    }

    #[test]
    fn names_what_cannot_work_and_what_may_be_meant() {
        for (css, expected) in [
            (":root { --acent: red }", "nothing uses --acent; did you mean --accent?"),
            (":root { --_accent: red }", "nothing uses --_accent; did you mean --accent?"),
            (":root{color:red;--brand:teal}", "nothing uses --brand"),
            ("main { color: var( --inc ) }", "nothing sets --inc; did you mean --ink?"),
            ("@import \"x.css\";", "@import loads nothing"),
            ("@IMPORT url(x.css);", "@import loads nothing"),
            ("@font-face { font-family: X; src: local(X) }", "@font-face loads no font"),
            (
                "p { background: url(https://example.com/x.png) }",
                "url(https://example.com/x.png) is not",
            ),
            ("p { background: URL( 'x.png' ) }", "url(x.png) is not loaded"),
            ("p { background: url(data:image/png;base64,AAAA) }", "url(data:image/png"),
            ("p { background: url(//example.com/logo) }", "url(//example.com/logo) is not"),
            ("<style>p { margin: 0 }</style>", "<style is HTML"),
            ("p { margin: 0", "a { is not closed"),
            ("p { margin: 0 } }", "a } closes no {"),
            ("p { margin: 0 } /* ", "a comment (/*) is not closed"),
        ] {
            let found = flaws(css);
            assert!(found.iter().any(|it| it.starts_with(expected)), "{css}: {found:?}");
        }
    }

    #[test]
    fn names_a_few_flaws_and_counts_the_rest() {
        let rule = |it| format!(":root {{ --x{it}{it}{it}{it}: 1 }}\n");
        let many = (0..9).map(rule).collect::<Vec<_>>().concat();
        let found = flaws(&many);
        assert_eq!((found.len(), &*found[5]), (6, "and 4 more"));
        assert!(
            flaws(&format!("p {{ background: url({}) }}", "x\u{1}".repeat(500)))[0].len() < 100
        );
    }
}
