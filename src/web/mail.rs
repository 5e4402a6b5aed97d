//! Mails as they are written: the words of each kind, and the link in it.
//!
//! Addresses of links come from `--origin` alone, whatever host a request names. What users have chosen
//! themselves stands in a text as one line that no program makes a link of.

use crate::auth::mail::{self, DueLetter, LetterKind, NextLetter};
use crate::base::clock::Moment;
use crate::store::{Error, User};
use crate::web::Site;
use crate::web::messages::{self, MailText};

/// A mail that is to be sent now. It holds a link and so has no `Debug`.
pub struct Outgoing {
    due: Box<DueLetter>,
    pub subject: &'static str,
    pub text: String,
}

impl Outgoing {
    /// What its `Message-ID` is made of: the same at each try.
    pub fn id(&self) -> &str {
        &self.due.letter.id
    }

    /// What it says, in a word.
    pub fn kind(&self) -> &'static str {
        self.due.kind.as_str()
    }

    pub fn user_id(&self) -> &str {
        self.due.user.id.as_str()
    }

    /// Where it goes: the address that the user has now, as it is stored.
    pub fn to(&self) -> &str {
        self.due.user.verified_email()
    }
}

/// The next mail of the queue.
pub enum NextMail {
    Send(Outgoing),
    /// One was dropped, as it was not worth sending any more.
    GivenUp {
        id: String,
        kind: String,
        user_id: String,
    },
    /// None is due.
    None,
}

impl Site {
    /// Takes the next mail that is due, and writes it.
    pub fn next_mail(&self, now: Moment) -> Result<NextMail, Error> {
        Ok(match mail::next(self.auth.store(), now)? {
            NextLetter::Due(due) => NextMail::Send(self.write(due)),
            NextLetter::GivenUp(letter) => {
                let (id, kind, user_id) = (letter.id, letter.kind, letter.user_id);
                NextMail::GivenUp { id, kind, user_id }
            }
            NextLetter::None => NextMail::None,
        })
    }

    /// Notes that a mail was sent, or will never be taken.
    pub fn mail_done(&self, mail: &Outgoing) -> Result<(), Error> {
        mail::done(self.auth.store(), &mail.due)
    }

    /// Notes that a mail was not sent and why, in a word: it is tried again later.
    pub fn mail_failed(&self, mail: &Outgoing, outcome: &str, now: Moment) -> Result<(), Error> {
        mail::failed(self.auth.store(), &mail.due, outcome, now)
    }

    /// When the mail was queued that has waited for longest; `None`: none waits.
    pub fn mail_waits_since(&self) -> Result<Option<Moment>, Error> {
        Ok(mail::waiting(self.auth.store(), 1)?.first().map(|it| it.created_at))
    }

    fn write(&self, due: Box<DueLetter>) -> Outgoing {
        let text = messages::of_code(&due.letter.language);
        let own = self.settings.rule.own.as_ref().map(ToString::to_string).unwrap_or_default();
        let host = self.settings.rule.own.as_ref().map_or("", |it| it.host());
        let MailText { subject, body } = match due.kind {
            LetterKind::Reset => &text.reset_mail,
        };
        let prefix = &self.settings.prefix;
        let link = format!("{own}{prefix}/reset?token={}", due.token.reveal());
        let filled =
            filled(body, &[("name", &shown_name(&due.user)), ("site", host), ("link", &link)]);
        Outgoing { due, subject, text: filled }
    }
}

/// A text with its gaps filled. What fills one is not looked at again.
fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let mut parts = text.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        let value = values.iter().find(|(gap, _)| *gap == name).map_or("", |(_, value)| value);
        filled.push_str(value);
        filled.push_str(rest);
    }
    filled
}

/// A name as it stands in a mail: on one line, and nothing that a program shows as a link.
fn shown_name(user: &User) -> String {
    let name = user.username.split(char::is_control).collect::<Vec<_>>().join(" ");
    let is_like_link = |it: &str| it.contains("://") || it.contains("www.");
    if is_like_link(&name.to_lowercase()) {
        let quoted = user.canonical_username.replace("://", ": //").replace("www.", "www .");
        return format!("\"{}\"", quoted.split(char::is_control).collect::<Vec<_>>().join(" "));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_each_gap_once() {
        let values = [("name", "{link}"), ("link", "https://x/{name}")];
        assert_eq!(filled("a {name} b\n{link}\n", &values), "a {link} b\nhttps://x/{name}\n");
    }

    #[test]
    fn has_every_gap_of_every_language() {
        for text in messages::all() {
            for gap in ["{name}", "{site}", "{link}"] {
                assert!(text.reset_mail.body.contains(gap), "{gap} in {}", text.code);
            }
            assert!(text.reset_mail.body.contains("\n\n{link}\n\n"), "on a line of its own");
            assert!(
                text.reset_mail.body.lines().all(|it| it.chars().count() <= 78),
                "{}",
                text.code
            );
        }
    }
}
