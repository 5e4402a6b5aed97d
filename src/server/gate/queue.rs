//! The queue of a lane: which request is next.
//!
//! Pure. Subscribers take turns, and so do the clients of each, each with its oldest request, so that a client
//! with a hundred requests does not delay a client with one, and a subscriber with 65,536 IPv6 /64 networks is
//! one among others. If the queue is full, a newcomer displaces a request of the client that has the most.

use std::collections::VecDeque;

use crate::base::ip_prefix::{ClientPrefix, SubscriberPrefix};

/// A request of a connection. The connection may be closed by the time the request is looked at, and its
/// key reused: then the serial number differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RequestId {
    pub(super) connection: usize,
    pub(super) serial: u64,
}

/// The client of a request. `None`: unknown, as behind a Unix socket, or irrelevant.
pub(super) type Client = Option<ClientPrefix>;

/// The subscriber whose network a request came from. `None` if the client is not known.
pub(super) type Subscriber = Option<SubscriberPrefix>;

/// The subscriber to whom this client belongs.
pub(super) fn subscriber_of(client: Client) -> Subscriber {
    client.map(SubscriberPrefix::from)
}

/// The waiting requests, grouped by subscriber and client.
#[derive(Default)]
pub(super) struct Queue {
    /// Subscribers with waiting requests, the next one first. They are few: at most one for each place.
    subscribers: VecDeque<SubscriberShare>,
    length: usize,
}

/// The waiting requests of one subscriber's clients, the next client first; never empty.
struct SubscriberShare {
    subscriber: Subscriber,
    shares: VecDeque<Share>,
    length: usize,
}

/// The waiting requests of one client, oldest first; never empty.
struct Share {
    client: Client,
    ids: VecDeque<RequestId>,
}

impl SubscriberShare {
    /// The number of waiting requests of this client.
    fn of(&self, client: Client) -> usize {
        self.shares.iter().find(|it| it.client == client).map_or(0, |it| it.ids.len())
    }

    fn push(&mut self, client: Client, id: RequestId) {
        self.length += 1;
        match self.shares.iter_mut().find(|it| it.client == client) {
            Some(share) => share.ids.push_back(id),
            None => self.shares.push_back(Share { client, ids: [id].into() }),
        }
    }

    /// Removes the oldest request of this client, whose turn is then over.
    fn take(&mut self, client: Client) {
        let Some(at) = self.shares.iter().position(|it| it.client == client) else { return };
        let Some(mut share) = self.shares.remove(at) else { return };
        share.ids.pop_front();
        self.length -= 1;
        if !share.ids.is_empty() {
            self.shares.push_back(share);
        }
    }

    fn remove(&mut self, client: Client, id: RequestId) {
        let Some(at) = self.shares.iter().position(|it| it.client == client) else { return };
        let ids = &mut self.shares[at].ids;
        let before = ids.len();
        ids.retain(|it| *it != id);
        self.length -= before - ids.len();
        if ids.is_empty() {
            self.shares.remove(at);
        }
    }

    /// Removes the newest request of the client that has the most, if it has more than `more_than`.
    fn displace(&mut self, more_than: usize) -> Option<(Client, RequestId)> {
        let most = self.shares.iter_mut().max_by_key(|it| it.ids.len())?;
        if most.ids.len() <= more_than {
            return None;
        }
        let (client, id) = (most.client, most.ids.pop_back()?);
        self.length -= 1;
        self.shares.retain(|it| !it.ids.is_empty());
        Some((client, id))
    }
}

impl Queue {
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Adds a request behind those of its client.
    pub(super) fn push(&mut self, client: Client, id: RequestId) {
        self.length += 1;
        if let Some(at) = self.place_of(client) {
            return self.subscribers[at].push(client, id);
        }
        let shares = [Share { client, ids: [id].into() }].into();
        let subscriber = subscriber_of(client);
        self.subscribers.push_back(SubscriberShare { subscriber, shares, length: 1 });
    }

    /// The next request of the first subscriber that `may` have another one in flight.
    pub(super) fn first(&self, may: impl Fn(Subscriber) -> bool) -> Option<(Client, RequestId)> {
        let found = self.subscribers.iter().find(|it| may(it.subscriber))?;
        let share = found.shares.front()?;
        share.ids.front().map(|&id| (share.client, id))
    }

    /// Removes the oldest request of this client; the turn of its subscriber is then over.
    pub(super) fn take(&mut self, client: Client) {
        let Some(at) = self.place_of(client) else { return };
        let Some(mut subscriber) = self.subscribers.remove(at) else { return };
        self.length -= subscriber.length;
        subscriber.take(client);
        self.length += subscriber.length;
        if subscriber.length > 0 {
            self.subscribers.push_back(subscriber);
        }
    }

    /// Removes a request that no longer waits, if it is here.
    pub(super) fn remove(&mut self, client: Client, id: RequestId) {
        let Some(at) = self.place_of(client) else { return };
        self.change(at, |it| it.remove(client, id));
    }

    /// Makes room for a request of this client: removes the newest request of the client that has the most,
    /// of the subscriber that has the most. `None` if no other has more than this one would.
    pub(super) fn displace(&mut self, client: Client) -> Option<(Client, RequestId)> {
        let own = self.place_of(client);
        let length_of = |at: usize| self.subscribers[at].length;
        let most = (0..self.subscribers.len()).max_by_key(|&at| length_of(at))?;
        if length_of(most) > own.map_or(0, length_of) + 1 && Some(most) != own {
            return self.change(most, |it| it.displace(0));
        }
        // The same rule applies among the clients of one subscriber.
        let held = own.map_or(0, |at| self.subscribers[at].of(client));
        self.change(own?, |it| it.displace(held + 1))
    }

