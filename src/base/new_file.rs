//! A file that gets its name only when it is complete.
//!
//! Backups, exports, restored databases and configurations are written this way: to `NAME.part`, which is
//! flushed to the disk and then renamed, so that no file with the final name is ever incomplete. The caller
//! decides what is written.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

/// The suffixes of the files that SQLite may keep beside a database.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A file that is being written. It is removed if it is dropped before it got its name. The remains of a
/// killed process are removed by the next process that writes a file with the same name.
pub struct NewFile {
    /// The final name, with symbolic links resolved.
    name: PathBuf,
    part: PathBuf,
    /// Holds the lock by which other processes see that this one is still writing.
    file: File,
    is_named: bool,
}

impl NewFile {
    /// Starts a file under a name that must not exist yet. It is empty, and only its owner can read it.
    pub fn create(name: &Path) -> io::Result<Self> {
        if name.symlink_metadata().is_ok() {
            return Err(already_there());
        }
        Self::beside(name)
    }

    /// Starts a file that will replace the file `name`, if there is one.
    pub fn beside(name: &Path) -> io::Result<Self> {
        let folder = folder_of(name).canonicalize()?;
        let file_name = name.file_name().ok_or(io::Error::other("the path names no file"))?;
        let name = folder.join(file_name);
        let part = with_suffix(&name, ".part");
        loop {
            let made =
                OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&part);
            match made {
                Ok(file) => {
                    lock(&file, &part)?;
                    // Another process may have removed it as a remnant before this one locked it.
                    if leads_to(&part, &file) {
                        remove_companions(&part);
                        return Ok(Self { name, part, file, is_named: false });
                    }
                }
                Err(err) if err.kind() == ErrorKind::AlreadyExists => remove_remnant(&part)?,
                Err(err) => return Err(err),
            }
        }
    }

    /// The path it has until it is finished: `NAME.part`.
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// The open file, for writing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Flushes the file to the disk and gives it its name. If another file has taken the name meanwhile,
    /// this is an error and the written file is removed.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match renameat_with(CWD, &self.part, CWD, &self.name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            // The file system does not support RENAME_NOREPLACE.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                if self.name.symlink_metadata().is_ok() {
                    return Err(already_there());
                }
                fs::rename(&self.part, &self.name)?;
            }
            Err(err) => return Err(err.into()),
        }
        self.is_named = true;
        sync_folder(&self.name)
    }

    /// Flushes the file to the disk and gives it its name, replacing any file that has it.
    pub fn replace(mut self) -> io::Result<()> {
        self.flush()?;
        fs::rename(&self.part, &self.name)?;
        self.is_named = true;
        sync_folder(&self.name)
    }

    fn flush(&self) -> io::Result<()> {
        if !leads_to(&self.part, &self.file) {
            return Err(io::Error::other(format!("{} was replaced", self.part.display())));
        }
        self.file.sync_all()
    }
}

fn already_there() -> io::Error {
    let text = "it exists already and is not overwritten; name another file";
    io::Error::new(ErrorKind::AlreadyExists, text)
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_named && leads_to(&self.part, &self.file) {
            // If this fails, the next process that writes a file with this name removes it.
            let _ = fs::remove_file(&self.part);
            remove_companions(&self.part);
        }
    }
}

/// Flushes the folder of `path`, so that a rename in it survives a power cut.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Appends `suffix` to the file name of a path.
pub fn with_suffix(path: &Path, suffix: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder that contains a path.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn lock(file: &File, part: &Path) -> io::Result<()> {
    flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive).map_err(|err| match err {
        Errno::WOULDBLOCK => {
            io::Error::other(format!("another process is writing {}", part.display()))
        }
        err => err.into(),
    })
}

/// Whether the path still refers to this open file.
fn leads_to(path: &Path, file: &File) -> bool {
    let place = |it: fs::Metadata| (it.dev(), it.ino());
    let (there, open) = (path.symlink_metadata().map(place), file.metadata().map(place));
    matches!((there, open), (Ok(there), Ok(open)) if there == open)
}

/// Removes the part file that a killed process left, unless a process is still writing it.
fn remove_remnant(part: &Path) -> io::Result<()> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("it is one bit of 32");
    let left = match OpenOptions::new().read(true).custom_flags(no_follow).open(part) {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    lock(&left, part)?;
    if leads_to(part, &left) {
        fs::remove_file(part)?;
    }
    Ok(())
}

fn remove_companions(part: &Path) {
    for suffix in COMPANIONS {
        // Usually there is none.
        let _ = fs::remove_file(with_suffix(part, suffix));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|it| it.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn has_its_name_once_it_is_complete_and_leaves_nothing_if_it_never_is() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("a");
        let file = NewFile::create(&name).unwrap();
        file.file().write_all(b"half").unwrap();
        assert_eq!(names(folder.path()), ["a.part"]);
        fs::write(folder.path().join("a.part-journal"), "x").unwrap();
        drop(file);
        assert!(names(folder.path()).is_empty());
        let file = NewFile::create(&name).unwrap();
        file.file().write_all(b"whole").unwrap();
        file.finish().unwrap();
        assert_eq!(names(folder.path()), ["a"]);
        assert_eq!(fs::read(&name).unwrap(), b"whole");
    }

    #[test]
    fn overwrites_nothing_unless_it_is_to_replace_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("a");
        let late = NewFile::create(&name).unwrap();
        fs::write(&name, "old").unwrap();
        assert_eq!(NewFile::create(&name).err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert_eq!(late.finish().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&name).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a"]);
        NewFile::beside(&name).unwrap().replace().unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"");
    }

    #[test]
    fn takes_the_place_of_what_a_killed_process_left_and_of_nothing_that_is_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("a");
        fs::write(folder.path().join("a.part"), "left by a killed process").unwrap();
        fs::write(folder.path().join("a.part-wal"), "and this").unwrap();
        let file = NewFile::create(&name).unwrap();
        assert_eq!(names(folder.path()), ["a.part"]);
        assert_eq!(fs::metadata(file.part()).unwrap().len(), 0);
        let second = NewFile::create(&name).err().unwrap();
        assert!(second.to_string().contains("another process is writing"), "{second}");
        file.finish().unwrap();
        assert_eq!(names(folder.path()), ["a"]);
    }
}
