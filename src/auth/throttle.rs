//! Limits on failed attempts.
//!
//! Only failures count, and a right password is never refused for its own sake. Four things are counted: a
//! name (whether an account has it or not), a name on a known device, a session in which the password is
//! given again, and an address. A device and a session have counts of their own: an attacker elsewhere
//! slows down their own attempts and not the owner's (OWASP ASVS 6.1.1; Lucia's guidebook, device cookies).
//! The counts are in the store, so that neither a restart nor a second server forgets them. Knows nothing
//! of HTTP.

use std::cell::Cell;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::ip_prefix::ClientPrefix;
use crate::base::token::{self, TokenHash};
use crate::store::{Count, CountId, Error, KeyId, Result, Store, User, UserId};

/// The limits that an operator may set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThrottleLimits {
    /// Wrong passwords for one name that no wait follows; each one after them imposes one.
    pub free: u32,
    /// The longest wait. Waits double from one second up to this: 30 minutes leave 48 attempts a day (NIST
    /// SP 800-63B-4 § 3.2.2 allows 100 in all).
    pub wait_max: Duration,
    /// Wrong passwords from one address, whatever the names, before it has to wait.
    pub address_free: u32,
    /// After these, one more attempt in this time.
    pub address_every: Duration,
    /// Accounts that may be created from one address before it has to wait.
    pub sign_up_free: u32,
    /// After these, one more account in this time.
    pub sign_up_every: Duration,
    /// The most counts that are kept at once.
    pub rows: u32,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self {
            free: 5,
            wait_max: Duration::from_secs(30 * 60),
            address_free: 20,
            address_every: Duration::from_secs(6),
            sign_up_free: 10,
            sign_up_every: Duration::from_secs(60),
            rows: 100_000,
        }
    }
}

/// Failures are forgotten after this time without another one. They are not reduced in between: that would
/// allow a patient attacker more than 100 attempts a day.
pub const QUIET: Duration = Duration::from_secs(24 * 60 * 60);

/// Mails that may be asked for from one address before it has to wait, and the time in which another one may be.
const MAIL_FREE: u32 = 20;
const MAIL_EVERY: Duration = Duration::from_secs(60);

/// How failures turn into a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Strategy {
    /// Exponential backoff after some free failures.
    Backoff,
    /// A token bucket: its size, and the time in which one token comes back.
    TokenBucket(u32, Duration),
}

/// What an attempt is counted under.
#[derive(Clone)]
pub struct Subject {
    things: Vec<(CountId, Strategy)>,
}

impl Subject {
    /// A sign-in with this canonical name: counted under the device if it is known to the account;
    /// otherwise under the name, and under the address if it stands for one client.
    pub fn sign_in(
        store: &dyn Store,
        limits: &ThrottleLimits,
        canonical: &str,
        device: Option<&TokenHash>,
        address: Option<IpAddr>,
    ) -> Self {
        let name = match device {
            Some(device) => device_count(store, device, canonical),
            None => name_count(store, canonical),
        };
        let mut things = vec![(name, Strategy::Backoff)];
        // A known device is limited by its own count alone: otherwise another client behind the same
        // address could lock its owner out.
        if let Some(address) = address.filter(|_| device.is_none()) {
            things.push(address_count(store, limits, address));
        }
        Self { things }
    }

    /// Giving a code of this user's app to sign in: counted under the account, whatever sign-in it is for, or under the
    /// device if that is known to the account; and under the address if it stands for one client.
    pub fn second_factor(
        store: &dyn Store,
        limits: &ThrottleLimits,
        user: &UserId,
        device: Option<&TokenHash>,
        address: Option<IpAddr>,
    ) -> Self {
        // No name has a colon, so this is no count of a name.
        Self::sign_in(store, limits, &second_factor_of(user), device, address)
    }

    /// An attempt with a passkey from this address. It shares the count of wrong passwords from there. Nothing is counted
    /// if the address stands for many clients.
    pub fn passkey(store: &dyn Store, limits: &ThrottleLimits, address: Option<IpAddr>) -> Self {
        let thing = |it| address_count(store, limits, it);
        Self { things: address.map(thing).into_iter().collect() }
    }

