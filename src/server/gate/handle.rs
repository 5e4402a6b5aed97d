//! What the gate is told from other threads, and what it tells them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use mio::Waker;

/// The workers that the gate hands requests to: a generation of them, and where each lane listens.
#[derive(Clone)]
pub struct WorkerSockets {
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
pub enum GateEvent {
    /// The workers of this generation do not take connections any more.
    Unreachable(u64),
    /// No connection to workers older than this generation is left.
    Left(u64),
}

/// What the gate is told.
pub(super) enum GateCommand {
    Follow(WorkerSockets),
    Stop,
}

/// Sends commands to a gate that runs in its own thread.
pub struct GateHandle {
    pub(super) commands: Sender<GateCommand>,
    pub(super) waker: Arc<Waker>,
}

impl GateHandle {
    /// Hands requests to these workers from now on.
    pub fn follow(&self, workers: WorkerSockets) {
        self.say(GateCommand::Follow(workers));
    }

    /// Accepts no connection any more, and ends when all are served.
    pub fn stop(&self) {
        self.say(GateCommand::Stop);
    }

    fn say(&self, command: GateCommand) {
        // A gate that is gone needs no more commands.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }
}
