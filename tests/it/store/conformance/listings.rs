//! Cases of the contract about lists: which users and records they show, in which order, and how they go on.

use vestibule::base::clock::Moment;
use vestibule::store::{
    Device, Groups, Key, KeyId, Record, RecordFilter, SessionStart, Store, User, UserAdded,
    UserFilter, UserOrder, UserPage,
};

use super::{Desk, MANY, Token, key, record, session, user};

fn at(millis: i64) -> Moment {
    Moment::from_millis(millis)
}

fn add(store: &dyn Store, user: &User, keys: &[Key]) {
    assert_eq!(store.add_user(user, keys), Ok(UserAdded::Done));
}

fn key_without_password(name: &str, provider: &str, id: &str) -> Key {
    let id = KeyId::new(provider, id).unwrap();
    Key { id, user_id: user(name).id, hashed_password: None }
}

/// Six users: some in groups, some disabled, some without a password.
fn with_six(desk: &Desk) {
    let store = &*desk.store;
    let in_groups = |name: &str, groups: &str, created_at| User {
        groups: Groups::new(groups.to_owned()),
        created_at: at(created_at),
        ..user(name)
    };
    add(store, &in_groups("ann", "admin,staff", 9), &[key("ann")]);
    add(store, &in_groups("bob", "staff", 7), &[key("bob")]);
    let carl = User { email: "Carl@Example.com".to_owned(), ..in_groups("carl", "staff-b", 8) };
    add(store, &carl, &[key_without_password("carl", "github", "4711")]);
    add(store, &in_groups("dora", "", 7), &[]);
    let both = [key_without_password("e_a", "github", "1"), key("e_a")];
    add(store, &in_groups("e_a", "", 7), &both);
    let zo = "zo\u{eb} \u{5c71}";
    add(store, &in_groups(zo, "", 1), &[key(zo)]);
    for (name, reason) in [("bob", "left"), ("dora", "")] {
        assert_eq!(store.disable_user(&user(name).id, reason, at(20)), Ok(true));
    }
}

fn names(desk: &Desk, filter: &UserFilter, page: &UserPage<'_>) -> Vec<String> {
    let found = desk.store.users(filter, page).unwrap();
    let names = found.into_iter().map(|it| it.canonical_username);
    names.collect()
}

pub fn lists_the_users_who_meet_every_condition_and_counts_them(desk: &Desk) {
    with_six(desk);
    let zo = "zo\u{eb} \u{5c71}";
    let text = |it: &str| Some(it.to_owned());
    let all = UserFilter::default;
    for (filter, expected) in [
        (all(), &["ann", "bob", "carl", "dora", "e_a", zo][..]),
        (UserFilter { group: text("staff"), ..all() }, &["ann", "bob"]),
        (UserFilter { group: text("staff-b"), ..all() }, &["carl"]),
        (UserFilter { group: text("taff"), ..all() }, &[]),
        (UserFilter { only_disabled: true, ..all() }, &["bob", "dora"]),
        (UserFilter { only_without_password: true, ..all() }, &["carl", "dora"]),
        (UserFilter { only_disabled: true, only_without_password: true, ..all() }, &["dora"]),
        (UserFilter { group: text("staff"), only_disabled: true, ..all() }, &["bob"]),
        (UserFilter { search: text("a"), ..all() }, &["ann", "carl", "dora", "e_a"]),
        (UserFilter { search: text("\u{eb} \u{5c71}"), ..all() }, &[zo]),
        // Neither a wildcard nor another letter with an accent.
        (UserFilter { search: text("_"), ..all() }, &["e_a"]),
        (UserFilter { search: text("%"), ..all() }, &[]),
        (UserFilter { search: text("zoe"), ..all() }, &[]),
        (UserFilter { search: text("@example"), ..all() }, &["carl"]),
        (UserFilter { search: text("471"), ..all() }, &["carl"]),
        // A provider is no part of a name.
        (UserFilter { search: text("github"), ..all() }, &[]),
        (UserFilter { search: text("username"), ..all() }, &[]),
        (UserFilter { search: text("id-ann"), ..all() }, &["ann"]),
        (UserFilter { search: text("id-"), ..all() }, &[]),
    ] {
        assert_eq!(names(desk, &filter, &UserPage::default()), expected, "{filter:?}");
        let count = u64::try_from(expected.len()).unwrap();
        assert_eq!(desk.store.count_users(&filter), Ok(count), "{filter:?}");
    }
}