    /// Giving the password again in this session. It has a count of its own: guesses at the name, from
    /// elsewhere or from the same address, must not keep a signed-in owner from changing the password, and
    /// a stolen session must not allow unlimited guesses (OWASP ASVS 6.3.1).
    pub fn reauthentication(store: &dyn Store, session: &TokenHash) -> Self {
        Self { things: vec![(session_count(store, session), Strategy::Backoff)] }
    }

    /// A sign-up from this address. Nothing is counted if the address stands for many clients.
    pub fn sign_up(store: &dyn Store, limits: &ThrottleLimits, address: Option<IpAddr>) -> Self {
        let strategy = Strategy::TokenBucket(limits.sign_up_free, limits.sign_up_every);
        let thing =
            |it| (count_id(store, &format!("sign-up:{}", ClientPrefix::from(it))), strategy);
        Self { things: address.map(thing).into_iter().collect() }
    }

    /// Asking for a mail from this address. Nothing is counted if the address stands for many clients.
    pub fn mail(store: &dyn Store, address: Option<IpAddr>) -> Self {
        let strategy = Strategy::TokenBucket(MAIL_FREE, MAIL_EVERY);
        let thing = |it| (count_id(store, &format!("mail:{}", ClientPrefix::from(it))), strategy);
        Self { things: address.map(thing).into_iter().collect() }
    }

    /// What it is counted under.
    pub(super) fn ids(&self) -> impl Iterator<Item = CountId> {
        self.things.iter().map(|(id, _)| *id)
    }

    /// The count of the thing with this index after another attempt.
    pub(super) fn after(
        &self,
        limits: &ThrottleLimits,
        at: usize,
        before: Option<Count>,
        now: Moment,
    ) -> Count {
        after(limits, self.things[at].1, before, now)
    }

    /// The count that a success clears: that of the name or device, but not that of the address, since an
    /// attacker with one account could then guess at others without limit.
    pub fn cleared_by_success(&self) -> Option<CountId> {
        self.things.iter().find(|(_, strategy)| *strategy == Strategy::Backoff).map(|(id, _)| *id)
    }
}

/// What failures from this address are counted under.
fn address_count(
    store: &dyn Store,
    limits: &ThrottleLimits,
    address: IpAddr,
) -> (CountId, Strategy) {
    let id = count_id(store, &format!("address:{}", ClientPrefix::from(address)));
    (id, Strategy::TokenBucket(limits.address_free, limits.address_every))
}

/// How long to wait before the next attempt; `None` if it may be made now. One read, and no write unless
/// the last failure lies in the future, as the clock was set back: then it is changed to now.
pub fn wait(
    store: &dyn Store,
    limits: &ThrottleLimits,
    subject: &Subject,
    now: Moment,
) -> Result<Option<Duration>> {
    let mut longest = None;
    for (id, strategy) in &subject.things {
        let Some(count) = store.count(id)? else { continue };
        if !count.last_at.has_passed(now) {
            bring_back(store, limits, &[*id], now)?;
        }
        longest = longest.max(wait_of(limits, *strategy, &as_of(count, now), now));
    }
    Ok(longest)
}

/// Counts an attempt before it is looked at, under the name or device of `subject`, unless it has to wait: then returns
/// for how long, and counts nothing. So of many attempts at the same moment no more are looked at than of as many one
/// after the other, where no slow hash holds them up. A success clears the count. One transaction.
pub fn take(
    store: &dyn Store,
    limits: &ThrottleLimits,
    subject: &Subject,
    now: Moment,
) -> Result<Option<Duration>> {
    let Some(id) = subject.cleared_by_success() else { return Ok(None) };
    let longest = Cell::new(None);
    let allowance = |_: usize, before: Option<Count>| {
        let before = before.map(|it| as_of(it, now));
        longest.set(before.and_then(|it| wait_of(limits, Strategy::Backoff, &it, now)));
        longest.get().is_none().then(|| after(limits, Strategy::Backoff, before, now))
    };
    drop(store.count_if_allowed(&[(id, None)], &allowance, limits.rows)?);
    Ok(longest.get())
}

