//! Mails as they are written: the words of each kind, and the link in it or what it tells.
//!
//! Addresses of links come from `--origin` alone, whatever host a request names. What users have chosen
//! themselves stands in a text as one line that no program makes a link of.

use crate::auth::mail::{self, DueLetter, LetterKind, NextLetter};
use crate::base::canonical_name;
use crate::base::clock::Moment;
use crate::store::{Error, Letter, User};
use crate::web::Site;
use crate::web::call::Call;
use crate::web::messages::{self, MailText, Text};
use crate::web::pages::sessions::browser_in;

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
        &self.due.letter.user_id
    }

    /// Where it goes.
    pub fn to(&self) -> &str {
        &self.due.to
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
        let (MailText { subject, body }, page) = of_kind(text, due.kind);
        let token = due.token.as_ref().map_or("", |it| it.reveal());
        let link = format!("{own}{}{page}?token={token}", self.settings.prefix);
        let name = shown_name(&due.name);
        let (browser, client) = (due.browser(), due.client());
        let browser = browser_in(text, &browser).concat();
        let facts = [
            ("name", &*name),
            ("site", host),
            ("moment", &due.letter.created_at.minute()),
            ("browser", &browser),
            ("address", if client.is_empty() { "-" } else { &client }),
        ];
        let facts = filled(text.mail_facts, &facts);
        let values = [("name", &*name), ("site", host), ("link", &link), ("facts", &facts)];
        let filled = filled(body, &values);
        Outgoing { due, subject, text: filled }
    }
}

impl Call<'_> {
    /// A notice of what this request does, to the verified address of a user. `None`: there is none, or the site sends
    /// no notices.
    pub(super) fn notice(&self, kind: LetterKind, user: &User) -> Option<Letter> {
        let letter = || mail::notice(kind, user, self.language(), &self.place(), self.now);
        self.site.settings.has_notices.then(letter).flatten()
    }
}

/// The words of a kind, and the page to which its link leads.
const fn of_kind(text: &Text, kind: LetterKind) -> (&MailText, &'static str) {
    match kind {
        LetterKind::Reset => (&text.reset_mail, "/reset"),
        LetterKind::Verify => (&text.verify_mail, "/verify"),
        LetterKind::EmailAsked => (&text.email_asked_mail, ""),
        LetterKind::EmailChanged => (&text.email_changed_mail, ""),
        LetterKind::PasswordChanged => (&text.password_changed_mail, ""),
        LetterKind::NewBrowser => (&text.new_browser_mail, ""),
        LetterKind::AccessTokenMade => (&text.token_created_mail, ""),
        LetterKind::SecondFactorOn => (&text.second_factor_on_mail, ""),
        LetterKind::SecondFactorOff => (&text.second_factor_off_mail, ""),
        LetterKind::RecoveryCodeUsed => (&text.recovery_code_used_mail, ""),
        LetterKind::PasswordKnown => (&text.password_known_mail, ""),
        LetterKind::PasskeyAdded => (&text.passkey_added_mail, ""),
        LetterKind::PasskeyRemoved => (&text.passkey_removed_mail, ""),
        LetterKind::PasskeyCloned => (&text.passkey_cloned_mail, ""),
        LetterKind::AccountDeleted => (&text.account_deleted_mail, ""),
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
fn shown_name(name: &str) -> String {
    let on_one_line = |it: &str| it.split(char::is_control).collect::<Vec<_>>().join(" ");
    let canonical = canonical_name::canonical(name);
    if canonical.contains("://") || canonical.contains("www.") {
        let quoted = canonical.replace("://", ": //").replace("www.", "www .");
        return format!("\"{}\"", on_one_line(&quoted));
    }
    on_one_line(name)
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
        for (text, kind) in messages::all().flat_map(|it| LetterKind::ALL.map(|kind| (it, kind))) {
            let (MailText { body, .. }, page) = of_kind(text, kind);
            let gaps: &[_] =
                if page.is_empty() { &["{facts}"] } else { &["{name}", "{site}", "{link}"] };
            for gap in gaps {
                assert!(body.contains(gap), "{gap} of {} in {}", kind.as_str(), text.code);
            }
            let is_alone = |gap: &str| body.contains(&format!("\n\n{gap}\n\n"));
            assert!(is_alone("{link}") || is_alone("{facts}"), "on a line of its own");
            assert!(body.lines().all(|it| it.chars().count() <= 78), "{}", text.code);
            for gap in ["{name}", "{site}", "{moment}", "{browser}", "{address}"] {
                assert!(text.mail_facts.contains(gap), "{gap} in {}", text.code);
            }
        }
    }
}
