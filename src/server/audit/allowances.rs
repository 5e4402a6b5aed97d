//! How many records are kept of events that a client can cause in any number.
//!
//! Each user has an allowance, or each client address where no user is known, so that a flood from one
//! account or address does not crowd out the records of others. What is left out is counted under the same
//! key, event by event. The first records of each client are kept, even if its user's allowance is used up.
//! Memory is bounded: everything is reset once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::base::ip_prefix::{ClientPrefix, SubscriberPrefix};

const MINUTE_MILLIS: i64 = 60_000;

/// The most records of one event that one cause may add in a minute.
pub(super) const EACH_MAX: u64 = 100;

/// The first records of an event about a user in a minute, which the total does not limit.
const FIRST_MAX: u64 = 10;

/// The first records of an event from one client address in a minute, which neither the total nor the user's
/// allowance limits, so that an address that appears during a flood leaves a trace.
const FIRST_OF_CLIENT_MAX: u64 = 3;

/// The most of these first records from one subscriber, who may have 65,536 client addresses.
const FIRST_OF_SUBSCRIBER_MAX: u64 = 10;

/// The most of these first records of one event from all clients in a minute.
const FIRST_OF_CLIENTS_TOTAL_MAX: u64 = 3_000;

/// The most records of one event in a minute from all causes together, beyond the first ones, so that a
/// flood from many addresses or accounts cannot fill the disk.
const TOTAL_MAX: u64 = 1_000;

/// The most pairs of a user (or a client address) and an event that are counted apart in a minute. Beyond
/// it, new ones share one allowance.
const APART_MAX: usize = 10_000;

/// The most records about what was left out in a minute; the rest becomes one sum for each event.
const LINES_MAX: usize = 1_000;

/// The cause of a record, whose allowance it uses.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Cause {
    /// The user whom it is about.
    User(String),
    /// The client address, where no user is known.
    Client(ClientPrefix),
    /// Neither is known, or there are too many to count apart.
    Other,
}

/// How many records of one event were left out in a minute that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LeftOut {
    pub(super) cause: Cause,
    pub(super) event: Event,
    pub(super) records: u64,
}

/// The allowances of the current minute. Shared by all threads.
#[derive(Default)]
pub(super) struct Allowances(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    number: i64,
    users: HashMap<(Cause, Event), EventTally>,
    /// By client address, where no user is known.
    clients: HashMap<(Cause, Event), EventTally>,
    /// Records of each event, without the first ones of each user.
    totals: HashMap<Event, u64>,
    firsts: Firsts,
}

/// The first records of each client, and how many of them were kept beyond an allowance.
#[derive(Default)]
struct Firsts {
    /// First records of each client that were kept.
    clients: HashMap<(ClientPrefix, Event), u64>,
    /// Those that were kept beyond an allowance, by subscriber and in total.
    subscribers: HashMap<(SubscriberPrefix, Event), u64>,
    totals: HashMap<Event, u64>,
}

impl Firsts {
    /// Counts a record of this client that is kept.
    fn count(&mut self, client: ClientPrefix, event: Event) {
        let key = (client, event);
        if self.clients.len() < APART_MAX || self.clients.contains_key(&key) {
            *self.clients.entry(key).or_default() += 1;
        }
    }

    /// Whether another first record of this client may be kept beyond an allowance.
    fn admit(&mut self, client: ClientPrefix, event: Event) -> bool {
        let subscriber = SubscriberPrefix::from(client);
        let of_client = self.clients.get(&(client, event)).copied().unwrap_or(0);
        let of_subscriber = self.subscribers.get(&(subscriber, event)).copied().unwrap_or(0);
        let total = self.totals.entry(event).or_default();
        let is_first = of_client < FIRST_OF_CLIENT_MAX
            && of_subscriber < FIRST_OF_SUBSCRIBER_MAX
            && *total < FIRST_OF_CLIENTS_TOTAL_MAX;
        if is_first {
            *total += 1;
            self.subscribers.insert((subscriber, event), of_subscriber + 1);
        }
        is_first
    }
}

#[derive(Clone, Copy, Default)]
struct EventTally {
    kept: u64,
    left_out: u64,
}