/// Counts the failure of an attempt that was counted by [`take`] under what that leaves out: the address.
pub fn note_taken(
    store: &dyn Store,
    limits: &ThrottleLimits,
    subject: Subject,
    now: Moment,
) -> Result<()> {
    let mut others = subject;
    others.things.retain(|(_, strategy)| *strategy != Strategy::Backoff);
    note(store, limits, &others, now)
}

/// Counts a failed attempt, or a created account. One write, or none if there is nothing to count it under.
pub fn note(
    store: &dyn Store,
    limits: &ThrottleLimits,
    subject: &Subject,
    now: Moment,
) -> Result<()> {
    if subject.things.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = subject.ids().collect();
    let after = |at: usize, before: Option<Count>| subject.after(limits, at, before, now);
    store.change_counts(&ids, &after, limits.rows)
}

/// Clears the failures for every name that a user signs in with, on all devices known to the account, and
/// in its sessions. Returns how many of them still counted.
pub fn forget_user(store: &dyn Store, user: &User, now: Moment) -> Result<u32> {
    let sessions = store.sessions_of(&user.id)?;
    let counts: Vec<_> = sessions.iter().map(|it| session_count(store, &it.id)).collect();
    let forgotten =
        forget_failures(store, &counts, now)?.saturating_add(forget_codes(store, &user.id, now)?);
    names_of(store, user)?
        .iter()
        .try_fold(forgotten, |sum, name| Ok(sum.saturating_add(forget(store, name, now)?)))
}

/// Clears the failures for the codes of a user's app, on all devices known to the account. Returns how many of them
/// still counted.
pub(super) fn forget_codes(store: &dyn Store, user: &UserId, now: Moment) -> Result<u32> {
    forget_failures(store, &counts_of_codes(store, user)?, now)
}

/// What the codes of a user's app are counted under: the account, and each device that is known to it.
fn counts_of_codes(store: &dyn Store, user: &UserId) -> Result<Vec<CountId>> {
    let second = second_factor_of(user);
    let devices = store.devices_of(user)?;
    let of_devices = devices.iter().map(|it| device_count(store, &it.id, &second));
    Ok(of_devices.chain([name_count(store, &second)]).collect())
}

/// Failed attempts at an account that still count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FailedAttempts {
    /// How many, in all.
    pub attempts: u32,
    /// How long the next one has to wait, as the server that counted them decided; zero: not at all.
    pub wait: Duration,
}

impl FailedAttempts {
    /// Adds what was counted for one thing.
    fn add(&mut self, count: Option<Count>, now: Moment) {
        let Some(count) = count.map(|it| as_of(it, now)).filter(|it| !is_quiet(it, now)) else {
            return;
        };
        self.attempts = self.attempts.saturating_add(count.failures);
        self.wait = self.wait.max(now.until(count.until));
    }
}

/// The failed attempts for the names that a user signs in with: those from browsers that are not known to the
/// account, and those from browsers that are.
pub fn failed_attempts(
    store: &dyn Store,
    user: &User,
    now: Moment,
) -> Result<(FailedAttempts, FailedAttempts)> {
    let (mut elsewhere, mut in_known) = (FailedAttempts::default(), FailedAttempts::default());
    for name in names_of(store, user)? {
        elsewhere.add(store.count(&name_count(store, &name))?, now);
        for device in store.devices_of_key(&KeyId::username(&name))? {
            in_known.add(store.count(&device_count(store, &device, &name))?, now);
        }
    }
    Ok((elsewhere, in_known))
}

/// The wrong codes of a user's app, from all browsers.
pub fn failed_codes(store: &dyn Store, user: &UserId, now: Moment) -> Result<FailedAttempts> {
    let mut failed = FailedAttempts::default();
    for id in counts_of_codes(store, user)? {
        failed.add(store.count(&id)?, now);
    }
    Ok(failed)
}

