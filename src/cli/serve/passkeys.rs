//! Flags of `vestibule serve` about passkeys, and where they can work.

use clap::Args;

use super::SECOND_FACTOR;
use super::parse::domain;
use crate::base::origin::{Domain, Origin};
use crate::base::webauthn::RelyingParty;

/// Whether passkeys are offered, and for which domain.
#[derive(Args)]
pub(super) struct PasskeyArgs {
    /// Whether users can add passkeys and sign in with them: on or off. They work where browsers allow it: with an https
    /// --origin that has a host name, or http://localhost; elsewhere none are offered.
    #[arg(long, env = "VESTIBULE_PASSKEYS", value_name = "CHOICE", value_parser = choice)]
    #[arg(default_value = "on", help_heading = SECOND_FACTOR)]
    passkeys: Choice,

    /// The domain that passkeys are made for: the host of --origin, or a domain above it, so that they work on other
    /// hosts of it as well. Without it, it is the host. Passkeys that were made for another domain do not work any more.
    #[arg(long, env = "VESTIBULE_PASSKEY_DOMAIN", value_name = "DOMAIN", value_parser = domain)]
    #[arg(help_heading = SECOND_FACTOR)]
    passkey_domain: Option<Domain>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    On,
    Off,
}

impl PasskeyArgs {
    /// The site as passkeys know it; `None`: they are off, or cannot work here. An error is one line that says what
    /// would do.
    pub(super) fn check(self, own: Option<&Origin>) -> Result<Option<RelyingParty>, String> {
        let own = own.filter(|it| can_have_passkeys(it));
        let Some(origin) = own.filter(|_| self.passkeys == Choice::On) else {
            return match self.passkey_domain {
                Some(_) => {
                    Err("--passkey-domain needs --passkeys on and an https --origin with a \
                                host name: elsewhere browsers make no passkeys"
                        .to_owned())
                }
                None => Ok(None),
            };
        };
        let host = origin.host();
        let id = match &self.passkey_domain {
            None => host.to_owned(),
            Some(domain) if domain.covers(host) => domain.as_str().to_owned(),
            Some(domain) => {
                return Err(format!(
                    "{host} does not lie under --passkey-domain {}, so no browser would make a \
                     passkey for it",
                    domain.as_str()
                ));
            }
        };
        Ok(Some(RelyingParty { origin: origin.clone(), id }))
    }
}

/// Whether browsers make passkeys for an origin: it has a name, and is reached over TLS or on this machine (WebAuthn
/// § 13.4.9; Secure Contexts § 3.1).
fn can_have_passkeys(origin: &Origin) -> bool {
    let is_local = origin.host() == "localhost" || origin.host().ends_with(".localhost");
    is_local || (origin.is_https() && Domain::parse(origin.host()).is_some())
}

fn choice(text: &str) -> Result<Choice, String> {
    match text {
        "on" => Ok(Choice::On),
        "off" => Ok(Choice::Off),
        _ => Err("it must be on or off".to_owned()),
    }
}
