//! What the operator may change about the look of the pages.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::iter;

use super::{ICON, LEGIBLE, STYLE, marked};

/// The look of all pages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    /// The name of the site, in page titles.
    pub(super) title: String,
    /// Whether the operator has set the title, which then stands beside the logo as well.
    pub(super) is_named: bool,
    /// The operator's sentence under the sign-in form.
    pub(super) help: Option<String>,
    /// The operator's logo and its address.
    logo: Option<(Picture, String)>,
    /// The built-in stylesheet, with the operator's appended.
    style: String,
    /// Addresses that contain a hash of their content, so that browsers fetch a new version after an
    /// upgrade.
    pub(super) style_href: String,
    icon_href: String,
}

impl Default for Look {
    fn default() -> Self {
        Self::new(None, None, None, None)
    }
}

impl Look {
    /// The built-in look, except for what is given.
    pub fn new(
        title: Option<String>,
        logo: Option<Picture>,
        css: Option<&str>,
        help: Option<String>,
    ) -> Self {
        let style = css.map_or_else(built_in, with_own_rules);
        Self {
            is_named: title.is_some(),
            title: title.unwrap_or_else(|| "vestibule".to_owned()),
            help,
            style_href: marked("/style.css", style.as_bytes()),
            icon_href: marked("/icon.svg", ICON.as_bytes()),
            logo: logo.map(|it| {
                let href = marked("/logo", &it.bytes);
                (it, href)
            }),
            style,
        }
    }

    /// The title, if the operator has set one.
    pub fn own_title(&self) -> Option<&str> {
        self.is_named.then_some(&*self.title)
    }

    /// The stylesheet that is served.
    pub fn style(&self) -> Cow<'static, [u8]> {
        self.style.clone().into_bytes().into()
    }

    /// The operator's logo, if there is one.
    pub fn logo(&self) -> Option<&Picture> {
        self.logo.as_ref().map(|(it, _)| it)
    }

    pub(super) fn logo_href(&self) -> Option<&str> {
        self.logo.as_ref().map(|(_, href)| &**href)
    }

    /// The media type and the address of the site's icon.
    pub(super) fn icon(&self) -> (&'static str, &str) {
        match &self.logo {
            Some((it, href)) => (it.kind, href),
            None => ("image/svg+xml", &self.icon_href),
        }
    }
}

/// The variables by which an own look colours the pages, without their hyphens.
pub fn variables() -> impl Iterator<Item = &'static str> {
    // Those with an underscore are ours.
    let set = STYLE.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'));
    let names = set.map(|(name, _)| name).filter(|it| !it.starts_with('_'));
    let all: BTreeSet<_> = names.collect();
    all.into_iter()
}

/// The stylesheet of the built-in look, whose colours are legible as they are.
fn built_in() -> String {
    compact(STYLE).replace("--_", "--")
}

/// The stylesheet of a look with the operator's rules, which the pages keep legible.
fn with_own_rules(css: &str) -> String {
    // A byte order mark in the middle would become part of the first rule.
    let own = css.trim_start_matches('\u{feff}');
    format!("{}{}\n{own}", compact(STYLE), compact(LEGIBLE))
}

/// A built-in stylesheet without comments and without the white space that is there for readers: browsers get
/// it with the first page. Its texts in quotation marks contain none of what is shortened.
fn compact(css: &str) -> String {
    let mut parts = css.split("/*");
    let first = parts.next().unwrap_or_default();
    let others = parts.filter_map(|it| it.split_once("*/")).map(|(_, rules)| rules);
    let lines = iter::once(first).chain(others).flat_map(str::lines);
    let mut short: String = lines.map(str::trim).collect();
    for (long, brief) in
        [(" {", "{"), ("{ ", "{"), (" }", "}"), (": ", ":"), (", ", ","), ("; ", ";"), (";}", "}")]
    {
        short = short.replace(long, brief);
    }
    short
}

/// An image in a format that all browsers show.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The media type of the image.
    pub kind: &'static str,
    /// The content of the file.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.kind, self.bytes.len())
    }
}

impl Picture {
    /// A PNG, JPEG, WebP or SVG, by its content and not by its name; `None` for anything else.
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let kind = match &*bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            _ if is_svg(std::str::from_utf8(&bytes).ok()?) => "image/svg+xml",
            _ => return None,
        };
        Some(Self { kind, bytes })
    }
}

