//! What a relay means when it refuses: that mail to this recipient is no use, or that the same mail may be taken later.
//!
//! Only what is about the recipient ends a mail. All else is about the sender, the relay, its set-up or its policy, which
//! an operator can mend while the mail waits.

/// What was said to a relay before its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SmtpStep {
    /// All before the mail: the connection, STARTTLS.
    Connect,
    SignIn,
    Sender,
    Recipient,
    /// That the text follows.
    Data,
    /// The text.
    Text,
}

impl SmtpStep {
    /// What was said, as the protocol has it.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::SignIn => "AUTH",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::Text => "end of the mail",
        }
    }
}

/// The replies to the recipient that are about it where no enhanced code says more (RFC 5321 § 4.2.3, RFC 7504).
const OF_RECIPIENT: [&str; 4] = ["550", "551", "553", "556"];

/// Whether a reply says that this recipient will never take this mail. `reply` is its code, `text` what follows, which
/// begins with the enhanced code of RFC 3463 if there is one.
pub(super) fn is_for_good(step: SmtpStep, reply: &str, text: &str) -> bool {
    if !reply.starts_with('5') || !matches!(step, SmtpStep::Recipient | SmtpStep::Text) {
        return false;
    }
    match enhanced(text) {
        // The address: unless it is that of the sender.
        Some((5, 1, detail)) => !matches!(detail, 7 | 8),
        // The mailbox: unless it is full, which its owner can change.
        Some((5, 2, detail)) => detail != 2,
        Some(_) => false,
        None => step == SmtpStep::Recipient && OF_RECIPIENT.contains(&reply),
    }
}

/// The enhanced code at the beginning of a text: class, subject and detail.
fn enhanced(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.split_whitespace().next()?.split('.').map(|it| {
        let is_number = it.len() <= 3 && it.bytes().all(|it| it.is_ascii_digit());
        it.parse().ok().filter(|_| is_number)
    });
    let code = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(code)
}

#[cfg(test)]
mod tests {
    use super::SmtpStep::{Connect, Data, Recipient, Sender, SignIn, Text};
    use super::*;

    #[test]
    fn gives_up_what_is_about_the_recipient_alone() {
        for (step, reply, text) in [
            (Recipient, "550", "no such user"),
            (Recipient, "550", ""),
            (Recipient, "551", "not here"),
            (Recipient, "553", "mailbox name not allowed"),
            (Recipient, "556", "domain takes no mail"),
            (Recipient, "550", "5.1.1 <ann@example.com>: unknown"),
            (Recipient, "554", "5.1.2 no such domain"),
            (Recipient, "556", "5.1.10 null MX"),
            (Recipient, "550", "5.2.1 mailbox disabled"),
            // Some relays ask where the mail goes when they have it.
            (Text, "550", "5.1.1 unknown"),
            (Text, "552", "5.2.3 longer than this mailbox takes"),
        ] {
            assert!(is_for_good(step, reply, text), "{step:?} {reply} {text}");
        }
    }

    #[test]
    fn tries_again_what_is_about_the_sender_the_relay_or_its_policy() {
        for (step, reply, text) in [
            (Connect, "554", "no service"),
            (SignIn, "535", "5.7.8 wrong password"),
            (Sender, "550", "sender rejected"),
            (Sender, "550", "5.1.8 bad sender's system address"),
            (Sender, "550", "5.1.1 unknown"),
            (Sender, "530", "5.7.0 authentication required"),
            (Sender, "552", "5.3.4 too big"),
            (Recipient, "550", "5.7.1 relaying denied"),
            (Recipient, "554", "5.7.1 relay access denied"),
            (Recipient, "550", "5.1.8 sender's domain not found"),
            (Recipient, "553", "5.1.7 sender's address"),
            (Recipient, "550", "5.4.1 no route"),
            (Recipient, "552", "mailbox full"),
            (Recipient, "552", "5.2.2 mailbox full"),
            (Recipient, "503", "5.5.1 bad sequence"),
            (Recipient, "550", "4.2.1 a class that is another"),
            (Recipient, "451", "4.7.1 greylisted"),
            (Recipient, "450", "no such user yet"),
            (Data, "550", "5.1.1 unknown"),
            (Data, "554", "no valid recipients"),
            (Text, "550", "content refused"),
            (Text, "550", "5.7.1 looks like spam"),
            (Text, "554", "5.6.0 malformed"),
            (Text, "552", "too big"),
        ] {
            assert!(!is_for_good(step, reply, text), "{step:?} {reply} {text}");
        }
    }

    #[test]
    fn reads_an_enhanced_code_and_no_address_for_one() {
        assert_eq!(enhanced("5.1.1 unknown"), Some((5, 1, 1)));
        assert_eq!(enhanced("5.7.999"), Some((5, 7, 999)));
        for none in
            ["", "no such user", "5.1 x", "5.1.1.1 x", "192.168.1.1", "5.+1.1", "5..1", "5.1.1000"]
        {
            assert_eq!(enhanced(none), None, "{none}");
        }
    }
}
