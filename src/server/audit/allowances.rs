//! How many records of what anybody can cause are kept.
//!
//! Decides it for each user, or for each client address where no user is known, so that no amount of one
//! account's or one address's records keeps those of another out; and counts what is left out by the
//! same key, event by event. Memory is bounded: it forgets everything when a minute is over.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::base::ip_prefix::ClientPrefix;

const MINUTE_MILLIS: i64 = 60_000;

/// Records of one event that one cause may add in a minute.
pub(super) const EACH_MAX: u64 = 100;

/// The first records of an event about a user in a minute, which no total limits.
const FIRST_MAX: u64 = 10;

/// Records of one event in a minute from all causes together, beyond the first ones: a flood from many
/// addresses or accounts cannot fill the disk.
const TOTAL_MAX: u64 = 1_000;

/// Users, and client addresses, times events, that are told apart in a minute. Beyond it the new ones
/// share one allowance.
const APART_MAX: usize = 10_000;

/// Lines about what was left out in a minute; what is beyond is told as a sum for each event.
const LINES_MAX: usize = 1_000;

/// Whose allowance a record uses.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Cause {
    /// The user whom it is about.
    User(String),
    /// The client address that it came from, where no user is known.
    Client(ClientPrefix),
    /// Neither is known, or there are too many to be told apart.
    Other,
}

/// What was left out of one event in a minute that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LeftOut {
    pub(super) cause: Cause,
    pub(super) event: Event,
    pub(super) records: u64,
}

/// The allowances of the present minute. Shared by all threads.
#[derive(Default)]
pub(super) struct Allowances(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    number: i64,
    users: HashMap<(Cause, Event), EventTally>,
    /// Those of which no user is known.
    clients: HashMap<(Cause, Event), EventTally>,
    /// Records of each event beyond the first ones.
    totals: HashMap<Event, u64>,
}

#[derive(Clone, Copy, Default)]
struct EventTally {
    kept: u64,
    left_out: u64,
}

impl Allowances {
    /// Whether one more record of this event by this cause may be kept. If it may not, or there is no
    /// room for it, it is counted as left out.
    pub(super) fn admit(&self, cause: Cause, event: Event, has_room: bool) -> bool {
        let mut minute = self.lock();
        let minute = &mut *minute;
        let total = minute.totals.entry(event).or_default();
        let is_user = matches!(cause, Cause::User(_));
        let tally =
            tally(if is_user { &mut minute.users } else { &mut minute.clients }, cause, event);
        let is_first = is_user && tally.kept < FIRST_MAX;
        let is_allowed = tally.kept < EACH_MAX && (is_first || *total < TOTAL_MAX);
        if has_room && is_allowed {
            tally.kept += 1;
            *total += u64::from(!is_first);
        } else {
            tally.left_out += 1;
        }
        has_room && is_allowed
    }

    /// Counts a record as left out that should have been kept.
    pub(super) fn leave_out(&self, cause: Cause, event: Event) {
        self.admit(cause, event, false);
    }

    /// Begins a new minute if the last one is over, and says what was left out in that.
    pub(super) fn settle(&self, now: Moment) -> Vec<LeftOut> {
        let number = now.millis().div_euclid(MINUTE_MILLIS);
        let mut minute = self.lock();
        if minute.number == number {
            return Vec::new();
        }
        let over = std::mem::replace(&mut *minute, Minute { number, ..Minute::default() });
        drop(minute);
        over.left_out()
    }

    /// Begins anew, and says what was left out so far.
    pub(super) fn take(&self) -> Vec<LeftOut> {
        std::mem::take(&mut *self.lock()).left_out()
    }

    fn lock(&self) -> MutexGuard<'_, Minute> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    /// Users first, and what is too much to be told one by one as a sum for each event.
    fn left_out(self) -> Vec<LeftOut> {
        let all = self.users.into_iter().chain(self.clients);
        let mut told: Vec<_> = all
            .filter(|(_, tally)| tally.left_out > 0)
            .map(|((cause, event), tally)| LeftOut { cause, event, records: tally.left_out })
            .collect();
        let mut sums = HashMap::new();
        for it in told.split_off(LINES_MAX.min(told.len())) {
            *sums.entry(it.event).or_insert(0) += it.records;
        }
        let sum = |(event, records)| LeftOut { cause: Cause::Other, event, records };
        told.extend(sums.into_iter().map(sum));
        told
    }
}

