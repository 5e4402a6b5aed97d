//! `--identity-header`: other names for the headers that tell apps who the user is.

use crate::web::IdentityHeaders;

/// What an app is told of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum IdentityField {
    User,
    Id,
    Name,
    Groups,
    Email,
}

impl IdentityField {
    const ALL: [Self; 5] = [Self::User, Self::Id, Self::Name, Self::Groups, Self::Email];

    pub(in crate::cli) const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Id => "id",
            Self::Name => "name",
            Self::Groups => "groups",
            Self::Email => "email",
        }
    }
}

/// The headers with their new names. Each has to be one of its own.
pub(in crate::cli) fn identity_headers(
    renamed: &[(IdentityField, &'static str)],
) -> Result<IdentityHeaders, String> {
    let mut headers = IdentityHeaders::default();
    for (told, name) in renamed {
        *match told {
            IdentityField::User => &mut headers.user,
            IdentityField::Id => &mut headers.id,
            IdentityField::Name => &mut headers.name,
            IdentityField::Groups => &mut headers.groups,
            IdentityField::Email => &mut headers.email,
        } = name;
    }
    let mut names = headers.all().map(str::to_ascii_lowercase);
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("--identity-header gives two things the name {}", pair[0])),
        None => Ok(headers),
    }
}

/// Headers that already have another meaning, in what proxies say of a request and in our own responses.
const TAKEN: [&str; 6] = [
    "remote-sub",
    "x-content-type-options",
    "x-frame-options",
    "x-real-ip",
    "x-requested-with",
    "x-vouch-user",
];
const TAKEN_PREFIXES: [&str; 2] = ["x-forwarded-", "x-original-"];

/// Exceptions, which apps read although they begin so.
const FREE: [&str; 4] = [
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
];

pub(in crate::cli) fn identity_header(text: &str) -> Result<(IdentityField, &'static str), String> {
    let advice = || "write it as in user=X-WEBAUTH-USER, email=X-WEBAUTH-EMAIL".to_owned();
    let (told, name) = text.split_once('=').ok_or_else(advice)?;
    let told = IdentityField::ALL.into_iter().find(|it| it.as_str() == told).ok_or_else(advice)?;
    let lower = name.to_ascii_lowercase();
    let is_name = lower.len() <= 64
        && lower.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
        && (lower.starts_with("remote-") || lower.starts_with("x-"));
    if !is_name {
        return Err(
            "a name has to begin with Remote- or X-, and to hold a-z, 0-9 and - only".to_owned()
        );
    }
    let has_prefix = TAKEN_PREFIXES.iter().any(|it| lower.starts_with(it));
    if TAKEN.contains(&&*lower) || (has_prefix && !FREE.contains(&&*lower)) {
        return Err(format!("{name} means something else already"));
    }
    // Read once, at start, and needed until the program ends.
    Ok((told, Box::leak(name.to_owned().into_boxed_str())))
}
