//! Mail that waits, the addresses it goes to, and the links in it.

use std::sync::atomic::{AtomicU32, Ordering};

use vestibule::base::clock::Moment;
use vestibule::store::{
    AccessTokenAdded, Count, CountId, Letter, OneTimeToken, OneTimeTokenAdded, Purpose,
    SessionStart, SessionStarted, SignedUp, User, UserId,
};

use super::{Desk, MANY, TODAY, access_token, hash, key, reset_link, session, user, with_ann};

const fn at(millis: i64) -> Moment {
    Moment::from_millis(millis)
}

fn letter(id: &str, name: &str, due: i64) -> Letter {
    Letter {
        id: id.to_owned(),
        kind: "reset".to_owned(),
        user_id: user(name).id.as_str().to_owned(),
        address: String::new(),
        language: "de".to_owned(),
        detail: "{\"browser\":\"Firefox \u{1f99c}\"}".to_owned(),
        created_at: at(1),
        due_at: at(due),
        tries: 0,
        last_outcome: String::new(),
    }
}

fn ids(desk: &Desk) -> Vec<String> {
    desk.store.letters(99).unwrap().into_iter().map(|it| it.id).collect()
}

pub fn gives_a_mail_to_one_server_at_a_time_and_again_when_its_lease_has_ended(desk: &Desk) {
    let store = &desk.store;
    let [one, other] = [letter("one", "ann", 5), letter("other", "ann", 3)];
    store.add_letters(&[one.clone(), other.clone()]).unwrap();
    assert_eq!(store.take_letter("a", at(20), at(2)), Ok(None), "none is due");
    assert_eq!(store.take_letter("a", at(20), at(5)), Ok(Some(other.clone())), "the earlier one");
    assert_eq!(desk.node(1).take_letter("b", at(20), at(5)), Ok(Some(one.clone())));
    assert_eq!(store.take_letter("c", at(20), at(20)), Ok(None), "both are taken");
    assert_eq!(store.letter_done("one", "a"), Ok(false), "it is another server's");
    assert_eq!(store.letter_done("one", "b"), Ok(true));
    assert_eq!(store.letter_done("one", "b"), Ok(false));
    // The server that has the other one is dead.
    assert_eq!(store.take_letter("d", at(40), at(21)), Ok(Some(other.clone())));
    assert_eq!(store.letter_failed("other", "a", "451", at(50)), Ok(false));
    assert_eq!(store.letter_failed("other", "d", "451", at(50)), Ok(true));
    assert_eq!(store.take_letter("e", at(90), at(49)), Ok(None), "not yet");
    assert_eq!(store.retry_letters(Some("one"), at(49)), Ok(0));
    assert_eq!(store.retry_letters(None, at(49)), Ok(1));
    let failed = Letter { due_at: at(49), tries: 1, last_outcome: "451".to_owned(), ..other };
    assert_eq!(store.letters(9), Ok(vec![failed.clone()]));
    assert_eq!(store.take_letter("e", at(90), at(49)), Ok(Some(failed)));
    assert_eq!((store.drop_letter("other"), store.drop_letter("other")), (Ok(true), Ok(false)));
    assert_eq!(store.letter_done("other", "e"), Ok(false));
}

pub fn sends_each_mail_from_one_node(desk: &Desk) {
    let letters: Vec<_> = (0..40).map(|n| letter(&format!("m{n}"), &format!("u{n}"), 1)).collect();
    desk.store.add_letters(&letters).unwrap();
    let (sent, lease) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for number in 0..3 {
            let (node, sent, lease) = (desk.node(number), &sent, &lease);
            scope.spawn(move || {
                let next = || lease.fetch_add(1, Ordering::Relaxed).to_string();
                let mut name = next();
                while let Some(it) = node.take_letter(&name, at(100), at(9)).unwrap() {
                    assert_eq!(node.letter_done(&it.id, &name), Ok(true));
                    sent.fetch_add(1, Ordering::Relaxed);
                    name = next();
                }
            });
        }
    });
    assert_eq!((sent.into_inner(), desk.count("mail")), (40, 0));
}

