//! Why a TLS connection failed, in words: the library's own are the names of its variants.

use std::io;

use rustls::{CertificateError, Error, OtherError};

/// A failure of TLS.
pub enum TlsFault {
    /// The server's certificate is refused, which waiting does not change.
    Certificate(CertificateFlaw),
    /// Anything else.
    Handshake(&'static str),
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CertificateFlaw {
    /// The server shows none.
    Missing,
    /// It is from an authority that is not trusted.
    UnknownIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is for other hosts.
    OtherName,
    /// It has no `subjectAltName`, so it is for no host at all.
    NoName,
    /// The host has a name that no certificate can be for.
    ImpossibleName,
    /// It is the certificate of an authority (`CA:TRUE`), as `openssl req -x509` makes by default.
    OfAuthority,
    /// It is of X.509 version 1, which has no `subjectAltName`.
    OldVersion,
    /// It is for clients, say.
    NotForServers,
    /// It was revoked.
    Revoked,
    /// Its signature is wrong.
    BadSignature,
    /// It cannot be parsed.
    Unreadable,
    /// Anything else.
    Invalid,
}

impl TlsFault {
    /// The failure, in words.
    pub fn of(err: &Error) -> Self {
        match err {
            Error::InvalidCertificate(err) => Self::Certificate(CertificateFlaw::of(err)),
            Error::NoCertificatesPresented => Self::Certificate(CertificateFlaw::Missing),
            Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
                Self::Handshake("what it answers is not TLS")
            }
            Error::PeerIncompatible(_) => Self::Handshake("it offers neither TLS 1.2 nor TLS 1.3"),
            Error::AlertReceived(_) => Self::Handshake("it breaks the TLS handshake off"),
            _ => Self::Handshake("the TLS handshake fails"),
        }
    }

    /// The failure of TLS that an input or output error stands for; `None`: it is another.
    pub fn of_io(err: &io::Error) -> Option<Self> {
        err.get_ref()?.downcast_ref::<Error>().map(Self::of)
    }

    /// The words.
    pub const fn text(&self) -> &'static str {
        match self {
            Self::Certificate(flaw) => flaw.text(),
            Self::Handshake(text) => text,
        }
    }
}

impl CertificateFlaw {
    fn of(err: &CertificateError) -> Self {
        use CertificateError as It;
        match err {
            It::UnknownIssuer => Self::UnknownIssuer,
            It::Expired | It::ExpiredContext { .. } => Self::Expired,
            It::NotValidYet | It::NotValidYetContext { .. } => Self::NotYetValid,
            It::NotValidForNameContext { presented, .. } if presented.is_empty() => Self::NoName,
            It::NotValidForName | It::NotValidForNameContext { .. } => Self::OtherName,
            It::Revoked => Self::Revoked,
            It::BadSignature => Self::BadSignature,
            It::BadEncoding => Self::Unreadable,
            It::InvalidPurpose | It::InvalidPurposeContext { .. } => Self::NotForServers,
            It::Other(OtherError(err)) => match err.downcast_ref() {
                Some(webpki::Error::CaUsedAsEndEntity) => Self::OfAuthority,
                Some(webpki::Error::UnsupportedCertVersion) => Self::OldVersion,
                _ => Self::Invalid,
            },
            _ => Self::Invalid,
        }
    }

    /// The words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Missing => "it shows no certificate",
            Self::UnknownIssuer => "its certificate is from an authority that is not trusted here",
            Self::Expired => "its certificate has expired",
            Self::NotYetValid => "its certificate is not valid yet",
            Self::OtherName => "its certificate is for another name",
            Self::NoName => "its certificate names no host, as it has no subjectAltName",
            Self::ImpossibleName => "its name is none for TLS",
            Self::OfAuthority => {
                "its certificate is that of an authority (CA:TRUE), which cannot be a server's as well"
            }
            Self::OldVersion => "its certificate is of X.509 version 1, which names no host",
            Self::NotForServers => "its certificate is not one for servers",
            Self::Revoked => "its certificate is revoked",
            Self::BadSignature => "its certificate has a signature that is wrong",
            Self::Unreadable => "its certificate cannot be read",
            Self::Invalid => "its certificate is not valid",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_a_certificate_is_refused_and_finds_it_in_an_io_error() {
        let refused = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let err = io::Error::new(io::ErrorKind::InvalidData, refused);
        let Some(TlsFault::Certificate(flaw)) = TlsFault::of_io(&err) else { panic!("{err}") };
        assert_eq!(flaw.text(), "its certificate is from an authority that is not trusted here");
        assert!(TlsFault::of_io(&io::Error::other("another")).is_none());
        assert!(TlsFault::of_io(&io::ErrorKind::BrokenPipe.into()).is_none());
    }

    #[test]
    fn knows_the_certificate_of_an_authority_behind_what_the_library_has_no_name_for() {
        let refused = |err: webpki::Error| {
            let err = CertificateError::Other(OtherError(std::sync::Arc::new(err)));
            CertificateFlaw::of(&err)
        };
        assert_eq!(refused(webpki::Error::CaUsedAsEndEntity), CertificateFlaw::OfAuthority);
        assert_eq!(refused(webpki::Error::UnsupportedCertVersion), CertificateFlaw::OldVersion);
        assert_eq!(refused(webpki::Error::NameConstraintViolation), CertificateFlaw::Invalid);
    }
}
