//! Who is next: the requests that wait in a lane, and whose they are.
//!
//! Pure. Clients take turns, each with the request of theirs that came first, so that somebody who sends a
//! hundred is not served before somebody who sends one. When all seats are taken, a newcomer gets one of
//! whoever holds the most.

use std::collections::VecDeque;

use crate::base::ip_prefix::ClientPrefix;

/// A request of a connection. The connection may be closed by the time the request is looked at, and another
/// one may have its key: then the serial number is another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RequestId {
    pub(super) connection: usize,
    pub(super) serial: u64,
}

/// Whose a request is. `None`: it is not known, as behind a Unix socket, or it does not matter.
pub(super) type Client = Option<ClientPrefix>;

/// Requests that wait.
#[derive(Default)]
pub(super) struct Queue {
    /// Clients of whom something waits, the one whose turn it is first. There are few: as many as seats.
    shares: VecDeque<Share>,
    length: usize,
}

/// What waits of one client, in the order it came: never nothing.
struct Share {
    client: Client,
    ids: VecDeque<RequestId>,
}

impl Queue {
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Adds a request behind those of its client.
    pub(super) fn push(&mut self, client: Client, id: RequestId) {
        self.length += 1;
        match self.shares.iter_mut().find(|it| it.client == client) {
            Some(share) => share.ids.push_back(id),
            None => self.shares.push_back(Share { client, ids: [id].into() }),
        }
    }

    /// The request whose turn it is, of the first client who `may` have one more under way.
    pub(super) fn first(&self, may: impl Fn(Client) -> bool) -> Option<(Client, RequestId)> {
        let share = self.shares.iter().find(|it| may(it.client))?;
        share.ids.front().map(|&id| (share.client, id))
    }

    /// Takes the first request of this client out; their next one waits for a turn of all others.
    pub(super) fn take(&mut self, client: Client) {
        let Some(at) = self.shares.iter().position(|it| it.client == client) else { return };
        let Some(mut share) = self.shares.remove(at) else { return };
        share.ids.pop_front();
        self.length -= 1;
        if !share.ids.is_empty() {
            self.shares.push_back(share);
        }
    }

    /// Takes out a request that waits no more, if it is here.
    pub(super) fn remove(&mut self, client: Client, id: RequestId) {
        let Some(at) = self.shares.iter().position(|it| it.client == client) else { return };
        let ids = &mut self.shares[at].ids;
        let before = ids.len();
        ids.retain(|it| *it != id);
        self.length -= before - ids.len();
        if ids.is_empty() {
            self.shares.remove(at);
        }
    }

    /// Makes room for a request of this client: takes out the newest one of the client who holds the most
    /// seats. `None`: nobody holds more than this one would.
    pub(super) fn displace(&mut self, client: Client) -> Option<(Client, RequestId)> {
        let own = self.shares.iter().find(|it| it.client == client).map_or(0, |it| it.ids.len());
        let most = self.shares.iter_mut().max_by_key(|it| it.ids.len())?;
        if most.ids.len() <= own + 1 {
            return None;
        }
        self.length -= 1;
        most.ids.pop_back().map(|id| (most.client, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(number: u8) -> Client {
        (number > 0).then(|| ClientPrefix::from(std::net::IpAddr::from([192, 0, 2, number])))
    }

    fn id(serial: u64) -> RequestId {
        RequestId { connection: 0, serial }
    }

    /// A queue in which so many wait of each of these clients.
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
        assert_eq!(queue.first(|it| it != client(1)), Some((client(2), id(200))));
        assert_eq!(queue.first(|_| false), None);
    }

    #[test]
    fn makes_room_by_the_newest_of_whoever_holds_the_most() {
        let mut queue = queue(&[(1, 3), (2, 1)]);
        assert_eq!(queue.displace(client(3)), Some((client(1), id(102))));
        queue.push(client(3), id(300));
        assert_eq!(queue.displace(client(1)), None, "it would hold the most itself");
        assert_eq!(queue.displace(client(2)), None, "two and two would be two and one");
        assert_eq!(queue.displace(client(4)), Some((client(1), id(101))));
        queue.push(client(4), id(400));
        assert_eq!(queue.displace(client(5)), None, "everybody holds one");
        assert_eq!(queue.len(), 4);
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
        fn counts_what_it_holds(steps in prop::collection::vec((0_u8..5, 0_u8..4), 0..200)) {
            let mut queue = Queue::default();
            for (at, (step, number)) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => queue.push(client(number), id(at as u64)),
                    2 => drop(next(&mut queue)),
                    3 => queue.remove(client(number), id(at as u64 / 2)),
                    _ => drop(queue.displace(client(number))),
                }
                let held = queue.shares.iter().map(|it| it.ids.len());
                prop_assert!(held.clone().all(|it| it > 0));
                prop_assert_eq!(held.sum::<usize>(), queue.len());
            }
        }
    }
}