pub fn lets_no_flood_of_mails_fill_the_disk(desk: &Desk) {
    let of_one: Vec<_> = (0..120).map(|n| letter(&format!("a{n}"), "ann", 1)).collect();
    desk.store.add_letters(&of_one).unwrap();
    assert_eq!(desk.count("mail"), 100);
    let room = 10_000 - 100 - 1;
    let mut raw = desk.raw();
    for from in (0..room).step_by(1_000) {
        let rows = (from..room.min(from + 1_000)).map(|n| format!("('n{n}','x','','','','',1,1)"));
        let rows = rows.collect::<Vec<_>>().join(",");
        raw.run(&format!(
            "INSERT INTO mail (id, kind, user_id, address, language, detail, created_at, due_at) VALUES {rows}"
        ));
    }
    desk.store.add_letters(&[letter("last", "bob", 1), letter("more", "carl", 1)]).unwrap();
    assert_eq!(desk.count("mail"), 10_000);
}

pub fn counts_attempts_that_are_let_through_and_queues_the_mail_that_they_bring(desk: &Desk) {
    let id = |n: u8| CountId::new([n; 16]);
    let allow = |_: usize, before: Option<Count>| {
        let failures = before.map_or(0, |it| it.failures) + 1;
        (failures <= 2).then_some(Count { failures, last_at: at(5), until: at(9) })
    };
    for n in 0..4 {
        let asked = [(id(1), Some(letter(&format!("a{n}"), "ann", 5))), (id(3), None)];
        let allowed = desk.node(n).count_if_allowed(&asked, &allow, MANY);
        assert_eq!(allowed, Ok(vec![n < 2, n < 2]));
    }
    assert_eq!(ids(desk), ["a0", "a1"]);
    assert_eq!(desk.count("mail"), 4, "one row each time");
    assert_eq!(desk.store.count(&id(1)).unwrap().map(|it| it.failures), Some(2));
    assert_eq!(desk.store.count(&id(3)).unwrap().map(|it| it.failures), Some(2));
    let none = |_: usize, _: Option<Count>| None;
    desk.store.count_if_allowed(&[(id(2), Some(letter("b", "bob", 5)))], &none, MANY).unwrap();
    assert_eq!((ids(desk).len(), desk.store.count(&id(2))), (2, Ok(None)));
    let rest = desk.raw().texts("SELECT DISTINCT user_id FROM mail WHERE kind = 'nothing'");
    assert_eq!(rest, [""], "nothing tells whom it is for");
}

pub fn queues_a_mail_with_what_it_tells_of_or_not_at_all(desk: &Desk) {
    with_ann(desk);
    let start = |name: &str, id: &str| {
        let entry = SessionStart { letter: Some(letter(id, name, 1)), ..SessionStart::default() };
        desk.store.start_session(&session(name, [1, 2, 3]), MANY, &entry)
    };
    assert_eq!(start("ann", "m1"), Ok(SessionStarted::Done));
    assert_eq!(start("nobody", "m2"), Ok(SessionStarted::ProofOutdated));
    assert_eq!(ids(desk), ["m1"]);

    let live = session("ann", [1, 2, 3]);
    desk.store.start_session(&live, MANY, &SessionStart::default()).unwrap();
    let add = |most, id: &str| {
        let (token, letter) = (access_token("ann", 50), letter(id, "ann", 1));
        desk.store.add_access_token(&token, &live.id, most, Some(&letter))
    };
    assert_eq!(add(1, "m3"), Ok(AccessTokenAdded::Done));
    assert_eq!(add(1, "m4"), Ok(AccessTokenAdded::TooMany));
    let link = reset_link("ann", 50);
    desk.store.add_one_time_token(&link).unwrap();
    let reset = |id: &str| {
        let letter = letter(id, "ann", 1);
        desk.store.reset_password(&link.id, &hash("$two"), Some(&letter), at(9))
    };
    assert_eq!((reset("m5"), reset("m6")), (Ok(true), Ok(false)));
    assert_eq!(ids(desk), ["m1", "m3", "m5"]);
}

pub fn deletes_the_mails_of_a_deleted_user_and_no_others(desk: &Desk) {
    with_ann(desk);
    desk.store.add_letters(&[letter("m1", "ann", 1), letter("m2", "bob", 1)]).unwrap();
    let notice =
        |id: &str| Letter { address: "ann@example.com".to_owned(), ..letter(id, "ann", 1) };
    let ann = user("ann").id;
    assert_eq!(desk.store.delete_user(&ann, None, Some(&notice("m3"))), Ok(true));
    assert_eq!(ids(desk), ["m2", "m3"], "what tells of it stays");
    assert_eq!(desk.store.delete_user(&ann, None, Some(&notice("m4"))), Ok(false));
    assert_eq!(ids(desk), ["m2", "m3"]);
}