/// The canonical names under which attempts at an account are counted: the user's own, and every sign-in name.
fn names_of(store: &dyn Store, user: &User) -> Result<Vec<String>> {
    let keys = store.keys_of(&user.id)?;
    let others = keys.iter().filter_map(|it| it.id.sign_in_name());
    let others = others.filter(|name| *name != user.canonical_username);
    Ok([&*user.canonical_username].into_iter().chain(others).map(str::to_owned).collect())
}

/// Clears the failures of an address, the accounts created from it, and the mails asked for. Returns whether any of
/// them still counted.
pub fn forget_address(store: &dyn Store, client: ClientPrefix, now: Moment) -> Result<bool> {
    let is_live = |count: &Count| !now.until(count.until).is_zero();
    let mut is_any = false;
    for thing in ["address", "sign-up", "mail"] {
        let id = count_id(store, &format!("{thing}:{client}"));
        is_any |= forget_count(store, &id, is_live, now)? > 0;
    }
    Ok(is_any)
}

/// Clears the failures that a success clears. Writes only if there are any; and if that cannot be written
/// now, the success stands.
pub fn clear(store: &dyn Store, subject: &Subject) -> Result<()> {
    let Some(id) = subject.cleared_by_success() else { return Ok(()) };
    if store.count(&id)?.is_none() {
        return Ok(());
    }
    match store.clear_count(&id) {
        Err(Error::Unavailable(_) | Error::Unknown(_)) => Ok(()),
        done => done,
    }
}

/// Clears the failures for a name, and for it on every device known to its account. Returns how many of them still
/// counted.
pub fn forget(store: &dyn Store, canonical: &str, now: Moment) -> Result<u32> {
    let devices = store.devices_of_key(&KeyId::username(canonical))?;
    let on_devices = devices.iter().map(|it| device_count(store, it, canonical));
    let ids: Vec<_> = [name_count(store, canonical)].into_iter().chain(on_devices).collect();
    forget_failures(store, &ids, now)
}

/// Clears failures that grow into waits, and returns how many of them still counted.
fn forget_failures(store: &dyn Store, ids: &[CountId], now: Moment) -> Result<u32> {
    let is_live = |count: &Count| !is_quiet(count, now);
    ids.iter()
        .try_fold(0_u32, |sum, id| Ok(sum.saturating_add(forget_count(store, id, is_live, now)?)))
}

/// Clears a count, and returns how many of its failures still counted.
fn forget_count(
    store: &dyn Store,
    id: &CountId,
    is_live: impl Fn(&Count) -> bool,
    now: Moment,
) -> Result<u32> {
    let Some(count) = store.count(id)? else { return Ok(0) };
    store.clear_count(id)?;
    Ok(if is_live(&as_of(count, now)) { count.failures } else { 0 })
}

/// Changes up to `limit` counts whose last failure lies in the future to now, and returns how many there
/// were. They would never expire, and would displace counts that matter.
pub fn bring_back_all(
    store: &dyn Store,
    limits: &ThrottleLimits,
    limit: u32,
    now: Moment,
) -> Result<usize> {
    let ids = store.counts_after(now.latest_past(), limit)?;
    bring_back(store, limits, &ids, now)?;
    Ok(ids.len())
}

/// Deletes up to `limit` counts whose failures are forgotten, and returns how many.
pub fn delete_old(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_old_counts(now.before(QUIET), limit)
}

fn bring_back(
    store: &dyn Store,
    limits: &ThrottleLimits,
    ids: &[CountId],
    now: Moment,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    // A success may have cleared the count meanwhile.
    let none = Count { failures: 0, last_at: now, until: now };
    let after = |_: usize, before: Option<Count>| before.map_or(none, |it| as_of(it, now));
    store.change_counts(ids, &after, limits.rows)
}

/// A count as of now. If its last failure lies in the future, that and the end of the wait are moved back
/// together, so that it counts as a failure of now.
fn as_of(count: Count, now: Moment) -> Count {
    if count.last_at.has_passed(now) {
        return count;
    }
    let until = count.until.before(now.until(count.last_at));
    Count { last_at: now, until, ..count }
}

