//! What metrics show of a database: how much there is, and how often it failed or kept a write waiting.

use std::time::Duration;

use vestibule::base::clock::Moment;
use vestibule::store::{Census, Error, Letter, Strain};

use super::{Desk, MANY, SessionStart, session, user, with_ann};

const fn at(millis: i64) -> Moment {
    Moment::from_millis(millis)
}

fn letter(id: &str, kind: &str, created: i64) -> Letter {
    Letter {
        id: id.to_owned(),
        kind: kind.to_owned(),
        user_id: user("ann").id.as_str().to_owned(),
        address: String::new(),
        language: "en".to_owned(),
        detail: String::new(),
        created_at: at(created),
        due_at: at(created),
        tries: 0,
        last_outcome: String::new(),
    }
}

pub fn counts_users_sessions_that_have_not_ended_and_mails_that_wait(desk: &Desk) {
    let census = |now| desk.store.census(at(now)).unwrap();
    let none = Census { users: 0, sessions: 0, mails: 0, oldest_mail: None };
    assert_eq!(census(1), none);
    // It ends after its third millisecond.
    with_ann(desk);
    desk.store.start_session(&session("ann", [8, 9, 90]), MANY, &SessionStart::default()).unwrap();
    desk.store.add_user(&user("bob"), &[]).unwrap();
    let mails =
        [letter("b", "verify", 5), letter("a", "reset", 7), letter("c", Letter::NOTHING, 1)];
    desk.store.add_letters(&mails).unwrap();
    let some = Census { users: 2, sessions: 2, mails: 2, oldest_mail: Some(at(5)) };
    assert_eq!(census(2), some);
    assert_eq!(census(4), Census { sessions: 1, ..some });
    assert_eq!(census(10), Census { sessions: 0, ..some });
    desk.store.drop_letter("b").unwrap();
    assert_eq!(census(10).oldest_mail, Some(at(7)));
}

pub fn counts_a_wait_for_a_lock_and_each_kind_of_fault(desk: &Desk) {
    let live = with_ann(desk);
    let faults = |it: Strain| [it.unavailable, it.unknown, it.broken];
    let before = desk.store.strain();
    assert_eq!(faults(before), [0, 0, 0]);
    let mut other = desk.raw();
    other.run("BEGIN");
    other.run("UPDATE user_session SET seen_at = seen_at");
    let touched = desk.store.touch_session(&live.id, at(2));
    assert!(matches!(touched, Err(Error::Unavailable(_))), "{touched:?}");
    other.run("ROLLBACK");
    let after = desk.store.strain();
    assert_eq!(faults(after), [1, 0, 0]);
    assert!(after.waits > before.waits && after.waited > before.waited, "{after:?}");
    assert!(after.waited < Duration::from_secs(5), "{after:?}");
    other.run("ALTER TABLE device RENAME TO gone");
    assert!(matches!(desk.store.knows_device(&live.id), Err(Error::Broken(_))));
    other.run("ALTER TABLE gone RENAME TO device");
    assert_eq!(desk.store.knows_device(&live.id), Ok(false));
    assert_eq!(faults(desk.store.strain()), [1, 0, 1]);
}

pub fn tells_which_engine_it_is_and_which_schema_it_has(desk: &Desk) {
    let [(_, schema), (engine, version)] = desk.store.versions().unwrap();
    assert!(schema.parse::<u32>().unwrap() > 0);
    let sql = match engine {
        "sqlite" => "SELECT sqlite_version()",
        "mariadb" => "SELECT version()",
        other => panic!("no engine has the name {other}"),
    };
    assert_eq!(desk.raw().texts(sql), [version]);
}