pub fn finds_the_users_of_an_address_whatever_its_case(desk: &Desk) {
    let email = || "Ann@Example.com".to_owned();
    let ann = User { email: email(), email_verified_at: Some(TODAY), ..user("ann") };
    let twin = User { email: email().to_lowercase(), created_at: at(8), ..user("twin") };
    for one in [&twin, &ann, &user("bob")] {
        desk.store.add_user(one, &[]).unwrap();
    }
    let find = |limit| desk.store.users_by_email("ann@example.com", limit).unwrap();
    assert_eq!(find(9), [ann.clone(), twin.clone()], "the older one first");
    assert_eq!(find(1), std::slice::from_ref(&ann));
    assert_eq!((ann.verified_email(), twin.verified_email()), ("Ann@Example.com", ""));
    assert_eq!(desk.store.users_by_email("", 9), Ok(vec![]), "bob has none");
    assert_eq!(desk.store.set_email(&ann.id, "", None, None), Ok(true));
    assert_eq!(find(9), [twin]);
    let moved = "New@Example.com";
    assert_eq!(desk.store.set_email(&ann.id, moved, Some(at(9)), None), Ok(true));
    let found = desk.store.users_by_email("new@example.com", 9).unwrap();
    assert_eq!(found, [User { email: moved.to_owned(), email_verified_at: Some(at(9)), ..ann }]);
}

pub fn keeps_the_last_mailed_links_good_beside_the_one_of_an_operator(desk: &Desk) {
    with_ann(desk);
    let store = &desk.store;
    let link = |made: i64| OneTimeToken { created_at: at(made), ..reset_link("ann", 50) };
    let is_good = |it: &OneTimeToken| {
        store.user_of_one_time_token(&it.id, Purpose::ResetPassword, at(9)).unwrap().is_some()
    };
    let of_operator = link(1);
    assert_eq!(store.add_one_time_token(&of_operator), Ok(OneTimeTokenAdded::Done));
    let mailed: Vec<_> = (2..7).map(link).collect();
    for (n, it) in mailed.iter().enumerate() {
        assert_eq!(desk.node(n).add_mailed_token(it, 3), Ok(OneTimeTokenAdded::Done));
    }
    assert!(is_good(&of_operator), "a stranger who asks for mails does not end it");
    assert_eq!(mailed.iter().map(is_good).collect::<Vec<_>>(), [false, false, true, true, true]);
    assert_eq!(desk.node(1).reset_password(&mailed[2].id, &hash("$two"), None, at(9)), Ok(true));
    assert_eq!(desk.count("one_time_token"), 0, "one that is used ends all");
    store.add_mailed_token(&mailed[0], 3).unwrap();
    store.add_one_time_token(&of_operator).unwrap();
    assert_eq!(desk.count("one_time_token"), 1, "that of an operator ends all before it");
    let gone = OneTimeToken { user_id: UserId::new("gone".to_owned()), ..link(2) };
    assert_eq!(store.add_mailed_token(&gone, 3), Ok(OneTimeTokenAdded::NoUser));
}

