//! A QR code, drawn by the server as a picture within the page.
//!
//! Decides how the picture is made: no script, no address of an image, and no style that the site's policy would
//! have to allow. Does not know what the code says.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};

/// The light modules around the code (ISO/IEC 18004).
const QUIET: usize = 4;

/// The QR code of this text, at level M, as SVG: a white ground, which a dark scheme leaves as it is, and one path
/// whose strokes are the dark modules. It is as wide as the element around it, also on a phone. `label` tells those
/// who do not see it what it is. `None`: the text is longer than a QR code can be, which is 2,331 bytes.
pub fn svg(text: &str, label: &str) -> Option<Markup> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let modules = code.width();
    let size = modules + 2 * QUIET;
    Some(html! {
        // A stroke lies on both sides of its line, so the picture begins half a module above the first.
        // As a block, it has no room for descenders below it.
        svg viewBox={ "0 -.5 " (size) " " (size) } width="100%" display="block"
            role="img" aria-label=(label) shape-rendering="crispEdges" {
            // Within SVG, an element that is not closed would contain what follows it.
            rect y="-.5" width=(size) height=(size) fill="#fff" {}
            path stroke="#000" d=(strokes(&code.into_colors(), modules)) {}
        }
    })
}

/// A horizontal stroke for each run of dark modules, as the data of a path. Every move is relative to the end of the
/// stroke before it, as that takes the fewest characters.
fn strokes(colors: &[Color], modules: usize) -> String {
    let mut data = String::new();
    let (mut x, mut y) = (0, 0);
    for (row, line) in colors.chunks(modules).enumerate() {
        let mut at = 0;
        for run in line.chunk_by(|one, other| one == other) {
            let (start, top) = (offset(at + QUIET), offset(row + QUIET));
            at += run.len();
            if run[0] == Color::Dark {
                let length = run.len();
                write!(data, "m{} {}h{length}", start - x, top - y)
                    .expect("a String takes any text");
                (x, y) = (start + offset(length), top);
            }
        }
    }
    data
}

/// A number of modules as a distance.
fn offset(modules: usize) -> i32 {
    i32::try_from(modules).expect("a QR code has at most 177 modules in a row")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rqrr::{Grid, SimpleGrid};

    const USUAL: &str = "otpauth://totp/auth.example.com:anna?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                         &issuer=auth.example.com&algorithm=SHA1&digits=6&period=30";

    fn drawn(text: &str) -> String {
        svg(text, "a label").unwrap().into_string()
    }

    fn attribute<'a>(picture: &'a str, name: &str) -> &'a str {
        let rest = picture.split(&format!(" {name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap()
    }

    /// Whether each module of a picture is dark, with the light ones around the code.
    fn modules(picture: &str) -> Vec<Vec<bool>> {
        let size: usize = attribute(picture, "viewBox").split(' ').nth(2).unwrap().parse().unwrap();
        let mut modules = vec![vec![false; size]; size];
        let (mut x, mut y) = (0, 0);
        for stroke in attribute(picture, "d").split('m').skip(1) {
            let (place, length) = stroke.split_once('h').unwrap();
            let (right, down) = place.split_once(' ').unwrap();
            x += right.parse::<i32>().unwrap();
            y += down.parse::<i32>().unwrap();
            for _ in 0..length.parse().unwrap() {
                modules[usize::try_from(y).unwrap()][usize::try_from(x).unwrap()] = true;
                x += 1;
            }
        }
        modules
    }

    #[test]
    fn draws_what_a_camera_reads() {
        let long = format!("{USUAL}&image={}", "%F0%9F%99%82".repeat(150));
        for text in [USUAL, "a", "otpauth://totp/Größe 🙂:ann", &long] {
            let modules = modules(&drawn(text));
            let size = modules.len() - 2 * QUIET;
            let grid = SimpleGrid::from_func(size, |x, y| modules[y + QUIET][x + QUIET]);
            let (about, read) = Grid::new(grid).decode().unwrap();
            assert_eq!(read, text);
            assert_eq!(about.ecc_level, 0, "the number of level M");
        }
    }

    #[test]
    fn leaves_four_light_modules_at_every_side() {
        let modules = modules(&drawn(USUAL));
        let last = modules.len() - QUIET;
        let is_dark = |x: usize, y: usize| modules[y][x];
        for at in 0..modules.len() {
            for edge in (0..QUIET).chain(last..modules.len()) {
                assert!(!is_dark(at, edge) && !is_dark(edge, at), "{at} {edge}");
            }
        }
        assert!(is_dark(QUIET, QUIET) && is_dark(last - 1, QUIET) && is_dark(QUIET, last - 1));
    }

    #[test]
    fn is_small_and_needs_nothing_that_the_policy_of_the_site_forbids() {
        let picture = drawn(USUAL);
        assert!(picture.len() < 4_096, "{} bytes", picture.len());
        assert_eq!(picture.matches("<path").count(), 1);
        for part in [" style=", "<style", "<script", "data:", "href", "url("] {
            assert!(!picture.contains(part), "{part}");
        }
        let label = svg("a", "\"<&").unwrap().into_string();
        assert!(label.contains("role=\"img\" aria-label=\"&quot;&lt;&amp;\""), "{label}");
    }

    #[test]
    fn draws_no_text_that_is_too_long() {
        assert!(svg(&"x".repeat(2_331), "").is_some());
        assert!(svg(&"x".repeat(2_332), "").is_none());
    }
}
