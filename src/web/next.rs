//! Where a request asks to go afterwards, after signing in or out. Whether that is followed is decided in
//! `redirect`.

use std::borrow::Cow;

use crate::web::http::{Form, Method, Request};

/// The parameters and fields with the address to go to afterwards: ours, and those of other gates, for
/// existing links. The first one present counts.
pub const NEXT_NAMES: [&str; 4] = ["next", "rd", "url", "redirect_uri"];

/// The address that a request names in one of its fields. `is_beside_others`: links of other gates lead here, whose
/// proxies do not always encode an address.
pub(super) fn asked<'a>(
    request: &'a Request,
    fields: &Form<'a>,
    is_beside_others: bool,
) -> Option<Cow<'a, str>> {
    NEXT_NAMES.iter().find_map(|name| {
        let is_theirs = *name != "next" && is_beside_others;
        let whole = is_theirs.then(|| as_it_came(request, name)).flatten();
        whole.or_else(|| fields.field(name))
    })
}

/// An address that a proxy has written into a parameter as it came, since nginx cannot encode: then what follows
/// behind an `&` belongs to it, up to the parameters of the gate itself. `None`: there is none, or it is encoded.
fn as_it_came<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    if request.method == Method::Post {
        return None;
    }
    let mut parts = request.query.split('&');
    let first = parts.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
    let rest = match first.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(_) => return None,
        None => first.strip_prefix('/')?,
    };
    // Kubernetes' ingress encodes all that follows the host.
    let is_encoded = first.starts_with('h') && rest.split(['/', '?']).next()?.contains('%');
    let more: Vec<_> = parts.take_while(|it| !is_of_gate(it)).collect();
    match more.is_empty() {
        _ if is_encoded => None,
        true => Some(Cow::Borrowed(first)),
        false => Some(Cow::Owned(format!("{first}&{}", more.join("&")))),
    }
}

/// Whether a parameter is one that the guides of other gates put behind the address.
fn is_of_gate(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default().to_ascii_lowercase();
    name.starts_with("vouch") || name.starts_with("x-vouch") || matches!(&*name, "error" | "rm")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(query: &str) -> Option<String> {
        let request = Request {
            method: Method::Get,
            path: "/login".to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            peer: None,
        };
        as_it_came(&request, "rd").map(Cow::into_owned)
    }

    #[test]
    fn takes_an_address_whole_that_a_proxy_could_not_encode() {
        for (query, expected) in [
            ("rd=https://a.test/x", "https://a.test/x"),
            ("rd=https://a.test/x?a=1&b=%C3%A4&c", "https://a.test/x?a=1&b=%C3%A4&c"),
            ("x=1&rd=https://a.test/?a&rd=2", "https://a.test/?a&rd=2"),
            ("rd=/x?a=1&b=2", "/x?a=1&b=2"),
            (
                "rd=https://a.test/?a=1&b&vouch-failcount=&X-Vouch-Token=&error=",
                "https://a.test/?a=1&b",
            ),
            ("rd=https://a.test/?a=1&rm=GET", "https://a.test/?a=1"),
        ] {
            assert_eq!(whole(query).as_deref(), Some(expected), "{query}");
        }
    }

    #[test]
    fn leaves_an_address_that_is_encoded_to_the_form() {
        for query in [
            "",
            "next=https://a.test/",
            "rd=https%3A%2F%2Fa.test%2Fx&rm=GET",
            "rd=%2Fx%3Fa&b=2",
            "rd=https://a.test%2Fx%3Fa%3D1",
            "rd=a.test",
            "rd=javascript://x",
            "rdx=https://a.test/",
        ] {
            assert_eq!(whole(query), None, "{query}");
        }
    }
}
