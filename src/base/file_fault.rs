//! Why a file cannot be read or written, in words that say what to do: those of the system say neither.

use std::io::{Error, ErrorKind};

/// Why a file cannot be read.
pub fn reading(err: &Error) -> String {
    match err.kind() {
        ErrorKind::NotFound => "there is no such file; see how its path is written".to_owned(),
        ErrorKind::PermissionDenied => {
            "this user may not read it; see its owner and mode, and those of its folder".to_owned()
        }
        _ => either(err),
    }
}

/// Why a file cannot be written, or made.
pub fn writing(err: &Error) -> String {
    let text = match err.kind() {
        ErrorKind::NotFound => "its folder is not there; make it first",
        ErrorKind::PermissionDenied => {
            "this user may not write there; see the owner and mode of the folder, or name another"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "the file system there is mounted read-only; name a place elsewhere"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            return format!("{err}; make room, or name a place elsewhere");
        }
        _ => return either(err),
    };
    text.to_owned()
}

fn either(err: &Error) -> String {
    match err.kind() {
        ErrorKind::IsADirectory => "it is a folder; name a file".to_owned(),
        ErrorKind::NotADirectory => "a part of its path is a file, and no folder".to_owned(),
        _ => err.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_do_and_no_number_of_the_system() {
        let told = |told: fn(&Error) -> String, code: i32| told(&Error::from_raw_os_error(code));
        for (code, read, written) in [
            (2, "there is no such file", "its folder is not there"),
            (13, "may not read it", "may not write there"),
            (20, "no folder", "no folder"),
            (21, "name a file", "name a file"),
            (30, "Read-only", "mounted read-only"),
            (28, "No space", "make room"),
            (122, "quota", "make room"),
            (27, "too large", "make room"),
        ] {
            let (reading, writing) = (told(reading, code), told(writing, code));
            assert!(reading.contains(read) && writing.contains(written), "{reading} / {writing}");
        }
    }
}
