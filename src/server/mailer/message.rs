//! The message as it is sent: its headers, and its text in an encoding that every relay takes.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Body, Mailbox, SinglePart};

use super::MailMessage;
use crate::base::email_address;

/// Whom mails are from: `Name <address>`, or an address alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    mailbox: Mailbox,
}

/// Says that no person sent it, so that no program answers (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Sender {
    /// Reads a sender. `None` if it is none to which mail could be sent.
    pub fn parse(text: &str) -> Option<Self> {
        let mailbox: Mailbox = text.parse().ok()?;
        let is_good = email_address::is_deliverable(mailbox.email.as_ref())
            && text.chars().all(|it| !it.is_control());
        is_good.then_some(Self { mailbox })
    }

    /// The address alone.
    pub fn address(&self) -> &str {
        self.mailbox.email.as_ref()
    }

    pub(super) fn build(&self, message: &MailMessage<'_>) -> Result<lettre::Message, String> {
        let address = message.to.parse().map_err(|_| "the address cannot be used".to_owned())?;
        let id = format!("<{}@{}>", message.id, self.mailbox.email.domain());
        let at = u64::try_from(message.at.millis()).unwrap_or(0);
        let body = Body::new_with_encoding(
            message.text.to_owned(),
            ContentTransferEncoding::QuotedPrintable,
        );
        let body = body.map_err(|_| "the text cannot be encoded".to_owned())?;
        lettre::Message::builder()
            .from(self.mailbox.clone())
            .to(Mailbox::new(None, address))
            .subject(message.subject)
            .date(UNIX_EPOCH + Duration::from_millis(at))
            .message_id(Some(id))
            .header(AutoSubmitted)
            .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body))
            .map_err(|err| err.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Moment;
    use proptest::prelude::*;

    #[test]
    fn writes_a_message_that_no_program_answers_and_a_reader_can_decode() {
        let from = Sender::parse("Türsteher <no-reply@example.com>").unwrap();
        let text = "Grüße an anna\n\nhttps://auth.example.com/a?b=c\n";
        let at = Moment::from_rfc3339("2026-11-24T08:00:00.000Z").unwrap();
        let message = MailMessage {
            id: "abc",
            to: "anna@example.com",
            subject: "Neues Passwort für dich",
            text,
            at,
        };
        let built = String::from_utf8(from.build(&message).unwrap().formatted()).unwrap();
        for line in [
            "To: anna@example.com\r\n",
            "Message-ID: <abc@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Transfer-Encoding: quoted-printable\r\n",
            "Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n",
            "Gr=C3=BC=C3=9Fe an anna\r\n",
        ] {
            assert!(built.contains(line), "{line} is not in {built}");
        }
        assert!(built.is_ascii());
    }

    proptest! {
        // What the library refuses would be dropped after a page had said that it is on its way.
        #[test]
        fn sends_to_every_address_to_which_mail_is_said_to_be_sent(
            local in "[a-zA-Z0-9!#$&'*+/=?^_`{|}~.-]{1,66}",
            domain in "[a-zA-Z0-9.-]{1,66}[.][a-z]{1,5}",
        ) {
            let address = format!("{local}@{domain}");
            if email_address::is_deliverable(&address) {
                prop_assert!(address.parse::<Mailbox>().is_ok(), "{address}");
                prop_assert!(address.parse::<lettre::Address>().is_ok(), "{address}");
            }
        }
    }

    #[test]
    fn refuses_a_sender_that_is_none() {
        for bad in
            ["", "Vestibule", "a@localhost", "Name <a@b>", "a@example.com\r\nBcc: b@example.com"]
        {
            assert!(Sender::parse(bad).is_none(), "{bad:?}");
        }
        assert_eq!(Sender::parse("a@example.com").unwrap().address(), "a@example.com");
    }
}