pub fn verifies_an_address_once_for_its_user_and_tells_the_one_before(desk: &Desk) {
    with_ann(desk);
    desk.store.add_user(&user("bob"), &[]).unwrap();
    let (store, ann, bob) = (&desk.store, user("ann").id, user("bob").id);
    let link = || OneTimeToken {
        purpose: Purpose::VerifyEmail,
        detail: "New@Example.com".to_owned(),
        ..reset_link("ann", 50)
    };
    let email = || store.user(&ann).unwrap().unwrap().verified_email().to_owned();
    let notice =
        |id: &str| Letter { address: "old@example.com".to_owned(), ..letter(id, "ann", 1) };
    let reset = reset_link("ann", 50);
    assert_eq!(store.add_mailed_token(&reset, 3), Ok(OneTimeTokenAdded::Done));
    let first = link();
    store.add_mailed_token(&first, 3).unwrap();
    let found = store.user_of_one_time_token(&first.id, Purpose::VerifyEmail, at(9));
    assert_eq!(found, Ok(Some((user("ann"), "New@Example.com".to_owned()))));
    for (id, user, now) in [(&reset.id, &ann, 9), (&first.id, &bob, 9), (&first.id, &ann, 51)] {
        assert_eq!(store.verify_email(id, user, Some(&notice("no")), at(now)), Ok(false));
    }
    assert_eq!((email(), ids(desk).len()), (String::new(), 0));
    let by_address = |address: &str| store.users_by_email(address, 9).unwrap().len();
    assert_eq!(desk.node(1).verify_email(&first.id, &ann, Some(&notice("m1")), at(50)), Ok(true));
    assert_eq!((email(), by_address("new@example.com")), ("New@Example.com".to_owned(), 1));
    assert_eq!((ids(desk), desk.count("one_time_token")), (vec!["m1".to_owned()], 0));
    assert_eq!(store.verify_email(&first.id, &ann, None, at(50)), Ok(false), "it is used");
    store.set_email(&ann, "", None, Some(&notice("m2"))).unwrap();
    let gone = UserId::new("gone".to_owned());
    assert_eq!(store.set_email(&gone, "", None, Some(&notice("m3"))), Ok(false));
    assert_eq!(ids(desk), ["m1", "m2"]);

    let second = link();
    store.add_mailed_token(&second, 3).unwrap();
    let done = std::thread::scope(|scope| {
        let of = |n| {
            let (node, id, ann) = (desk.node(n), second.id, &ann);
            scope.spawn(move || node.verify_email(&id, ann, None, at(9)) == Ok(true))
        };
        [0, 1, 2].map(of).map(|it| it.join().unwrap())
    });
    assert_eq!(done.iter().filter(|it| **it).count(), 1, "of several at once one");
    let third = link();
    store.add_mailed_token(&third, 3).unwrap();
    store.disable_user(&ann, "", at(9)).unwrap();
    assert_eq!(store.verify_email(&third.id, &ann, None, at(9)), Ok(false));
}

pub fn finds_the_name_with_which_the_one_owner_of_an_address_signs_in(desk: &Desk) {
    let of = |name: &str| User {
        email: "Ann@Example.com".to_owned(),
        email_verified_at: Some(TODAY),
        ..user(name)
    };
    let store = &desk.store;
    let find = || store.sign_in_name_of_email("ann@example.com").unwrap();
    assert_eq!((find(), store.sign_in_name_of_email("")), (None, Ok(None)));
    store.add_user(&of("ann"), &[]).unwrap();
    assert_eq!(find(), None, "she signs in with no name");
    let ann = user("ann").id;
    for (name, found) in [("zoe", "zoe"), ("bea", "bea"), ("ann", "ann")] {
        store.add_sign_in_name(&ann, name, at(9)).unwrap();
        assert_eq!(find().as_deref(), Some(found));
    }
    store.set_email(&ann, "ann@example.com", None, None).unwrap();
    assert_eq!(find(), None, "it is not verified");
    store.set_email(&ann, "ann@example.com", Some(TODAY), None).unwrap();
    assert_eq!(find().as_deref(), Some("ann"));
    store.add_user(&of("twin"), &[]).unwrap();
    assert_eq!(find(), None, "two have it");
}

pub fn makes_an_account_without_a_session_and_its_mail_or_neither(desk: &Desk) {
    let store = &desk.store;
    let user = User { email: "Ann@Example.com".to_owned(), ..user("ann") };
    let sign_up = |name: &str| {
        let letter = letter(name, "ann", 5);
        let entry = SessionStart { letter: Some(letter), ..SessionStart::default() };
        store.sign_up(&user, &key("ann"), None, None, &entry)
    };
    assert_eq!(sign_up("one"), Ok(SignedUp::Done));
    assert_eq!(sign_up("two"), Ok(SignedUp::NameTaken));
    assert_eq!([desk.count("user"), desk.count("user_key"), desk.count("user_session")], [1, 1, 0]);
    assert_eq!(ids(desk), ["one"]);
    let found = store.users_by_email("ann@example.com", 5).unwrap();
    assert!(found.len() == 1 && found[0].email_verified_at.is_none());
}
