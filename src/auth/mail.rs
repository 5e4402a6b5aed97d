//! Mail to users: who may have which, and when it is tried again.
//!
//! Decides how often a user is written to, how long a mail is worth sending, and which link is in it. A link does not
//! sign its user in: it lets them set a password, or verifies an address for a user who is signed in. Knows no wording
//! and no relay.

use std::net::IpAddr;
use std::time::Duration;

use crate::auth::one_time_tokens;
use crate::auth::throttle::{self, Subject, ThrottleLimits};
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::email_address;
use crate::base::log_fields;
use crate::base::token::{self, Token};
pub use crate::store::Letter;
use crate::store::{ClientInfo, Count, CountId, Purpose, Result, Store, User, UserId};

/// What a mail says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LetterKind {
    /// The link with which a forgotten password is replaced.
    Reset,
    /// The link that verifies an address, to that address.
    Verify,
    /// A notice to the verified address: another one was asked for.
    EmailAsked,
    /// A notice to the address that counted before: another one counts now, or none.
    EmailChanged,
    /// A notice: the password was changed.
    PasswordChanged,
    /// A notice: the account was signed in to from a browser that is not known.
    NewBrowser,
    /// A notice: an access token was created.
    AccessTokenMade,
    /// A notice: the second factor was turned on.
    SecondFactorOn,
    /// A notice: the second factor was turned off, by its user or an operator.
    SecondFactorOff,
    /// A notice: the account was signed in to with a recovery code.
    RecoveryCodeUsed,
    /// A notice: after the right password, several codes were wrong.
    PasswordKnown,
    /// A notice: a passkey was added.
    PasskeyAdded,
    /// A notice: a passkey was removed, by its owner or an operator.
    PasskeyRemoved,
    /// A notice: a passkey was refused, as it seems to have been cloned.
    PasskeyCloned,
    /// A notice: the account was deleted.
    AccountDeleted,
}

