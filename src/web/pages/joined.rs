//! Short texts on their way into a page. Decides how they are escaped fast.

use maud::Render;

/// Texts that stand one after the other, escaped. One without anything to escape, as most are, is copied at once: maud
/// copies byte by byte.
pub(super) struct Joined<'a, const N: usize>(pub(super) [&'a str; N]);

impl<const N: usize> Render for Joined<'_, N> {
    fn render_to(&self, page: &mut String) {
        for text in self.0 {
            if needs_escaping(text.as_bytes()) {
                text.render_to(page);
            } else {
                page.push_str(text);
            }
        }
    }
}

/// Whether a text has a character that maud escapes.
fn needs_escaping(text: &[u8]) -> bool {
    const SPECIAL: &[u8; 4] = b"&<>\"";
    // Without a branch for each byte, the compiler compares a block at once.
    let has_special = |block: &[u8; 8]| {
        let found = SPECIAL.iter().fold(0, |found, special| {
            block.iter().fold(found, |found, byte| found | u8::from(byte == special))
        });
        found != 0
    };
    match text.last_chunk() {
        // The last block may overlap the one before.
        Some(last) => has_special(last) || text.as_chunks().0.iter().any(has_special),
        None => text.iter().any(|byte| SPECIAL.contains(byte)),
    }
}

#[cfg(test)]
mod tests {
    use maud::html;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn escapes_as_maud_does(one in "[ -~äß€]{0,40}", other in "[a-z&<>\"]{0,9}") {
            let joined = html! { (Joined([&*one, &*other])) }.into_string();
            prop_assert_eq!(joined, html! { (one) (other) }.into_string());
        }

        #[test]
        fn finds_what_is_to_be_escaped_at_every_place(at in 0_usize..40, length in 0_usize..40) {
            for special in ["&", "<", ">", "\""] {
                let text = format!("{:at$}{special}{:length$}", "", "");
                prop_assert!(needs_escaping(text.as_bytes()), "{text:?}");
            }
        }
    }
}
