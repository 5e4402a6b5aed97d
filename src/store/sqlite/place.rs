//! Whether paths still refer to the files that were opened.
//!
//! An open file can be moved, deleted or replaced, and the process is not told: what it then writes is
//! lost, or destroys the file that took its place.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, getxattr, setxattr};

use crate::base::new_file::with_suffix;

/// The identity of an open file, and the paths that should refer to it.
#[derive(Clone)]
pub(super) struct FilePlace {
    /// The path that was asked for, which may be a symbolic link.
    asked: Named,
    database: Named,
    /// The log and its index, as far as they exist.
    companions: Vec<Named>,
}

/// A path, and the device and inode that it referred to.
#[derive(Clone)]
struct Named {
    path: PathBuf,
    id: (u64, u64),
}

impl Named {
    fn of(path: PathBuf) -> std::io::Result<Self> {
        Ok(Self { id: id(&path)?, path })
    }

    fn is_there(&self) -> bool {
        id(&self.path).is_ok_and(|it| it == self.id)
    }
}

impl FilePlace {
    /// The present identity of the database and the files beside it. `path` is what `asked` resolves to.
    pub(super) fn of(asked: &Path, path: &Path) -> std::io::Result<Self> {
        let companions = ["-wal", "-shm"].map(|suffix| with_suffix(path, suffix));
        Ok(Self {
            asked: Named::of(asked.to_owned())?,
            database: Named::of(path.to_owned())?,
            companions: companions.into_iter().filter_map(|it| Named::of(it).ok()).collect(),
        })
    }

    /// The path that was asked for.
    pub(super) fn asked(&self) -> &Path {
        &self.asked.path
    }

    /// Whether both paths refer to the database.
    pub(super) fn is_there(&self) -> bool {
        [&self.asked, &self.database].iter().all(|it| it.is_there())
    }

    /// Whether its own path no longer refers to the file, whatever else it refers to.
    pub(super) fn has_left(&self) -> bool {
        !self.database.is_there()
    }

    /// Whether its own path refers to another file.
    pub(super) fn is_replaced(&self) -> bool {
        id(&self.database.path).is_ok_and(|it| it != self.database.id)
    }

    /// The path that no longer refers to its file, in words; `None`: all do.
    pub(super) fn lost(&self) -> Option<String> {
        let names = [&self.asked, &self.database];
        let lost = names.into_iter().chain(&self.companions).find(|it| !it.is_there())?;
        let path = lost.path.display();
        Some(match id(&lost.path) {
            Ok(_) => format!("{path} was replaced: another file has its name"),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                format!("{path} was moved or deleted: no file has its name")
            }
            Err(err) => format!("{path} cannot be found any more: {err}"),
        })
    }

    /// Whether another file has the path of the log.
    pub(super) fn has_foreign_log(&self) -> bool {
        self.companions.iter().any(|it| id(&it.path).is_ok_and(|id| id != it.id))
    }

    /// Marks the log as that of the database, for [`has_log_of_another`].
    // LIMIT: where a file system has no extended attributes, no log is marked.
    pub(super) fn mark_log(&self) {
        let log = with_suffix(&self.database.path, "-wal");
        if let Some(log) = self.companions.iter().find(|it| it.path == log && it.is_there()) {
            let mark = format!("{} {}", written(log.id), written(self.database.id));
            let _ = setxattr(&log.path, MARK, mark.as_bytes(), XattrFlags::empty());
        }
    }

    /// Removes the log and its index from beside a file that has the database's name now, unless they
    /// belong to another file.
    pub(super) fn remove_log(&self) {
        for it in self.companions.iter().filter(|it| it.is_there()) {
            // One that is gone already need not be removed.
            let _ = fs::remove_file(&it.path);
        }
    }
}

/// The extended attribute of a log with its own identity and that of its database.
const MARK: &str = "user.vestibule.log";

/// Bytes of a mark, at most.
const MARK_BYTES_MAX: usize = 128;

/// Whether the log beside the database at `path` belongs to another file that was there before, as its mark says.
/// A log that was copied with its mark has an identity of its own, so its mark says nothing.
pub(super) fn has_log_of_another(path: &Path) -> bool {
    let log = with_suffix(path, "-wal");
    let mut bytes = [0; MARK_BYTES_MAX];
    let Ok(length) = getxattr(&log, MARK, &mut bytes[..]) else { return false };
    let (Ok(own), Ok(database)) = (id(&log), id(path)) else { return false };
    let mark = String::from_utf8_lossy(&bytes[..length]);
    mark.split_once(' ').is_some_and(|(of_log, of_database)| {
        of_log == written(own) && of_database != written(database)
    })
}

/// An identity as a mark has it.
fn written((device, inode): (u64, u64)) -> String {
    format!("{device}:{inode}")
}

fn id(path: &Path) -> std::io::Result<(u64, u64)> {
    fs::metadata(path).map(|it| (it.dev(), it.ino()))
}