impl LetterKind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Reset,
        Self::Verify,
        Self::EmailAsked,
        Self::EmailChanged,
        Self::PasswordChanged,
        Self::NewBrowser,
        Self::AccessTokenMade,
        Self::SecondFactorOn,
        Self::SecondFactorOff,
        Self::RecoveryCodeUsed,
        Self::PasswordKnown,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::PasskeyCloned,
        Self::AccountDeleted,
    ];

    /// The word in the database and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::EmailAsked => "email_asked",
            Self::EmailChanged => "email_changed",
            Self::PasswordChanged => "password_changed",
            Self::NewBrowser => "new_browser",
            Self::AccessTokenMade => "access_token_made",
            Self::SecondFactorOn => "second_factor_on",
            Self::SecondFactorOff => "second_factor_off",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::PasswordKnown => "password_known",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRemoved => "passkey_removed",
            Self::PasskeyCloned => "passkey_cloned",
            Self::AccountDeleted => "account_deleted",
        }
    }

    /// How long it is tried to be sent. A link that comes late is no use; a notice still is.
    pub const fn life(self) -> Duration {
        match self.purpose() {
            Some(purpose) => one_time_tokens::life(purpose),
            None => Duration::from_secs(3 * 24 * 60 * 60),
        }
    }

    /// What its link does; `None`: it is a notice, without a link.
    const fn purpose(self) -> Option<Purpose> {
        match self {
            Self::Reset => Some(Purpose::ResetPassword),
            Self::Verify => Some(Purpose::VerifyEmail),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// The most bytes of a name or an address in the form that asks for a mail.
pub const ASKED_BYTES_MAX: usize = email_address::BYTES_MAX;

/// The most accounts with one address that are written to.
const ACCOUNTS_MAX: u32 = 5;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often one account is sent a link by those who do not sign in to it.
const RESETS: Quota = Quota { gap: Duration::from_secs(5 * 60), most: 10, span: DAY };

/// How often one account is told of a sign-in from a browser that is not known.
const NEW_BROWSERS: Quota = Quota { gap: Duration::ZERO, most: 10, span: DAY };

/// How often one account is told of each thing that an attacker can cause any number of times.
const ALARMS: Quota = Quota { gap: Duration::ZERO, most: 1, span: DAY };

/// How many mailed links of one user are good at once: an earlier mail may arrive later.
const LINKS_MAX: u32 = 3;

/// What the detail of a notice has.
const NAME: &str = "name";
const BROWSER: &str = "browser";
const ADDRESS: &str = "address";

/// How long one server may have a mail: longer than all deadlines of sending it together.
pub const LEASE: Duration = Duration::from_secs(10 * 60);

/// The longest wait before a mail is tried again; it begins with a minute, and doubles.
const RETRY_MAX: Duration = Duration::from_secs(60 * 60);

/// The outcome of asking for a link, which does not tell whether there is an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkAsked {
    /// A mail is on its way, if there is an account that may have one.
    Done,
    /// Too many were asked for from this address.
    Wait(Duration),
}

/// Asks for a reset link for the accounts with this name or address, in this language. Only those that are enabled
/// and have a verified address get one, and no more than the limits allow. Whatever was typed, there are the
/// same look-ups and one transaction.
pub fn ask_for_reset(
    store: &dyn Store,
    limits: &ThrottleLimits,
    (typed, language): (&str, &str),
    client: Option<IpAddr>,
    now: Moment,
) -> Result<LinkAsked> {
    let subject = Subject::mail(store, client);
    if let Some(wait) = throttle::wait(store, limits, &subject, now)? {
        return Ok(LinkAsked::Wait(wait));
    }
    let found = named(store, typed)?;
    let all = found.iter().filter(|it| may_have_mail(it));
    let letter = |user_id: &str| {
        let kind = if user_id.is_empty() { Letter::NOTHING } else { LetterKind::Reset.as_str() };
        Some(new((kind, user_id, ""), language, now))
    };
    let mut asked: Vec<(CountId, Option<Letter>)> = all
        .map(|it| (count_id(store, &format!("user:{}", it.id.as_str())), letter(it.id.as_str())))
        .collect();
    if asked.is_empty() {
        let thing = format!("name:{}", typed.to_lowercase());
        asked.push((count_id(store, &thing), letter("")));
    }
    let letters = asked.len();
    asked.extend(subject.ids().map(|id| (id, None)));
    let allowance = |at: usize, before| match at.checked_sub(letters) {
        None => RESETS.after(before, now),
        Some(at) => Some(subject.after(limits, at, before, now)),
    };
    drop(store.count_if_allowed(&asked, &allowance, limits.rows)?);
    Ok(LinkAsked::Done)
}

/// The accounts with this name, or this address. There are two look-ups, whatever was typed.
fn named(store: &dyn Store, typed: &str) -> Result<Vec<User>> {
    let typed = typed.trim();
    let name = Username::or_address(typed).map(|it| it.plain().unwrap_or(it));
    let by_name = store.user_by_name(name.as_ref().map_or("", Username::canonical))?;
    let canonical = email_address::canonical(typed);
    let by_address = store.users_by_email(&canonical, ACCOUNTS_MAX)?;
    let mut found: Vec<_> = by_name.into_iter().collect();
    // An older server may have set another address since.
    let others =
        by_address.into_iter().filter(|it| email_address::canonical(&it.email) == canonical);
    for user in others {
        if found.iter().all(|it| it.id != user.id) {
            found.push(user);
        }
    }
    Ok(found)
}

fn may_have_mail(user: &User) -> bool {
    user.disabled_at.is_none() && email_address::is_deliverable(user.verified_email())
}

/// How often something may be mailed.
pub(super) struct Quota {
    /// The least time between two.
    pub(super) gap: Duration,
    /// The most in a span, which begins with the first.
    pub(super) most: u32,
    pub(super) span: Duration,
}

impl Quota {
    /// The count after another one; `None`: it may not be sent.
    pub(super) fn after(&self, before: Option<Count>, now: Moment) -> Option<Count> {
        let Some(before) = counting(before, now) else {
            return Some(Count { failures: 1, last_at: now, until: now.after(self.span) });
        };
        let is_allowed = before.last_at.until(now) >= self.gap && before.failures < self.most;
        is_allowed.then(|| Count { failures: before.failures + 1, last_at: now, ..before })
    }

    /// How long to wait for another one.
    pub(super) fn wait(&self, before: Option<Count>, now: Moment) -> Duration {
        match counting(before, now) {
            Some(count) if count.failures >= self.most => now.until(count.until),
            Some(count) => now.until(count.last_at.after(self.gap)),
            None => Duration::ZERO,
        }
    }
}

/// A count whose span has not ended. One of the future, as the clock was set back, does not count.
fn counting(count: Option<Count>, now: Moment) -> Option<Count> {
    count.filter(|it| it.last_at.has_passed(now) && now < it.until)
}

pub(super) fn count_id(store: &dyn Store, thing: &str) -> CountId {
    CountId::new(token::keyed_hash(store.handle_key(), &format!("mail-{thing}")))
}

fn new((kind, user_id, address): (&str, &str, &str), language: &str, now: Moment) -> Letter {
    Letter {
        id: token::random_text(15),
        kind: kind.to_owned(),
        user_id: user_id.to_owned(),
        address: address.to_owned(),
        language: language.to_owned(),
        detail: String::new(),
        created_at: now,
        due_at: now,
        tries: 0,
        last_outcome: String::new(),
    }
}

/// The outcome of an operator's having a reset link mailed to a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetMailed {
    /// The mail waits to be sent.
    Done,
    /// The user is disabled, or has no verified address to which mail can be sent.
    NoAddress,
    /// As many mails wait as may, in all or of this user.
    QueueFull,
}