    fn place_of(&self, client: Client) -> Option<usize> {
        let subscriber = subscriber_of(client);
        self.subscribers.iter().position(|it| it.subscriber == subscriber)
    }

    /// Changes the requests of one subscriber, and updates the count.
    fn change<T>(&mut self, at: usize, change: impl FnOnce(&mut SubscriberShare) -> T) -> T {
        let subscriber = &mut self.subscribers[at];
        self.length -= subscriber.length;
        let done = change(subscriber);
        self.length += subscriber.length;
        if subscriber.length == 0 {
            self.subscribers.remove(at);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn client(number: u8) -> Client {
        (number > 0).then(|| ClientPrefix::from(IpAddr::from([192, 0, 2, number])))
    }

    /// A client of an IPv6 subscriber.
    fn v6(subscriber: u16, client: u16) -> Client {
        format!("2001:db8:{subscriber:x}:{client:x}::")
            .parse::<IpAddr>()
            .ok()
            .map(ClientPrefix::from)
    }

    fn some_client(number: u8) -> Client {
        if number < 4 { client(number) } else { v6(u16::from(number / 6), number.into()) }
    }

    fn id(serial: u64) -> RequestId {
        RequestId { connection: 0, serial }
    }

    /// A queue with so many requests of each of these clients.
    fn queue(shares: &[(u8, u64)]) -> Queue {
        let mut queue = Queue::default();
        for &(number, count) in shares {
            (0..count).for_each(|at| queue.push(client(number), id(u64::from(number) * 100 + at)));
        }
        queue
    }

    fn next(queue: &mut Queue) -> Option<u64> {
        let (client, id) = queue.first(|_| true)?;
        queue.take(client);
        Some(id.serial)
    }

    #[test]
    fn lets_clients_take_turns_and_keeps_the_order_of_each() {
        let mut queue = queue(&[(1, 4), (2, 1), (3, 2)]);
        queue.push(client(2), id(201));
        let order: Vec<_> = std::iter::from_fn(|| next(&mut queue)).collect();
        assert_eq!(order, [100, 200, 300, 101, 201, 301, 102, 103]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn passes_over_a_client_who_has_enough_under_way() {
        let queue = queue(&[(1, 2), (2, 1)]);
        let may = |it| it != subscriber_of(client(1));
        assert_eq!(queue.first(may), Some((client(2), id(200))));
        assert_eq!(queue.first(|_| false), None);
    }

    #[test]
    fn makes_room_by_the_newest_request_of_the_client_with_the_most() {
        let mut queue = queue(&[(1, 3), (2, 1)]);
        assert_eq!(queue.displace(client(3)), Some((client(1), id(102))));
        queue.push(client(3), id(300));
        assert_eq!(queue.displace(client(1)), None, "it would hold the most itself");
        assert_eq!(queue.displace(client(2)), None, "two and two would be two and one");
        assert_eq!(queue.displace(client(4)), Some((client(1), id(101))));
        queue.push(client(4), id(400));
        assert_eq!(queue.displace(client(5)), None, "every client holds one");
        assert_eq!(queue.len(), 4);
    }

    #[test]
    fn gives_a_subscriber_one_turn_however_many_networks_they_have() {
        let mut queue = Queue::default();
        (0..50).for_each(|at| queue.push(v6(1, at), id(at.into())));
        (0..2).for_each(|at| queue.push(v6(2, at), id(100 + u64::from(at))));
        queue.push(client(1), id(200));
        let order: Vec<_> = std::iter::from_fn(|| next(&mut queue)).take(7).collect();
        assert_eq!(order, [0, 100, 200, 1, 101, 2, 3]);
    }

    #[test]
    fn makes_room_by_a_subscriber_who_holds_one_seat_from_each_of_many_networks() {
        let mut queue = Queue::default();
        (0..8).for_each(|at| queue.push(v6(1, at), id(at.into())));
        assert_eq!(queue.displace(v6(1, 9)), None, "it is they who hold the most");
        for number in 1..=4 {
            let (from, _) = queue.displace(client(number)).unwrap();
            assert_eq!(subscriber_of(from), subscriber_of(v6(1, 0)));
            queue.push(client(number), id(u64::from(number) * 100));
        }
        assert_eq!(queue.len(), 8);
        // If its own network has used up its share, its own client with the most gives way.
        let mut queue = Queue::default();
        (0..5).for_each(|at| queue.push(v6(1, 0), id(at)));
        assert_eq!(queue.displace(v6(1, 1)), Some((v6(1, 0), id(4))));
    }

    #[test]
    fn forgets_a_request_whose_visitor_has_gone() {
        let mut queue = queue(&[(1, 2), (2, 1)]);
        queue.remove(client(2), id(200));
        queue.remove(client(1), id(100));
        queue.remove(client(1), id(100));
        assert_eq!((queue.len(), next(&mut queue), next(&mut queue)), (1, Some(101), None));
    }

    proptest! {
        #[test]
        fn counts_what_it_holds(steps in prop::collection::vec((0_u8..5, 0_u8..8), 0..200)) {
            let mut queue = Queue::default();
            for (at, (step, number)) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => queue.push(some_client(number), id(at as u64)),
                    2 => drop(next(&mut queue)),
                    3 => queue.remove(some_client(number), id(at as u64 / 2)),
                    _ => drop(queue.displace(some_client(number))),
                }
                let mut all = 0;
                for subscriber in &queue.subscribers {
                    let held = subscriber.shares.iter().map(|it| it.ids.len());
                    prop_assert!(held.clone().all(|it| it > 0) && subscriber.length > 0);
                    prop_assert_eq!(held.sum::<usize>(), subscriber.length);
                    all += subscriber.length;
                }
                prop_assert_eq!(all, queue.len());
            }
        }
    }
}
