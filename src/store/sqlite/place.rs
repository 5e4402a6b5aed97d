//! Whether paths still lead to the files that were opened.
//!
//! A file that is open can be moved, deleted or replaced, and nothing tells the process that has it open:
//! what it writes is lost, or destroys what has taken the place.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::base::new_file::with_suffix;

/// A file that is open, and where its path leads.
#[derive(Clone)]
pub(super) struct FilePlace {
    /// By the name that it was asked for, which may be a symbolic link.
    asked: Named,
    database: Named,
    /// The log and its index, as far as they are there.
    companions: Vec<Named>,
}

/// A path and the device and inode that it led to.
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
    /// Where the database is now, and what lies beside it: `path` is what the name `asked` leads to.
    pub(super) fn of(asked: &Path, path: &Path) -> std::io::Result<Self> {
        let companions = ["-wal", "-shm"].map(|suffix| with_suffix(path, suffix));
        Ok(Self {
            asked: Named::of(asked.to_owned())?,
            database: Named::of(path.to_owned())?,
            companions: companions.into_iter().filter_map(|it| Named::of(it).ok()).collect(),
        })
    }

    /// The name that the database was asked for by.
    pub(super) fn asked(&self) -> &Path {
        &self.asked.path
    }

    /// Whether both names lead to the database.
    pub(super) fn is_there(&self) -> bool {
        [&self.asked, &self.database].iter().all(|it| it.is_there())
    }

    /// Whether the file is no longer at its own path, whatever else leads there.
    pub(super) fn has_left(&self) -> bool {
        !self.database.is_there()
    }

    /// Whether another file is at its own path.
    pub(super) fn is_replaced(&self) -> bool {
        id(&self.database.path).is_ok_and(|it| it != self.database.id)
    }

    /// What is not where it was; `None`: everything is.
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

    /// Whether another file lies at the path of the log.
    pub(super) fn has_foreign_log(&self) -> bool {
        self.companions.iter().any(|it| id(&it.path).is_ok_and(|id| id != it.id))
    }

    /// Removes the log and its index from beside whatever has the name of the database now, unless they are
    /// another's.
    pub(super) fn remove_log(&self) {
        for it in self.companions.iter().filter(|it| it.is_there()) {
            // What has gone by itself need not be removed.
            let _ = fs::remove_file(&it.path);
        }
    }
}

fn id(path: &Path) -> std::io::Result<(u64, u64)> {
    fs::metadata(path).map(|it| (it.dev(), it.ino()))
}