pub fn lists_users_in_the_order_that_is_asked_for_page_by_page(desk: &Desk) {
    with_six(desk);
    let zo = "zo\u{eb} \u{5c71}";
    for (order, expected) in [
        (UserOrder::Name, ["ann", "bob", "carl", "dora", "e_a", zo]),
        (UserOrder::Created, [zo, "bob", "dora", "e_a", "carl", "ann"]),
    ] {
        for is_reversed in [false, true] {
            let mut expected = expected.to_vec();
            if is_reversed {
                expected.reverse();
            }
            let page = UserPage { order, is_reversed, ..UserPage::default() };
            assert_eq!(names(desk, &UserFilter::default(), &page), expected, "{page:?}");
            for limit in [1, 2, 4, 6, 9] {
                let mut found: Vec<User> = Vec::new();
                loop {
                    let (after, limit) = (found.last().cloned(), Some(limit));
                    let page = UserPage { after: after.as_ref(), limit, ..page };
                    let next = desk.store.users(&UserFilter::default(), &page).unwrap();
                    assert!(next.len() <= limit.unwrap() as usize);
                    if next.is_empty() {
                        break;
                    }
                    found.extend(next);
                }
                let found: Vec<_> = found.iter().map(|it| &*it.canonical_username).collect();
                assert_eq!(found, expected, "{order:?} {limit}");
            }
        }
    }
}

pub fn keeps_moment_and_reason_of_a_user_who_is_disabled_already(desk: &Desk) {
    let (store, ann) = (&*desk.store, user("ann").id);
    add(store, &user("ann"), &[key("ann")]);
    let state = || {
        let found = store.user(&ann).unwrap().unwrap();
        (found.disabled_at, found.disabled_reason)
    };
    assert_eq!(store.set_disabled_reason(&ann, "early"), Ok(false), "not disabled");
    assert_eq!(store.disable_user(&ann, "left", at(9)), Ok(true));
    assert_eq!(store.disable_user(&ann, "", at(12)), Ok(true));
    assert_eq!(store.disable_user(&ann, "other", at(3)), Ok(true));
    assert_eq!(state(), (Some(at(9)), "left".to_owned()));
    assert_eq!(store.set_disabled_reason(&ann, "stolen laptop"), Ok(true));
    assert_eq!(state(), (Some(at(9)), "stolen laptop".to_owned()));
    assert_eq!(store.enable_user(&ann), Ok(true));
    assert_eq!(state(), (None, String::new()));
    assert_eq!(store.disable_user(&ann, "again", at(30)), Ok(true));
    assert_eq!(state(), (Some(at(30)), "again".to_owned()));
    assert_eq!(store.set_disabled_reason(&user("bob").id, "x"), Ok(false));
}

pub fn replaces_the_groups_that_a_user_is_in_and_no_others(desk: &Desk) {
    let (store, ann) = (&*desk.store, user("ann").id);
    add(store, &user("ann"), &[]);
    let groups = |text: &str| Groups::new(text.to_owned());
    let (none, staff, both) = (groups(""), groups("staff"), groups("admin,staff"));
    assert_eq!(store.replace_groups(&ann, &staff, &both), Ok(false), "other groups by now");
    assert_eq!(store.replace_groups(&ann, &none, &staff), Ok(true));
    assert_eq!(store.replace_groups(&ann, &none, &both), Ok(false));
    assert_eq!(store.user(&ann).unwrap().unwrap().groups, staff);
    assert_eq!(store.replace_groups(&ann, &staff, &staff), Ok(true));
    assert_eq!(store.replace_groups(&user("bob").id, &none, &staff), Ok(false));
}

