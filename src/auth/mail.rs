//! Mail to users: who may have which, and when it is tried again.
//!
//! Decides how often a user is written to, how long a mail is worth sending, and which link is in it. A link
//! signs nobody in: it lets its user set a password. Knows no wording and no relay.

use std::net::IpAddr;
use std::time::Duration;

use crate::auth::one_time_tokens;
use crate::auth::throttle::{self, Subject, ThrottleLimits};
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::email_address;
use crate::base::token::{self, Token};
pub use crate::store::Letter;
use crate::store::{Count, CountId, Purpose, Result, Store, User, UserId};

/// What a mail says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LetterKind {
    /// The link with which a forgotten password is replaced.
    Reset,
}

impl LetterKind {
    const ALL: [Self; 1] = [Self::Reset];

    /// The word in the database and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
        }
    }

    /// How long it is tried to be sent. A link that comes late is no use.
    pub const fn life(self) -> Duration {
        match self {
            Self::Reset => Duration::from_secs(60 * 60),
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

/// The least time between two mails of a kind to one account, and the most of them in a day.
const GAP: Duration = Duration::from_secs(5 * 60);
const A_DAY_MAX: u32 = 10;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many mailed links of one user are good at once: an earlier mail may arrive later.
const LINKS_MAX: u32 = 3;

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
        Some(new(kind, user_id, language, now))
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
        None => allowed(before, now),
        Some(at) => Some(subject.after(limits, at, before, now)),
    };
    store.ask_for_letters(&asked, &allowance, limits.rows)?;
    Ok(LinkAsked::Done)
}

/// The accounts with this name, or this address. There are two look-ups, whatever was typed.
fn named(store: &dyn Store, typed: &str) -> Result<Vec<User>> {
    let typed = typed.trim();
    let name = Username::for_look_up(typed);
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

/// The count after another mail; `None` if it may not be sent: the last one was sent just now, or there were
/// many today.
fn allowed(before: Option<Count>, now: Moment) -> Option<Count> {
    // A count of the future, as the clock was set back, is one of now.
    let before = before.filter(|it| it.last_at.has_passed(now) && now < it.until);
    let Some(before) = before else {
        return Some(Count { failures: 1, last_at: now, until: now.after(DAY) });
    };
    let is_allowed = before.last_at.until(now) >= GAP && before.failures < A_DAY_MAX;
    is_allowed.then(|| Count { failures: before.failures + 1, last_at: now, ..before })
}

fn count_id(store: &dyn Store, thing: &str) -> CountId {
    CountId::new(token::keyed_hash(store.handle_key(), &format!("mail-{thing}")))
}

fn new(kind: &str, user_id: &str, language: &str, now: Moment) -> Letter {
    Letter {
        id: token::random_text(15),
        kind: kind.to_owned(),
        user_id: user_id.to_owned(),
        address: String::new(),
        language: language.to_owned(),
        detail: String::new(),
        created_at: now,
        due_at: now,
        tries: 0,
        last_outcome: String::new(),
    }
}

/// A mail whose turn it is, and what it needs to be written. It holds the token of its link and so has no
/// `Debug`.
pub struct DueLetter {
    /// The mail as it is in the queue.
    pub letter: Letter,
    /// What it says.
    pub kind: LetterKind,
    /// Whom it is for, as they are now.
    pub user: User,
    /// The token of its link, made just now: only its hash is stored.
    pub token: Token,
    lease: String,
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

/// Takes the next mail that is due. Those that stand for nothing, and those whose user is gone, disabled, or
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
        let user = users::get(store, &UserId::new(letter.user_id.clone()))?.filter(may_have_mail);
        let token = match &user {
            Some(user) => {
                let purpose = Purpose::ResetPassword;
                one_time_tokens::create_mailed(store, &user.id, purpose, LINKS_MAX, now)?
            }
            None => None,
        };
        match (user, token) {
            (Some(user), Some(token)) => {
                return Ok(NextLetter::Due(Box::new(DueLetter {
                    letter,
                    kind,
                    user,
                    token,
                    lease,
                })));
            }
            _ => drop(store.letter_done(&letter.id, &lease)?),
        }
    }
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
            if let Some(after) = allowed(count, now) {
                (count, sent) = (Some(after), sent + 1);
                assert_eq!(
                    allowed(count, now.after(Duration::from_millis(5 * 60 * 1_000 - 1))),
                    None
                );
            }
            now = now.after(Duration::from_secs(60));
        }
        assert_eq!(sent, 10);
        assert!(allowed(count, now).is_some(), "the next day");
        let later = Count { failures: 10, last_at: NOW.after(2 * DAY), until: NOW.after(3 * DAY) };
        assert!(allowed(Some(later), NOW).is_some(), "the clock was set back");
    }
}
