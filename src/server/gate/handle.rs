//! Messages between the gate and other threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use mio::Waker;

/// A generation of workers: the sockets on which its lanes listen.
#[derive(Clone)]
pub struct WorkerSockets {
    pub generation: u64,
    /// The sockets of the lane for reading: one for each worker.
    pub reads: Vec<PathBuf>,
    /// The sockets of the lane for writing.
    pub writes: Vec<PathBuf>,
    /// The sockets of the lane for hashing.
    pub hashes: Vec<PathBuf>,
}

/// What the gate reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GateEvent {
    /// The workers of this generation no longer accept connections.
    Unreachable(u64),
    /// No connection to workers older than this generation is left.
    Left(u64),
}

/// What the gate is told to do.
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
    /// Directs new requests to these workers.
    pub fn follow(&self, workers: WorkerSockets) {
        self.say(GateCommand::Follow(workers));
    }

    /// Stops accepting connections; the gate ends when all are served.
    pub fn stop(&self) {
        self.say(GateCommand::Stop);
    }

    fn say(&self, command: GateCommand) {
        // A gate that has ended needs no commands.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }
}