impl Allowances {
    /// Whether another record of this event by this cause, from this client, may be kept. If not, or without
    /// room for it, it is counted as left out.
    pub(super) fn admit(
        &self,
        cause: Cause,
        client: Option<ClientPrefix>,
        event: Event,
        has_room: bool,
    ) -> bool {
        let mut minute = self.lock();
        let minute = &mut *minute;
        let total = minute.totals.entry(event).or_default();
        let is_user = matches!(cause, Cause::User(_));
        let tally =
            tally(if is_user { &mut minute.users } else { &mut minute.clients }, cause, event);
        let is_first = is_user && tally.kept < FIRST_MAX;
        let is_allowed = tally.kept < EACH_MAX && (is_first || *total < TOTAL_MAX);
        let firsts = &mut minute.firsts;
        let is_kept = has_room && (is_allowed || client.is_some_and(|it| firsts.admit(it, event)));
        if !is_kept {
            tally.left_out += 1;
            return false;
        }
        if is_allowed {
            tally.kept += 1;
            *total += u64::from(!is_first);
        }
        if let Some(client) = client {
            firsts.count(client, event);
        }
        true
    }

    /// Counts a record that should have been kept as left out.
    pub(super) fn leave_out(&self, cause: Cause, event: Event) {
        self.admit(cause, None, event, false);
    }

    /// Starts a new minute if the last one is over, and returns what was left out in that.
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

    /// Resets all allowances, and returns what was left out so far.
    pub(super) fn take(&self) -> Vec<LeftOut> {
        std::mem::take(&mut *self.lock()).left_out()
    }

    fn lock(&self) -> MutexGuard<'_, Minute> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    /// Users first; beyond [`LINES_MAX`], one sum for each event.
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

    /// How many of `records` attempts are kept.
    fn kept(all: &Allowances, cause: &Cause, event: Event, records: u64) -> u64 {
        kept_from(all, cause, None, event, records)
    }

    /// How many are kept if the client that causes them is known.
    fn kept_from(
        all: &Allowances,
        cause: &Cause,
        from: Option<ClientPrefix>,
        event: Event,
        records: u64,
    ) -> u64 {
        (0..records).map(|_| u64::from(all.admit(cause.clone(), from, event, true))).sum()
    }

    /// How many are kept if no user is known.
    fn kept_of_client(all: &Allowances, from: ClientPrefix, event: Event, records: u64) -> u64 {
        kept_from(all, &Cause::Client(from), Some(from), event, records)
    }

    fn v6(subscriber: u16, client: u16) -> ClientPrefix {
        ClientPrefix::V6([0x2001, 0xdb8, subscriber, client])
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
        assert_eq!(kept(&all, &Cause::Other, Event::Throttled, 5), 0);
        assert_eq!(kept(&all, &user("bobo"), Event::Throttled, 15), FIRST_MAX);
        assert_eq!(kept(&all, &client(200), Event::CsrfReject, 5), 5, "another event");
    }

    #[test]
    fn keeps_the_first_of_every_client_whatever_others_and_its_user_have_used_up() {
        let all = Allowances::default();
        let flood = |at: u16, event| kept_of_client(&all, v6(at, 0), event, 200);
        let by_few: u64 = (0..10).map(|at| flood(at, Event::LoginFail)).sum();
        assert_eq!(by_few, TOTAL_MAX);
        for at in 100..150 {
            assert_eq!(flood(at, Event::LoginFail), FIRST_OF_CLIENT_MAX, "{at}");
        }
        // One address uses up the allowance of a user; another address is recorded all the same.
        let tried = user("anna");
        let guess = |from| kept_from(&all, &tried, Some(from), Event::Throttled, 500);
        assert_eq!(guess(v6(1, 0)), EACH_MAX);
        assert_eq!(guess(v6(2, 0)), FIRST_OF_CLIENT_MAX);
        assert_eq!(guess(v6(2, 0)), 0);
    }

    #[test]
    fn bounds_the_first_ones_of_a_subscriber_and_of_all_clients() {
        let all = Allowances::default();
        let one = |from| kept_from(&all, &user("anna"), Some(from), Event::LoginFail, 1);
        assert_eq!(kept(&all, &user("anna"), Event::LoginFail, 100), EACH_MAX);
        let from_one: u64 = (0..5_000).map(|at| one(v6(1, at))).sum();
        assert_eq!(from_one, FIRST_OF_SUBSCRIBER_MAX);
        assert_eq!(one(v6(2, 0)), 1, "another subscriber");
        let from_all: u64 = (3..10_000).map(|at| one(v6(at, 0))).sum();
        assert_eq!(from_one + 1 + from_all, FIRST_OF_CLIENTS_TOTAL_MAX);
        let firsts = &all.lock().firsts;
        let most = usize::try_from(FIRST_OF_CLIENTS_TOTAL_MAX).unwrap();
        assert!(firsts.clients.len() <= APART_MAX && firsts.subscribers.len() <= most);
    }

    #[test]
    fn tells_a_bounded_number_of_causes_apart_and_never_a_user_less_for_addresses() {
        let all = Allowances::default();
        for number in 0..30_000 {
            all.admit(client(number), None, Event::CsrfReject, true);
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