/// The wait that a count imposes. It is never longer than the current settings allow, measured from the
/// last failure and from now, whatever the settings or the clock were when the count was written.
fn wait_of(
    limits: &ThrottleLimits,
    strategy: Strategy,
    count: &Count,
    now: Moment,
) -> Option<Duration> {
    let (until, longest) = match strategy {
        Strategy::Backoff if is_quiet(count, now) => return None,
        Strategy::Backoff => {
            let until = count.last_at.after(delay(limits, count.failures));
            (count.until.min(until), limits.wait_max)
        }
        // A wait begins when more than the whole bucket is missing.
        Strategy::TokenBucket(free, every) => {
            (count.until.before(every * free.saturating_sub(1)), every * free)
        }
    };
    let wait = now.until(until).min(longest);
    (!wait.is_zero()).then_some(wait)
}

fn after(limits: &ThrottleLimits, strategy: Strategy, before: Option<Count>, now: Moment) -> Count {
    let before = before.map(|it| as_of(it, now));
    let before = before.filter(|it| strategy != Strategy::Backoff || !is_quiet(it, now));
    let failures = before.map_or(0, |it| it.failures).saturating_add(1);
    let until = match strategy {
        Strategy::Backoff => now.after(delay(limits, failures)),
        Strategy::TokenBucket(_, every) => before.map_or(now, |it| it.until.max(now)).after(every),
    };
    Count { failures, last_at: now, until }
}

/// The wait after this many failures: zero, then 1, 2, 4… seconds.
fn delay(limits: &ThrottleLimits, failures: u32) -> Duration {
    match failures.checked_sub(limits.free + 1) {
        None => Duration::ZERO,
        Some(doublings) => {
            let seconds = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
            Duration::from_secs(seconds).min(limits.wait_max)
        }
    }
}

fn is_quiet(count: &Count, now: Moment) -> bool {
    count.last_at.until(now) >= QUIET
}

/// What attempts for a name are counted under, from browsers that are not known to the account.
fn name_count(store: &dyn Store, canonical: &str) -> CountId {
    count_id(store, &format!("name:{canonical}"))
}

/// What attempts for a name are counted under, from a browser that is known to the account.
fn device_count(store: &dyn Store, device: &TokenHash, canonical: &str) -> CountId {
    count_id(store, &format!("device:{}:{canonical}", token::hex(device.as_bytes())))
}

/// What stands for the second factor of a user in the place of a name.
fn second_factor_of(user: &UserId) -> String {
    format!("second:{}", user.as_str())
}

/// What attempts to give the password again in a session are counted under.
fn session_count(store: &dyn Store, session: &TokenHash) -> CountId {
    count_id(store, &format!("session:{}", token::hex(session.as_bytes())))
}

