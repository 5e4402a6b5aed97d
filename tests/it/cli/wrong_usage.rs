//! What a command line says that cannot be meant: one line, and exit code 2 from every command alike.

use std::fs;

use super::admin::{run, wrong_usage};
use super::unusable::with_anna;
use crate::binary::vestibule;

#[test]
fn takes_what_cannot_be_meant_for_wrong_usage_whatever_the_command_and_the_database() {
    let many = (0..60).map(|it| format!("g{it}")).collect::<Vec<_>>().join(",");
    let more = many.replace('g', "h");
    let long = "x".repeat(1_001);
    for (line, expected) in [
        ("user add abc", "4 to 31 visible characters"),
        ("user add bertha --groups staff,Chef", "Chef cannot be a group"),
        ("user rename anna abc", "4 to 31 visible characters"),
        ("user list --group Chef", "Chef cannot be a group"),
        ("user list --group a,b", "one group"),
        ("user list --group=", "one group"),
        ("user list --after=", "the name is empty"),
        ("user groups anna Chef", "Chef cannot be a group"),
        ("user groups anna --add Chef", "Chef cannot be a group"),
        ("user groups anna --remove Chef", "Chef cannot be a group"),
        ("user groups anna --add a --remove a", "the group a cannot be added and removed at once"),
        (&format!("user groups anna --add {many} --add {more}"), "a hundred groups"),
        ("user email anna anna", "anna@example.com"),
        ("user key add anna github", "provider:id"),
        ("user key add anna :github", "provider:id"),
        ("user key add anna github:", "provider:id"),
        ("user key add anna username:abc", "4 to 31"),
        ("user key remove anna github", "provider:id"),
        ("user key list ", "the name is empty"),
        ("user show ", "the name is empty"),
        ("user passwd ", "the name is empty"),
        ("user unlock ", "the name is empty"),
        (&format!("user free {}", "x".repeat(32)), "1 to 31 characters"),
        (&format!("user disable anna --reason {long}"), "at most 1,000 characters"),
        ("session list ", "the name is empty"),
        ("session end anna xyz", "16 hex digits"),
        ("token revoke anna xyz", "16 hex digits"),
        ("invite revoke xyz", "16 hex digits"),
        ("invite new --origin https://auth.example --groups Chef", "Chef cannot be a group"),
        (&format!("invite new --origin https://auth.example --note {long}"), "at most 1,000"),
        ("invite new --origin https://auth.example --life 91d", "at most 90d"),
        ("audit --user=", "the name is empty"),
        ("audit --since 2026-02-30", "2026-11-20"),
        ("audit --since 1h --until 2h", "--until is before --since"),
        ("backup copy.db --database mysql://vestibule@db1/vestibule", "its own tools"),
        ("restore copy.db --yes --database mysql://vestibule@db1/vestibule", "its own tools"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let output = vestibule(&words).current_dir(folder.path()).output().unwrap();
        let text = wrong_usage(&output);
        assert!(text.contains(expected), "{line}: {text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{line}");
    }
}

#[test]
fn takes_what_no_user_of_this_database_can_be_meant_by_for_wrong_usage() {
    let folder = with_anna();
    for (words, expected) in [
        (&["session", "end", "anna"][..], "end-all anna"),
        (&["session", "end", "xyz"], "neither a handle nor a user"),
        (&["user", "unlock", "10.0.0.0/8"], "/16"),
        (&["user", "unlock", &"x".repeat(32)], "names have 1 to 31 characters"),
    ] {
        let text = wrong_usage(&run(folder.path(), words, ""));
        assert!(text.contains(expected), "{words:?}: {text}");
    }
}
