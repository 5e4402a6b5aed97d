//! The numbers that the database has to be asked for: how many users, sessions and mails there are, and what it is.
//!
//! The thread that does the housekeeping asks, and a scrape gets what it has found last, so that no scrape waits for
//! the database. Users and sessions are counted once a minute at most, and only while the metrics are looked at.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::base::clock::Moment;
use crate::store::{Census, Error};
use crate::web::Site;

/// How long what was counted is not counted again.
const COUNT_EVERY: Duration = Duration::from_secs(60);

/// What was found out about the database last.
#[derive(Default)]
pub(super) struct Survey {
    is_up: AtomicBool,
    /// Whether there was a scrape since the last count.
    is_read: AtomicBool,
    counted: Mutex<Option<Counted>>,
}

/// What was counted, and when.
#[derive(Clone)]
pub(super) struct Counted {
    pub(super) census: Census,
    /// The schema version, and the version of the engine.
    pub(super) versions: [(&'static str, String); 2],
    pub(super) at: Moment,
    clock: Instant,
}

impl Survey {
    /// Looks whether the database can be read, and counts what is in it if that is due.
    pub(super) fn renew(&self, site: &Site, now: Moment) {
        self.is_up.store(site.can_read(), Ordering::Relaxed);
        let is_due = match &*self.lock() {
            None => true,
            Some(last) => last.clock.elapsed() >= COUNT_EVERY && self.is_read(),
        };
        // What was counted before stays if the database cannot be asked; the next round tries again.
        if is_due && let Ok(counted) = Counted::of(site, now) {
            self.is_read.store(false, Ordering::Relaxed);
            *self.lock() = Some(counted);
        }
    }

    /// What was counted last, for a scrape; `None`: nothing could be counted yet.
    pub(super) fn read(&self) -> Option<Counted> {
        self.is_read.store(true, Ordering::Relaxed);
        self.lock().clone()
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn of(site: &Site, now: Moment) -> Result<Self, Error> {
        let (census, versions) = (site.census(now)?, site.versions()?);
        Ok(Self { census, versions, at: now, clock: Instant::now() })
    }
}
