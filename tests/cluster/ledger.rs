//! What was acknowledged, and what may be so or not: by it the servers are judged in the end.

use std::time::Duration;

use crate::dice::Dice;

/// A user for whom a sign-up was sent.
pub struct Person {
    pub name: String,
    pub password: String,
    /// Whether it was acknowledged. If not, it is not known, and both is right.
    pub is_certain: bool,
    /// Sign-ins that were tried: below the sessions that one user may have.
    pub sign_ins: u32,
    pub server: usize,
    pub at: Duration,
}

/// A session whose cookie came.
pub struct Session {
    /// Whose: a place in [`Ledger::people`].
    pub person: usize,
    pub cookie: String,
    pub state: State,
    /// Where and when it was last heard of for certain.
    pub server: usize,
    pub at: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It lets in.
    Live,
    /// A sign-out was sent, and it is not known what came of it.
    Leaving,
    /// Its sign-out was acknowledged.
    Gone,
    /// It was found to be lost, which was told.
    Lost,
}

/// What one client knows. No other client has its users.
#[derive(Default)]
pub struct Ledger {
    pub people: Vec<Person>,
    pub sessions: Vec<Session>,
}

impl Ledger {
    /// The places of the sessions in this state.
    pub fn sessions_in(&self, state: State) -> Vec<usize> {
        let sessions = self.sessions.iter().enumerate();
        sessions.filter(|(_, it)| it.state == state).map(|(place, _)| place).collect()
    }

    /// So many of those who have an account for certain, if there are so many.
    pub fn some(&self, count: usize, dice: &mut Dice) -> Vec<&Person> {
        let mut people: Vec<_> = self.people.iter().filter(|it| it.is_certain).collect();
        while people.len() > count {
            people.swap_remove(dice.below(people.len()));
        }
        people
    }

    /// All that both know.
    pub fn join(mut self, other: Self) -> Self {
        let before = self.people.len();
        self.people.extend(other.people);
        let moved = |it: Session| Session { person: it.person + before, ..it };
        self.sessions.extend(other.sessions.into_iter().map(moved));
        self
    }
}