fn count_id(store: &dyn Store, thing: &str) -> CountId {
    CountId::new(token::keyed_hash(store.handle_key(), thing))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000_000);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn doubles_the_wait_after_the_free_tries_up_to_a_limit() {
        let limits = ThrottleLimits::default();
        let waits: Vec<_> = (1..=9).map(|it| delay(&limits, it).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8]);
        for failures in [17, 40, 100, u32::MAX] {
            assert_eq!(delay(&limits, failures), limits.wait_max, "{failures}");
        }
    }

    #[test]
    fn leaves_fewer_than_a_hundred_tries_a_day() {
        let limits = ThrottleLimits::default();
        let (mut count, mut now, mut tries) = (None, NOW, 0);
        // An attacker who tries again at the first possible moment, for a week.
        while NOW.until(now) < 7 * QUIET {
            let next = after(&limits, Strategy::Backoff, count, now);
            now = now.after(wait_of(&limits, Strategy::Backoff, &next, now).unwrap_or_default());
            count = Some(next);
            tries += 1;
        }
        assert!(tries < 7 * 60, "{tries} in a week");
    }

    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    #[test]
    fn counts_a_failure_of_the_future_as_one_of_now() {
        let limits = ThrottleLimits::default();
        for ahead in [seconds(2 * 3_600), seconds(8 * 3_600), seconds(24 * 3_600), 10 * YEAR] {
            let then = NOW.after(ahead);
            let fail = |strategy, count| Some(after(&limits, strategy, count, then));
            let count = (0..8).fold(None, |it, _| fail(Strategy::Backoff, it)).unwrap();
            let wait = wait_of(&limits, Strategy::Backoff, &as_of(count, NOW), NOW);
            assert_eq!(wait, Some(seconds(4)), "as it was when it failed");
            let next = after(&limits, Strategy::Backoff, Some(count), NOW);
            assert_eq!((next.failures, next.last_at, next.until), (9, NOW, NOW.after(seconds(8))));

            let bucket = Strategy::TokenBucket(3, seconds(10));
            let count = (0..3).fold(None, |it, _| fail(bucket, it)).unwrap();
            let wait = wait_of(&limits, bucket, &as_of(count, NOW), NOW);
            assert_eq!(wait, Some(seconds(10)));
            let next = after(&limits, bucket, Some(count), NOW);
            assert_eq!(wait_of(&limits, bucket, &next, NOW), Some(seconds(20)));
        }
    }

    #[test]
    fn makes_no_user_wait_longer_than_the_settings_say_whatever_a_count_holds() {
        let limits = ThrottleLimits { wait_max: seconds(60), ..ThrottleLimits::default() };
        for (last_at, until) in [
            (NOW, NOW.after(seconds(1_800))),
            (NOW.after(seconds(240)), NOW.after(seconds(2_040))),
            (NOW.before(seconds(10)), NOW.after(10 * YEAR)),
            (NOW, Moment::from_millis(i64::MAX)),
            (Moment::from_millis(i64::MAX), Moment::from_millis(i64::MAX)),
        ] {
            let count = Count { failures: 40, last_at, until };
            let wait =
                wait_of(&limits, Strategy::Backoff, &as_of(count, NOW), NOW).unwrap_or_default();
            assert!(wait <= limits.wait_max, "{wait:?}");
            let bucket = Strategy::TokenBucket(3, seconds(10));
            let wait = wait_of(&limits, bucket, &as_of(count, NOW), NOW).unwrap_or_default();
            assert!(wait <= seconds(30), "{wait:?}");
        }
        // A shorter limit applies to earlier failures too, and ends their wait.
        let count = Count { failures: 40, last_at: NOW, until: NOW.after(seconds(1_800)) };
        assert_eq!(wait_of(&limits, Strategy::Backoff, &count, NOW.after(seconds(60))), None);
    }

    #[test]
    fn forgets_after_a_day_of_quiet() {
        let limits = ThrottleLimits::default();
        let count = Count { failures: 30, last_at: NOW, until: NOW.after(limits.wait_max) };
        let almost = NOW.after(QUIET).before(seconds(1));
        assert_eq!(after(&limits, Strategy::Backoff, Some(count), almost).failures, 31);
        let later = NOW.after(QUIET);
        assert_eq!(after(&limits, Strategy::Backoff, Some(count), later).failures, 1);
        assert_eq!(wait_of(&limits, Strategy::Backoff, &count, later), None);
    }

    #[test]
    fn lets_an_allowance_grow_back() {
        let (limits, strategy) = (ThrottleLimits::default(), Strategy::TokenBucket(3, seconds(10)));
        let mut count = None;
        for _ in 0..3 {
            assert!(count.is_none_or(|it| wait_of(&limits, strategy, &it, NOW).is_none()));
            count = Some(after(&limits, strategy, count, NOW));
        }
        let used_up = count.unwrap();
        assert_eq!(wait_of(&limits, strategy, &used_up, NOW), Some(seconds(10)));
        assert_eq!(wait_of(&limits, strategy, &used_up, NOW.after(seconds(9))), Some(seconds(1)));
        let later = NOW.after(seconds(10));
        assert_eq!(wait_of(&limits, strategy, &used_up, later), None);
        let again = after(&limits, strategy, Some(used_up), later);
        assert_eq!(wait_of(&limits, strategy, &again, later), Some(seconds(10)));
    }
}