/// Whether the first element is `svg`. A document type with declarations of its own is refused, as no
/// image needs one.
fn is_svg(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    for (begin, end) in [("<?xml ", "?>"), ("<!--", "-->"), ("<!DOCTYPE svg", ">"), ("<!--", "-->")]
    {
        if rest.starts_with(begin) {
            let Some((_, after)) = rest.split_once(end) else { return false };
            rest = after.trim_start();
        }
    }
    let element = rest.strip_prefix("<svg");
    element.is_some_and(|it| it.starts_with(|next: char| next.is_whitespace() || next == '>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_pictures_by_their_content() {
        for (bytes, kind) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0....", Some("image/jpeg")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", Some("image/svg+xml")),
            (b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- x -->\n<svg>", Some("image/svg+xml")),
            (
                b"<?xml version=\"1.0\"?><!DOCTYPE svg PUBLIC \"x\" \"y\"><svg\n",
                Some("image/svg+xml"),
            ),
            (b"<!DOCTYPE svg [<!ENTITY a \"b\">]><svg>", None),
            (b"<!doctype html><svg>", None),
            (b"<html><svg></svg></html>", None),
            (b"<svgx>", None),
            (b"<!DOCTYPE html><svg>", None),
            (b"<?xml-stylesheet href=\"x\"?><svg>", None),
            (b"<?xml <svg>", None),
            (b"GIF89a", None),
            (b"RIFF\x10\0\0\0WAVE", None),
            (b"\xff\xfe<\0s\0v\0g\0", None),
            (b"", None),
        ] {
            let found = Picture::read(bytes.to_vec()).map(|it| it.kind);
            assert_eq!(found, kind, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn marks_the_address_of_a_file_with_its_content() {
        let plain = Look::default();
        let styled = Look::new(None, None, Some("p { margin: 0 }"), None);
        assert!(plain.style_href.starts_with("/style.css?v="));
        assert_ne!(plain.style_href, styled.style_href);
        let logo = |bytes: &[u8]| Some(Picture { kind: "image/png", bytes: bytes.to_vec() });
        let (one, other) = (logo(b"1"), logo(b"2"));
        let href = |logo| Look::new(None, logo, None, None).logo_href().unwrap().to_owned();
        assert!(href(one.clone()).starts_with("/logo?v="));
        assert_ne!(href(one), href(other));
    }

    #[test]
    fn sends_the_operators_rules_behind_our_own() {
        let styled = Look::new(None, None, Some("\u{feff}p { margin: 0 }"), None);
        let style = String::from_utf8(styled.style().into_owned()).unwrap();
        assert!(style.starts_with(":root{--_wall:") && style.ends_with("}\np { margin: 0 }"));
    }

    #[test]
    fn lists_the_variables_of_an_own_look() {
        let names: Vec<_> = variables().collect();
        assert!(names.len() == 12 && names.contains(&"accent-over") && names.contains(&"inner"));
    }

    /// What keeps other colours legible would be a third of the weight of every page.
    #[test]
    fn sends_the_rules_that_keep_colours_legible_with_the_operators_alone() {
        let built_in = String::from_utf8(Look::default().style().into_owned()).unwrap();
        assert!(!built_in.contains("--_") && !built_in.contains("max(l,"));
        let set = |css: &str| css.split("--").skip(1).filter(|it| it.contains(':')).count();
        assert_eq!(set(&built_in), set(&compact(STYLE)));
        // Each variable that the rules use is set.
        for used in built_in.split("var(").skip(1) {
            let name = used.split(')').next().unwrap();
            assert!(built_in.contains(&format!("{name}:")), "{name}");
        }
        let own = with_own_rules("");
        for used in own.split("var(").skip(1) {
            let name = used.split(')').next().unwrap();
            assert!(own.contains(&format!("{name}:")), "{name}");
        }
    }

    #[test]
    fn sends_the_built_in_rules_without_what_is_for_their_readers() {
        let rules =
            "/* A: b. */\na,\nb {\n  c: d e, f;\n}\n\n@media (g: h) {\n  i > j:k { l: m }\n}\n";
        assert_eq!(compact(rules), "a,b{c:d e,f}@media (g:h){i > j:k{l:m}}");
        // So the built-in ones come out whole.
        let count = |text: &str, sign| text.matches(sign).count();
        for sign in ["{", "}", "var(--", "light-dark("] {
            assert_eq!(count(STYLE, sign), count(&compact(STYLE), sign), "{sign}");
        }
    }
}