/// Queues a mail with a reset link for a user, in this language, for an operator, whom no limit in time holds up.
pub fn mail_reset(
    store: &dyn Store,
    user: &User,
    language: &str,
    now: Moment,
) -> Result<ResetMailed> {
    if !may_have_mail(user) {
        return Ok(ResetMailed::NoAddress);
    }
    let letter = new((LetterKind::Reset.as_str(), user.id.as_str(), ""), language, now);
    Ok(match store.add_letters(&[letter])? {
        0 => ResetMailed::QueueFull,
        _ => ResetMailed::Done,
    })
}

/// A mail with a link that verifies this address.
pub(super) fn verification(user: &User, address: &str, language: &str, now: Moment) -> Letter {
    new((LetterKind::Verify.as_str(), user.id.as_str(), address), language, now)
}

/// A notice to a user, at the address that is theirs now, of what was done from this browser and address. `None`: they
/// have none that is verified.
pub fn notice(
    kind: LetterKind,
    user: &User,
    language: &str,
    place: &ClientInfo,
    now: Moment,
) -> Option<Letter> {
    let address = user.verified_email();
    let facts = [(NAME, &*user.username), (BROWSER, &place.browser), (ADDRESS, &place.address)];
    let letter = new((kind.as_str(), user.id.as_str(), address), language, now);
    email_address::is_deliverable(address)
        .then(|| Letter { detail: log_fields::text(&facts), ..letter })
}

/// A notice of a sign-in from a browser that is not known to the account, as for [`notice`]; `None` as well if there
/// were many today: a script that keeps no cookies is a new browser each time.
pub(super) fn of_new_browser(
    store: &dyn Store,
    limits: &ThrottleLimits,
    (user, language): (&User, &str),
    place: &ClientInfo,
    now: Moment,
) -> Result<Option<Letter>> {
    let Some(letter) = notice(LetterKind::NewBrowser, user, language, place, now) else {
        return Ok(None);
    };
    let thing = format!("new-browser:{}", user.id.as_str());
    Ok(count_one(store, limits, &NEW_BROWSERS, &thing, now)?.then_some(letter))
}

/// Queues a notice of this kind, if the user has a verified address and had none of this kind today.
pub(super) fn alarm(
    store: &dyn Store,
    limits: &ThrottleLimits,
    (kind, user, language): (LetterKind, &User, &str),
    place: &ClientInfo,
    now: Moment,
) -> Result<()> {
    let Some(letter) = notice(kind, user, language, place, now) else { return Ok(()) };
    let thing = format!("{}:{}", kind.as_str(), user.id.as_str());
    if count_one(store, limits, &ALARMS, &thing, now)? {
        store.add_letters(&[letter])?;
    }
    Ok(())
}

/// Counts one more letter about a thing. `false`: it may not be sent, as the quota is used up.
pub(super) fn count_one(
    store: &dyn Store,
    limits: &ThrottleLimits,
    quota: &Quota,
    thing: &str,
    now: Moment,
) -> Result<bool> {
    let id = count_id(store, thing);
    let Some(first) = quota.after(store.count(&id)?, now) else { return Ok(false) };
    let after = |_: usize, before| quota.after(before, now).unwrap_or(first);
    store.change_counts(&[id], &after, limits.rows)?;
    Ok(true)
}

/// A mail whose turn it is, and what it needs to be written. It holds the token of its link and so has no
/// `Debug`.
pub struct DueLetter {
    /// The mail as it is in the queue.
    pub letter: Letter,
    /// What it says.
    pub kind: LetterKind,
    /// Where it goes.
    pub to: String,
    /// The username of whom it is about, as it is now; of an account that is gone, as it was.
    pub name: String,
    /// The token of its link, made just now: only its hash is stored. `None`: it is a notice, without a link.
    pub token: Option<Token>,
    lease: String,
}

impl DueLetter {
    /// The browser that did what a notice tells of; empty: unknown.
    pub fn browser(&self) -> String {
        fact(&self.letter, BROWSER)
    }

    /// The address of the client that did it; empty: unknown.
    pub fn client(&self) -> String {
        fact(&self.letter, ADDRESS)
    }
}

fn fact(letter: &Letter, name: &str) -> String {
    let all = log_fields::read(&letter.detail);
    all.into_iter().find(|(it, _)| it == name).map_or_else(String::new, |(_, value)| value)
}

/// The next mail.
pub enum NextLetter {
    /// It is to be sent now.
    Due(Box<DueLetter>),
    /// One was dropped, as it was not worth sending any more.
    GivenUp(Letter),
    /// None is due.
    None,
}

