//! E-mail addresses: which texts are some, and the form in which they are compared.

use url::Host;

/// The most bytes of an address (RFC 5321 § 4.5.3.1.3).
pub const BYTES_MAX: usize = 254;

/// Whether an operator may give a user this address: visible ASCII with one `@` that has text on both sides, and
/// no longer than mail allows.
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && text.len() <= BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// The most bytes before the `@` (RFC 5321 § 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;

/// The most bytes of a label of a domain (RFC 1035 § 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Whether mail can be sent to this address: it is one, both parts of it have a form and a length that mail servers
/// take, its domain is a name with a dot in it, and no part of it means something else in the header of a mail.
pub fn is_deliverable(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_name = matches!(Host::parse(domain), Ok(Host::Domain(name)) if name == domain.to_ascii_lowercase());
    let is_label = |it: &str| {
        (1..=LABEL_BYTES_MAX).contains(&it.len())
            && !it.starts_with('-')
            && !it.ends_with('-')
            && it.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_atom = |it: &str| !it.is_empty();
    let is_odd = |it: char| "\"<>()[]\\:;%".contains(it);
    is_address(text)
        && is_name
        && domain.contains('.')
        && domain.split('.').all(is_label)
        && !local.contains(is_odd)
        && local.len() <= LOCAL_BYTES_MAX
        && local.split('.').all(is_atom)
}

/// Reads an address that a user types, to which mail can be sent: white space at either end is dropped, and a domain
/// in another script is written in ASCII (RFC 5890). `None`: it is none.
pub fn typed(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let address = if domain.is_ascii() {
        text.to_owned()
    } else {
        match Host::parse(domain).ok().filter(|_| !domain.contains('%'))? {
            Host::Domain(name) => format!("{local}@{name}"),
            Host::Ipv4(_) | Host::Ipv6(_) => return None,
        }
    };
    is_deliverable(&address).then_some(address)
}

/// The form in which addresses are compared: in lower case, with the domain in ASCII. Empty for a text that is no
/// address.
pub fn canonical(text: &str) -> String {
    match text.is_ascii() {
        true if is_address(text) => text.to_ascii_lowercase(),
        true => String::new(),
        false => typed(text).unwrap_or_default().to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_other_texts() {
        assert!(is_address("ann+x@mail.example.com"));
        for bad in ["", "ann", "@x", "ann@", "a@b@c", "a b@c", "\u{e4}@c", "a@b\r\nX: y", "a,b@c"] {
            assert!(!is_address(bad) && !is_deliverable(bad), "{bad:?}");
        }
    }

    #[test]
    fn sends_no_mail_to_what_a_header_or_a_relay_could_read_otherwise() {
        let longest = format!("{}@{}.com", "a".repeat(64), "b".repeat(63));
        for good in [
            "ann@example.com",
            "Ann.O'Neil+x=y@Mail.Example.COM",
            "a@xn--bcher-kva.example",
            &*longest,
        ] {
            assert!(is_deliverable(good), "{good:?}");
        }
        for bad in [
            "ann@localhost",
            "ann@example.com.",
            "ann@127.0.0.1",
            "ann@[::1]",
            "\"a b\"@example.com",
            "a<b@example.com",
            "a%0ab@example.com",
            "ann@exam_ple..com",
            "ann@b\u{fc}cher.example",
            "ann\u{131}@example.com",
            ".ann@example.com",
            "ann.@example.com",
            "an..n@example.com",
            "ann@-example.com",
            "ann@example-.com",
            &format!("{}@example.com", "a".repeat(65)),
            &format!("ann@{}.com", "a".repeat(64)),
        ] {
            assert!(!is_deliverable(bad), "{bad:?}");
        }
    }

    #[test]
    fn reads_what_a_user_types() {
        for (text, address) in [
            (" Ann@Example.com\n", "Ann@Example.com"),
            ("ann@b\u{fc}cher.example", "ann@xn--bcher-kva.example"),
            ("ann@\u{ff45}xample.com", "ann@example.com"),
        ] {
            assert_eq!(typed(text).as_deref(), Some(address));
        }
        for bad in [
            "",
            "ann",
            "a@b@example.com",
            "ann@example",
            "\u{e4}nn@example.com",
            "ann@b\u{fc}cher%0a.example",
            "ann@b\u{fc}cher.example@evil.example",
            "ann@\u{ff11}27.0.0.1",
            "ann@example.com\r\nBcc: eve@evil.example",
            "ann@example.com,eve@evil.example",
        ] {
            assert_eq!(typed(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn compares_addresses_in_lower_case() {
        assert_eq!(canonical("Ann@Example.COM"), "ann@example.com");
        assert_eq!(canonical("Ann@B\u{dc}CHER.example"), "ann@xn--bcher-kva.example");
        // Their lower case is `i` and `s` under some rules: such a text is no address.
        for twin in ["m\u{131}ke@example.com", "\u{17f}am@example.com", "\u{ff41}nn@example.com"] {
            assert_eq!(canonical(twin), "", "{twin:?}");
        }
    }
}
