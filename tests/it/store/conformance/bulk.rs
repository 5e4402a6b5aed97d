//! Cases of the contract about a great many users at once.

use std::time::{Duration, Instant};

use vestibule::base::clock::Moment;
use vestibule::store::{
    ImportStatus, ImportedUser, PasswordSet, Patience, Session, SessionStart, SessionStarted,
    Store, User, UserAdded, UserId,
};

use super::{Desk, MANY, TODAY, hash, key, session, sign_up, user};

/// More than there are between two reports of progress, so that it is looked at in the middle.
const MANY_MORE: usize = 10_100;

/// How long existing users wait at most during an import: less than the servers wait for a lock.
const WAIT_MAX: Duration = Duration::from_secs(4);

/// So many users, in the order of their ids.
fn arrivals() -> Vec<ImportedUser> {
    let arrival = |n: usize| {
        let name = format!("n{n:06}");
        ImportedUser {
            user: user(&name),
            is_known_by_name: false,
            attributes: String::new(),
            keys: vec![key(&name)],
            sessions: if n < 50 { vec![session(&name, [4, 5, 6])] } else { Vec::new() },
            second_factor: None,
            passkeys: Vec::new(),
        }
    };
    (0..MANY_MORE).map(arrival).collect()
}

fn counts(desk: &Desk) -> [i64; 3] {
    ["user", "user_key", "user_session"].map(|it| desk.count(it))
}

pub fn shows_no_user_of_an_import_before_all_are_there(desk: &Desk) {
    let mut seen = Vec::new();
    let all = arrivals();
    let mut look = |_: &str, _| seen.push(counts(desk));
    desk.store.import_users(&all, false, TODAY, &|_| None, &mut look).unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|it| *it == [0; 3]), "{seen:?}");
    let many = i64::try_from(MANY_MORE).unwrap();
    assert_eq!(counts(desk), [many, many, 50]);
}

/// On an engine where others write meanwhile.
pub fn brings_no_user_over_when_a_name_is_taken_in_the_middle(desk: &Desk) {
    let all = arrivals();
    let last = &all[MANY_MORE - 1].user;
    let other = User { id: UserId::new("id-other".to_owned()), ..last.clone() };
    let node = desk.node(1);
    let mut added = None;
    let mut take = |_: &str, _| {
        let add = || node.add_user(&other, &[]);
        added.get_or_insert_with(|| Patience::None.during(add) == Ok(UserAdded::Done));
    };
    let found = desk.store.import_users(&all, false, TODAY, &|_| None, &mut take).unwrap();
    let is_taken = added.unwrap();
    let last = if is_taken { ImportStatus::NameTaken } else { ImportStatus::New };
    assert_eq!(found[MANY_MORE - 1], last);
    assert!(found[..MANY_MORE - 1].iter().all(|it| *it == ImportStatus::New));
    let many = i64::try_from(MANY_MORE).unwrap();
    assert_eq!(counts(desk), if is_taken { [1, 0, 0] } else { [many, many, 50] });
}

/// On an engine where others write meanwhile.
pub fn keeps_no_user_waiting_while_a_great_many_arrive(desk: &Desk) {
    if desk.room.may_give_up() {
        return;
    }
    // Sessions that end after those that arrive, so many that their user finds fewer dead ones by the end.
    let ann = || Session { created_at: Moment::from_millis(4), ..session("ann", [90; 3]) };
    sign_up(&*desk.store, "ann", &ann());
    let start = |store: &dyn Store| {
        let started = store.start_session(&ann(), MANY, &SessionStart::default());
        assert_eq!(started, Ok(SessionStarted::Done));
    };
    (0..50).for_each(|_| start(&*desk.store));
    sign_up(&*desk.store, "bob", &session("bob", [90; 3]));
    let node = desk.node(1);
    let mut is_done = false;
    let mut act = |_: &str, _| {
        if !std::mem::replace(&mut is_done, true) {
            let begun = Instant::now();
            start(node);
            assert_eq!(
                node.delete_dead_sessions_of(&user("ann").id, Moment::from_millis(4)),
                Ok(0)
            );
            let set = node.set_password(&user("bob").id, Some(&hash("$two")));
            assert_eq!(set, Ok(PasswordSet::Done));
            assert_eq!(node.disable_user(&user("bob").id, "spam", TODAY), Ok(true));
            assert!(begun.elapsed() < WAIT_MAX, "{:?}", begun.elapsed());
        }
    };
    desk.store.import_users(&arrivals(), false, TODAY, &|_| None, &mut act).unwrap();
    assert!(is_done);
}
