//! Why a TLS connection failed, in words: the library's own are the names of its variants.

use std::io;

use rustls::{CertificateError, Error};

/// A failure of TLS.
pub enum TlsFault {
    /// The server's certificate is refused, which waiting does not change.
    Certificate(String),
    /// Anything else.
    Handshake(String),
}

impl TlsFault {
    /// The failure, in words.
    pub fn of(err: &Error) -> Self {
        match err {
            Error::InvalidCertificate(err) => Self::Certificate(certificate(err)),
            Error::NoCertificatesPresented => {
                Self::Certificate("it shows no certificate".to_owned())
            }
            Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
                Self::Handshake("what it answers is not TLS".to_owned())
            }
            Error::PeerIncompatible(_) => {
                Self::Handshake("it offers neither TLS 1.2 nor TLS 1.3".to_owned())
            }
            Error::AlertReceived(_) => {
                Self::Handshake("it breaks the TLS handshake off".to_owned())
            }
            _ => Self::Handshake("the TLS handshake fails".to_owned()),
        }
    }

    /// The failure of TLS that an input or output error stands for; `None`: it is another.
    pub fn of_io(err: &io::Error) -> Option<Self> {
        err.get_ref()?.downcast_ref::<Error>().map(Self::of)
    }

    /// The words.
    pub fn into_text(self) -> String {
        match self {
            Self::Certificate(text) | Self::Handshake(text) => text,
        }
    }
}

fn certificate(err: &CertificateError) -> String {
    use CertificateError as It;
    let why = match err {
        It::UnknownIssuer => "is from an authority that is not trusted here",
        It::Expired | It::ExpiredContext { .. } => "has expired",
        It::NotValidYet | It::NotValidYetContext { .. } => "is not valid yet",
        It::NotValidForName | It::NotValidForNameContext { .. } => "is for another name",
        It::Revoked => "is revoked",
        It::BadSignature => "has a signature that is wrong",
        It::BadEncoding => "cannot be read",
        It::InvalidPurpose | It::InvalidPurposeContext { .. } => "is not one for servers",
        _ => "is not valid",
    };
    format!("its certificate {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_a_certificate_is_refused_and_finds_it_in_an_io_error() {
        let refused = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let err = io::Error::new(io::ErrorKind::InvalidData, refused);
        let Some(TlsFault::Certificate(text)) = TlsFault::of_io(&err) else { panic!("{err}") };
        assert_eq!(text, "its certificate is from an authority that is not trusted here");
        assert!(TlsFault::of_io(&io::Error::other("another")).is_none());
        assert!(TlsFault::of_io(&io::ErrorKind::BrokenPipe.into()).is_none());
    }
}