pub fn lists_the_records_that_meet_every_condition_with_the_names_of_users(desk: &Desk) {
    let store = &*desk.store;
    add(store, &user("ann"), &[]);
    let of = |id: &str, event: &str, moment| Record {
        user_id: Some(id.to_owned()),
        event: event.to_owned(),
        ..record(moment, "")
    };
    let records = [
        of("id-ann", "login_ok", 5),
        of("id-gone", "login_ok", 3),
        record(4, "about no user"),
        of("id-ann", "logout", 4),
        of("id-gone", "logout", 9),
    ];
    store.add_records(&records).unwrap();
    let filter = |users: &[&str], events: &[&'static str], since, until| RecordFilter {
        since: at(since),
        until: at(until),
        user_ids: users.iter().map(|it| (*it).to_owned()).collect(),
        events: events.to_vec(),
    };
    for (filter, kept, latest) in [
        (filter(&[], &[], 0, 99), &[0, 1, 2, 3, 4][..], &[4, 0, 3, 2, 1][..]),
        (filter(&["id-ann"], &[], 0, 99), &[0, 3], &[0, 3]),
        (filter(&["id-ann", "id-gone"], &[], 0, 99), &[0, 1, 3, 4], &[4, 0, 3, 1]),
        (filter(&[], &["logout"], 0, 99), &[3, 4], &[4, 3]),
        (filter(&["id-gone"], &["logout", "login_ok"], 0, 99), &[1, 4], &[4, 1]),
        (filter(&[], &[], 4, 5), &[0, 2, 3], &[0, 3, 2]),
        (filter(&["id-ANN"], &[], 0, 99), &[], &[]),
        (filter(&[], &["start"], 5, 99), &[], &[]),
    ] {
        let found = store.records_after(&filter, 0, 9).unwrap();
        let expected: Vec<_> = kept.iter().map(|it| records[*it].clone()).collect();
        let shown: Vec<_> = found.iter().map(|it| it.record.clone()).collect();
        assert_eq!(shown, expected, "{filter:?}");
        assert!(found.is_sorted_by(|one, next| one.number < next.number));
        for it in &found {
            let name = (it.record.user_id.as_deref() == Some("id-ann")).then_some("ANN");
            assert_eq!(it.username.as_deref(), name);
        }
        if let [first, rest @ ..] = &found[..] {
            assert_eq!(store.records_after(&filter, first.number, 9).unwrap(), rest);
            assert_eq!(store.records_after(&filter, 0, 1).unwrap()[..], found[..1]);
        }
        let all: Vec<_> = latest.iter().map(|it| records[*it].clone()).collect();
        for limit in [1, 2, 9] {
            let found = store.latest_records(&filter, limit).unwrap();
            let found: Vec<_> = found.into_iter().map(|it| it.record).collect();
            assert_eq!(found, all[..all.len().min(limit as usize)], "{filter:?}");
        }
    }
}

pub fn finds_the_browsers_of_a_user_and_sessions_by_what_their_ids_are(desk: &Desk) {
    let store = &*desk.store;
    let (ann, bob) = (session("ann", [1, 2, 3]), session("bob", [1, 2, 3]));
    for (name, session) in [("ann", &ann), ("bob", &bob)] {
        super::sign_up(store, name, session);
    }
    for millis in [5, 9, 7] {
        let (id, user_id) = (Token::random().hash(), user("ann").id);
        let device =
            Some(Device { id, user_id, last_used_at: at(millis), second_at: Moment::NEVER });
        let entry = SessionStart { device, ..SessionStart::default() };
        store.start_session(&session("ann", [1, 2, 3]), MANY, &entry).unwrap();
    }
    let used = |name: &str| -> Vec<i64> {
        let found = store.devices_of(&user(name).id).unwrap();
        found.iter().map(|it| it.last_used_at.millis()).collect()
    };
    assert_eq!((used("ann"), used("bob")), (vec![9, 7, 5], Vec::new()));
    let found = store.session_ids(&|it| it.handle() == bob.id.handle()).unwrap();
    assert!(found == [bob.id]);
    assert!(store.session_ids(&|_| false).unwrap().is_empty());
}