fn tally(
    tallies: &mut HashMap<(Cause, Event), EventTally>,
    cause: Cause,
    event: Event,
) -> &mut EventTally {
    let key = (cause, event);
    let is_told_apart = tallies.len() < APART_MAX || tallies.contains_key(&key);
    tallies.entry(if is_told_apart { key } else { (Cause::Other, event) }).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    const NOW: Moment = Moment::from_millis(60_000_000);

    fn user(name: &str) -> Cause {
        Cause::User(name.to_owned())
    }

    fn client(number: u32) -> Cause {
        Cause::Client(IpAddr::from(number.to_be_bytes()).into())
    }

    /// How many of so many records are kept.
    fn kept(all: &Allowances, cause: &Cause, event: Event, records: u64) -> u64 {
        (0..records).map(|_| u64::from(all.admit(cause.clone(), event, true))).sum()
    }

    #[test]
    fn gives_each_user_and_each_client_an_allowance_of_their_own_for_each_event() {
        let all = Allowances::default();
        for cause in [user("anna"), client(1), Cause::Other] {
            assert_eq!(kept(&all, &cause, Event::Throttled, 1_000), EACH_MAX, "{cause:?}");
        }
        for (cause, event) in [
            (user("bobo"), Event::Throttled),
            (client(2), Event::Throttled),
            (user("anna"), Event::CheckDenied),
        ] {
            assert_eq!(kept(&all, &cause, event, 50), 50, "{cause:?}");
        }
    }

    #[test]
    fn says_what_was_left_out_of_whom_when_the_minute_is_over() {
        let all = Allowances::default();
        assert_eq!(all.settle(NOW), []);
        kept(&all, &user("anna"), Event::Throttled, 150);
        kept(&all, &client(1), Event::CsrfReject, 101);
        all.leave_out(user("bobo"), Event::TokenMake);
        assert_eq!(all.settle(NOW.after(std::time::Duration::from_secs(59))), []);
        let later = NOW.after(std::time::Duration::from_secs(60));
        let mut told = all.settle(later);
        told.sort_by_key(|it| it.records);
        let left_out = |cause, event, records| LeftOut { cause, event, records };
        assert_eq!(told.len(), 3);
        assert!(told.contains(&left_out(user("anna"), Event::Throttled, 50)), "{told:?}");
        assert!(told.contains(&left_out(client(1), Event::CsrfReject, 1)), "{told:?}");
        assert!(told.contains(&left_out(user("bobo"), Event::TokenMake, 1)), "{told:?}");
        assert_eq!(kept(&all, &user("anna"), Event::Throttled, 150), EACH_MAX, "a new minute");
        assert_eq!(all.settle(NOW).len(), 1, "a clock that went back begins anew as well");
    }

    #[test]
    fn keeps_the_first_of_every_user_when_many_addresses_have_used_the_total_up() {
        let all = Allowances::default();
        let from_everywhere: u64 =
            (0..100).map(|it| kept(&all, &client(it), Event::Throttled, 100)).sum();
        assert_eq!(from_everywhere, TOTAL_MAX);
        assert_eq!(kept(&all, &client(200), Event::Throttled, 5), 0);
        assert_eq!(kept(&all, &user("bobo"), Event::Throttled, 15), FIRST_MAX);
        assert_eq!(kept(&all, &client(200), Event::CsrfReject, 5), 5, "another event");
    }

    #[test]
    fn tells_a_bounded_number_of_causes_apart_and_never_a_user_less_for_addresses() {
        let all = Allowances::default();
        for number in 0..30_000 {
            all.admit(client(number), Event::CsrfReject, true);
        }
        assert!(all.lock().clients.len() <= APART_MAX + 1);
        assert!(all.lock().users.is_empty());
        assert_eq!(kept(&all, &user("bobo"), Event::CsrfReject, 15), FIRST_MAX);
        let told = all.take();
        assert!(told.len() <= LINES_MAX + 1, "{}", told.len());
        let records: u64 = told.iter().map(|it| it.records).sum();
        assert_eq!(records, 30_000 - TOTAL_MAX + 5, "every one is counted");
    }
}