/// Takes the next mail that is due. Those that stand for nothing, and links for users who are gone, disabled, or
/// without a verified address by now, are dropped in passing.
pub fn next(store: &dyn Store, now: Moment) -> Result<NextLetter> {
    loop {
        let lease = token::random_text(20);
        let Some(letter) = store.take_letter(&lease, now.after(LEASE), now)? else {
            return Ok(NextLetter::None);
        };
        let Some(kind) = LetterKind::parse(&letter.kind) else {
            store.letter_done(&letter.id, &lease)?;
            continue;
        };
        if letter.created_at.after(kind.life()) < now {
            store.letter_done(&letter.id, &lease)?;
            return Ok(NextLetter::GivenUp(letter));
        }
        match due(store, kind, letter, lease, now)? {
            Ok(due) => return Ok(NextLetter::Due(Box::new(due))),
            Err((letter, lease)) => drop(store.letter_done(&letter.id, &lease)?),
        }
    }
}

/// What a mail needs to be written; the mail and its lease, if it is not to be sent.
fn due(
    store: &dyn Store,
    kind: LetterKind,
    letter: Letter,
    lease: String,
    now: Moment,
) -> Result<std::result::Result<DueLetter, (Letter, String)>> {
    let user = users::get(store, &UserId::new(letter.user_id.clone()))?;
    let Some(purpose) = kind.purpose() else {
        let name = user.map_or_else(|| fact(&letter, NAME), |it| it.username);
        let to = letter.address.clone();
        return Ok(Ok(DueLetter { letter, kind, to, name, token: None, lease }));
    };
    let user = user.filter(|it| it.disabled_at.is_none());
    let to = match &user {
        Some(user) if purpose == Purpose::ResetPassword => user.verified_email().to_owned(),
        _ => letter.address.clone(),
    };
    let Some(user) = user.filter(|_| email_address::is_deliverable(&to)) else {
        return Ok(Err((letter, lease)));
    };
    let link = (purpose, &*letter.address);
    let token = one_time_tokens::create_mailed(store, &user.id, link, LINKS_MAX, now)?;
    Ok(match token {
        Some(token) => {
            Ok(DueLetter { letter, kind, to, name: user.username, token: Some(token), lease })
        }
        None => Err((letter, lease)),
    })
}

/// Notes that a mail was sent, or will never be taken.
pub fn done(store: &dyn Store, it: &DueLetter) -> Result<()> {
    store.letter_done(&it.letter.id, &it.lease).map(drop)
}

/// Notes that a mail was not sent and why, in a word, and tries it again later.
pub fn failed(store: &dyn Store, it: &DueLetter, outcome: &str, now: Moment) -> Result<()> {
    let due_at = now.after(wait_after(it.letter.tries));
    store.letter_failed(&it.letter.id, &it.lease, outcome, due_at).map(drop)
}

/// The wait after this many tries before the one that failed.
fn wait_after(tries: u32) -> Duration {
    Duration::from_secs(60_u64 << tries.min(6)).min(RETRY_MAX)
}

/// The mails that wait, the oldest first.
pub fn waiting(store: &dyn Store, limit: u32) -> Result<Vec<Letter>> {
    store.letters(limit)
}

/// Makes a mail due at once, or all of them (`None`), and returns how many.
pub fn retry(store: &dyn Store, id: Option<&str>, now: Moment) -> Result<usize> {
    store.retry_letters(id, now)
}

/// Deletes a mail that waits. `false` if there is none with this id.
pub fn drop_one(store: &dyn Store, id: &str) -> Result<bool> {
    store.drop_letter(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000_000);

    #[test]
    fn waits_longer_each_time_and_an_hour_at_most() {
        let minutes: Vec<_> = (0..9).map(|it| wait_after(it).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn allows_one_mail_in_five_minutes_and_ten_in_a_day() {
        let (mut count, mut now, mut sent) = (None, NOW, 0);
        while NOW.until(now) < DAY {
            if let Some(after) = RESETS.after(count, now) {
                (count, sent) = (Some(after), sent + 1);
                let too_early = now.after(Duration::from_millis(5 * 60 * 1_000 - 1));
                assert_eq!(RESETS.after(count, too_early), None);
                let wait = if sent == 10 {
                    too_early.until(NOW.after(DAY))
                } else {
                    Duration::from_millis(1)
                };
                assert_eq!(RESETS.wait(count, too_early), wait);
            }
            now = now.after(Duration::from_secs(60));
        }
        assert_eq!(sent, 10);
        assert!(RESETS.after(count, now).is_some(), "the next day");
        let later = Count { failures: 10, last_at: NOW.after(2 * DAY), until: NOW.after(3 * DAY) };
        assert!(RESETS.after(Some(later), NOW).is_some(), "the clock was set back");
    }
}
