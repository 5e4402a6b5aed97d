//! What the gate is told from other threads, and what it tells them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use mio::Waker;

/// The workers that the gate hands requests to: a generation of them, and where each lane listens.
#[derive(Clone)]
pub struct Workers {
    /// Counts up.
    pub generation: u64,
    /// The socket of the page lane.
    pub pages: PathBuf,
    /// The socket of the lane for writes.
    pub writes: PathBuf,
    /// The socket of the slow lane.
    pub slow: PathBuf,
}

/// What the gate has to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// The workers of this generation do not take connections any more.
    Unreachable(u64),
    /// No connection to workers older than this generation is left.
    Left(u64),
}

/// What the gate is told.
pub(super) enum Command {
    Follow(Workers),
    Stop,
}

/// Speaks to a gate that runs in its own thread.
pub struct Remote {
    pub(super) commands: Sender<Command>,
    pub(super) waker: Arc<Waker>,
}

impl Remote {
    /// Hands requests to these workers from now on.
    pub fn follow(&self, workers: Workers) {
        self.say(Command::Follow(workers));
    }

    /// Lets nobody in any more, and ends when everybody is served.
    pub fn stop(&self) {
        self.say(Command::Stop);
    }

    fn say(&self, command: Command) {
        // A gate that is gone needs no more commands.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }
}
