//! The canonical form of a name, by which names are compared.

use icu_normalizer::ComposingNormalizerBorrowed;

/// NFKC(lower(upper(NFKC(name)))), with the case of each character mapped on its own.
///
/// So `Alice`, `ALICE` and full-width `ａｌｉｃｅ` are one name. Going through upper case merges what differs in
/// lower case only (dotless ı and i, final and other sigma); mapping each character on its own avoids rules
/// that depend on its neighbours. Applying it twice changes nothing: otherwise two accounts could end up
/// with one name later (Spotify, 2013).
pub fn canonical(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let mut form = fold(name);
    loop {
        let again = fold(&form);
        if again == form {
            return form;
        }
        // U+1E9E needs two rounds.
        form = again;
    }
}

fn fold(name: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let folded: String = nfkc
        .normalize(name)
        .chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect();
    nfkc.normalize(&folded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_one_name_in_all_its_spellings_for_one() {
        for spelling in ["alice", "Alice", "ALICE", "ａｌｉｃｅ", "ＡＬＩＣＥ", "ａlice", "ⓐⓛⓘⓒⓔ"]
        {
            assert_eq!(canonical(spelling), "alice", "{spelling}");
        }
        for (one, other) in [
            ("Straße", "STRASSE"),
            ("ẞeta", "sseta"),
            ("ΣΑΣ", "σας"),
            ("ılker", "ilker"),
            ("Å", "A\u{30a}"),
            ("ﬁona", "FIONA"),
            ("ᴬᴺᴺᴬ", "anna"),
            ("a\u{a0}b", "a b"),
        ] {
            assert_eq!(canonical(one), canonical(other), "{one} and {other}");
        }
    }

    #[test]
    fn keeps_names_apart_that_are_not_the_same() {
        for (one, other) in [("alice", "alicia"), ("аlice", "alice"), ("resume", "résumé")] {
            assert_ne!(canonical(one), canonical(other), "{one} and {other}");
        }
    }

    proptest! {
        #[test]
        fn has_a_canonical_form_that_is_its_own(name in any::<String>()) {
            let form = canonical(&name);
            prop_assert_eq!(canonical(&form), form);
        }

        #[test]
        fn forgets_case_and_composition(name in "\\PC{1,31}") {
            let form = canonical(&name);
            let upper: String = name.chars().flat_map(char::to_uppercase).collect();
            prop_assert_eq!(canonical(&upper), form.clone());
            let nfc = ComposingNormalizerBorrowed::new_nfc().normalize(&name).into_owned();
            prop_assert_eq!(canonical(&nfc), form);
        }

        #[test]
        fn agrees_with_the_long_way_on_ascii(name in "[ -~]{0,40}") {
            prop_assert_eq!(canonical(&name), fold(&name));
        }
    }

    #[test]
    fn has_a_canonical_form_for_every_single_character() {
        for character in (0..=0x10_ffff).filter_map(char::from_u32) {
            let form = canonical(&character.to_string());
            assert_eq!(canonical(&form), form, "U+{:04X}", u32::from(character));
        }
    }
}
