//! Keys that seal secrets, and the files they are kept in.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use vestibule::base::sealing::SealingKey;

use super::copy::{refusal, said};
use crate::binary::vestibule;

#[test]
fn makes_a_key_in_a_file_of_its_own_that_no_other_user_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str, flags: &[&str]| {
        let words = [&["key", "new", name], flags].concat();
        vestibule(&words).current_dir(folder.path()).output().unwrap()
    };
    let text = said(&made("one", &[]));
    let path = folder.path().join("one");
    let key = SealingKey::read_file(&path).unwrap_or_else(|err| panic!("{err}"));
    assert!(text.starts_with(&format!("one holds the new key {};", key.handle())), "{text}");
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    let content = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(content.trim()), "it prints the key");

    let told = refusal(&made("one", &[]), 1);
    assert!(told.contains("exists already and is not overwritten"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), content);

    let object: serde_json::Value = serde_json::from_str(&said(&made("two", &["--json"]))).unwrap();
    let other = SealingKey::read_file(&folder.path().join("two")).ok().unwrap();
    assert_eq!(object, serde_json::json!({"file": "two", "handle": other.handle()}));
    assert_ne!(key.handle(), other.handle());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no other file is left");
}

#[test]
fn takes_back_a_key_only_while_it_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    said(&vestibule(&["key", "new", path.to_str().unwrap()]).output().unwrap());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let told = SealingKey::read_file(&path).err().unwrap();
    assert!(told.contains("has mode 0644") && told.ends_with("chmod 600 it"), "{told}");
}
