//! Passkeys: adding, using and removing them.

use vestibule::base::clock::Moment;
use vestibule::base::token::Token;
use vestibule::store::{
    FactorProof, ImportStatus, ImportedUser, Passkey, PasskeyAccepted, PasskeyAdded,
    PasskeyRemoved, PasskeyUse, SecondFactor, SecondFactorOn, SecondFactorSet, SecondStepDone,
    Session, SessionStart, Store, UsedChallenge,
};

use super::second_factors::{app, begun, codes, with_both};
use super::{Desk, session, sign_up, user, with_ann};

const fn at(millis: i64) -> Moment {
    Moment::from_millis(millis)
}

/// A challenge that was not answered before.
fn challenge() -> UsedChallenge {
    let hash = Token::random().hash();
    UsedChallenge { id: *hash.as_bytes().first_chunk().unwrap(), expires_at: at(90) }
}

fn passkey(name: &str, id: &[u8]) -> Passkey {
    Passkey {
        id: id.to_vec(),
        user_id: user(name).id,
        user_handle: vec![0, 255],
        public_key: vec![0xa5, 0, 1],
        sign_count: 4,
        rp_id: "auth.example.com".to_owned(),
        verifies_user: true,
        is_backed_up: false,
        transports: "hybrid,internal".to_owned(),
        name: "Ännchen’s key".to_owned(),
        created_at: at(6),
        used_at: None,
    }
}

/// The use of a passkey at 5 whose count was 4, and is one more.
fn use_of(passkey: &Passkey) -> PasskeyUse {
    PasskeyUse {
        id: passkey.id.clone(),
        known_count: 4,
        sign_count: 5,
        is_backed_up: true,
        challenge: challenge(),
        at: at(5),
    }
}

fn add(store: &dyn Store, passkey: &Passkey, session: &Session) -> PasskeyAdded {
    store.add_passkey(passkey, &challenge(), &session.id, 3, None).unwrap()
}

/// Ann with a passkey, and her session.
fn with_passkey(desk: &Desk) -> (Passkey, Session) {
    let (live, own) = (with_ann(desk), passkey("ann", b"own"));
    assert_eq!(add(&*desk.store, &own, &live), PasskeyAdded::Done);
    (own, live)
}

fn sign_in(store: &dyn Store, passkey_use: &PasskeyUse, session: &Session) -> PasskeyAccepted {
    let entry = SessionStart { second_at: at(5), ..SessionStart::default() };
    store.start_session_with_passkey(passkey_use, session, 9, &entry).unwrap()
}

pub fn adds_a_passkey_once_in_a_live_session_of_its_owner(desk: &Desk) {
    let store = &*desk.store;
    let (own, live) = with_passkey(desk);
    let bobs = session("bob", [60, 70, 80]);
    sign_up(store, "bob", &bobs);
    assert_eq!(store.passkeys_of(&own.user_id), Ok(vec![own.clone()]));
    assert_eq!(store.passkey(b"own"), Ok(Some((user("ann"), own.clone()))));
    assert_eq!(store.passkey(b"OWN"), Ok(None));
    // The same id again, of the same user or of another one.
    assert_eq!(add(store, &own, &live), PasskeyAdded::Taken);
    assert_eq!(add(store, &passkey("bob", b"own"), &bobs), PasskeyAdded::Taken);
    assert_eq!(add(store, &passkey("ann", b"two"), &bobs), PasskeyAdded::SessionEnded);
    let (once, two) = (challenge(), passkey("ann", b"two"));
    let with = |it: &Passkey| store.add_passkey(it, &once, &live.id, 3, None).unwrap();
    assert_eq!(with(&two), PasskeyAdded::Done);
    assert_eq!(with(&passkey("ann", b"three")), PasskeyAdded::UsedChallenge);
    let long = passkey("ann", &[255; 1023]);
    assert_eq!(add(store, &long, &live), PasskeyAdded::Done);
    assert_eq!(add(store, &passkey("ann", b"four"), &live), PasskeyAdded::TooMany);
    let ids = store.passkeys_of(&own.user_id).unwrap().into_iter().map(|it| it.id);
    assert_eq!(ids.collect::<Vec<_>>(), [b"own".to_vec(), b"two".to_vec(), vec![255; 1023]]);
    // What was refused has used no challenge up.
    assert_eq!((desk.count("passkey"), desk.count("used_challenge")), (3, 3));
}

pub fn uses_a_challenge_of_a_passkey_once(desk: &Desk) {
    let store = &*desk.store;
    let (own, _) = with_passkey(desk);
    let (once, first) = (use_of(&own), with_both("ann"));
    assert_eq!(sign_in(store, &once, &first), PasskeyAccepted::Done);
    let noted = Passkey { sign_count: 5, is_backed_up: true, used_at: Some(at(5)), ..own.clone() };
    assert_eq!(store.passkeys_of(&own.user_id), Ok(vec![noted]));
    let (ann, found) = store.user_of_session(&first.id).unwrap().unwrap();
    assert!(ann == user("ann") && found == first);
    let again = PasskeyUse { known_count: 5, sign_count: 6, ..once };
    assert_eq!(sign_in(store, &again, &with_both("ann")), PasskeyAccepted::Used);
    // Another use whose count was read before the first.
    assert_eq!(sign_in(store, &use_of(&own), &with_both("ann")), PasskeyAccepted::Used);
    let other = PasskeyUse { id: b"other".to_vec(), ..use_of(&own) };
    assert_eq!(sign_in(store, &other, &with_both("ann")), PasskeyAccepted::Used);
    // A passkey that counts nothing is used any number of times.
    for _ in 0..2 {
        let next = PasskeyUse { known_count: 5, sign_count: 5, ..use_of(&own) };
        assert_eq!(sign_in(store, &next, &with_both("ann")), PasskeyAccepted::Done);
    }
}

pub fn admits_one_of_many_who_answer_one_challenge_at_the_same_moment(desk: &Desk) {
    let (own, _) = with_passkey(desk);
    for _ in 0..desk.room.rounds(100) {
        // A count that stays, so that the challenge alone decides.
        let once = PasskeyUse { sign_count: 4, ..use_of(&own) };
        let done = std::thread::scope(|scope| {
            let of = |n: usize| {
                let (node, once) = (desk.node(n), &once);
                scope.spawn(move || sign_in(node, once, &with_both("ann")))
            };
            [0, 1, 2].map(of).map(|it| it.join().unwrap())
        });
        let winners = done.iter().filter(|it| **it == PasskeyAccepted::Done).count();
        assert!(winners == 1 && !done.contains(&PasskeyAccepted::Gone), "{done:?}");
    }
}

pub fn admits_nobody_with_the_passkey_of_a_user_who_is_disabled_or_gone(desk: &Desk) {
    let store = &*desk.store;
    let (own, _) = with_passkey(desk);
    store.disable_user(&own.user_id, "", at(3)).unwrap();
    assert_eq!(sign_in(store, &use_of(&own), &with_both("ann")), PasskeyAccepted::Gone);
    // What was refused has used nothing up.
    assert_eq!(store.passkeys_of(&own.user_id), Ok(vec![own.clone()]));
    store.delete_user(&own.user_id, None, None).unwrap();
    assert_eq!(store.passkey(&own.id), Ok(None));
    assert_eq!(sign_in(store, &use_of(&own), &with_both("ann")), PasskeyAccepted::Used);
    assert_eq!(desk.count("passkey"), 0);
}

pub fn proves_the_owner_of_a_session_with_a_passkey_of_theirs(desk: &Desk) {
    let store = &*desk.store;
    let (own, live) = with_passkey(desk);
    let bobs = session("bob", [60, 70, 80]);
    sign_up(store, "bob", &bobs);
    let proven_at =
        |session: &Session| store.user_of_session(&session.id).unwrap().unwrap().1.proven_at;
    let prove = |name: &str, it: &PasskeyUse, session: &Session| {
        store.prove_with_passkey(&user(name).id, it, &session.id).unwrap()
    };
    assert_eq!(prove("ann", &use_of(&own), &bobs), PasskeyAccepted::Gone);
    assert_eq!(prove("bob", &use_of(&own), &bobs), PasskeyAccepted::Used);
    let once = PasskeyUse { at: at(50), ..use_of(&own) };
    assert_eq!(prove("ann", &once, &live), PasskeyAccepted::Done);
    assert_eq!(proven_at(&live), at(50));
    assert!(proven_at(&bobs) == bobs.proven_at);
    let again = PasskeyUse { known_count: 5, at: at(60), ..once };
    assert_eq!(prove("ann", &again, &live), PasskeyAccepted::Used);
    assert_eq!(proven_at(&live), at(50));
}

pub fn takes_a_passkey_for_the_second_factor(desk: &Desk) {
    let store = &*desk.store;
    let (own, live) = with_passkey(desk);
    let entry = SessionStart { replaced: Some(live.id), ..SessionStart::default() };
    let on = store.turn_second_factor_on(
        &FactorProof::NewApp(&app("ann"), &codes()),
        &with_both("ann"),
        &entry,
    );
    assert_eq!(on, Ok(SecondFactorOn::Done));
    let finish = |id, it: &PasskeyUse| {
        let proof = FactorProof::Passkey(it);
        let entry = SessionStart::default();
        store.finish_second_step(&id, &proof, &with_both("ann"), 9, &entry).unwrap()
    };
    let once = use_of(&own);
    assert_eq!(finish(begun(store, "ann"), &once), SecondStepDone::Done);
    let waits = begun(store, "ann");
    let again = PasskeyUse { known_count: 5, ..once };
    assert_eq!(finish(waits, &again), SecondStepDone::UsedCode);
    // The sign-in still waits.
    let next = PasskeyUse { known_count: 5, sign_count: 6, ..use_of(&own) };
    assert_eq!(finish(waits, &next), SecondStepDone::Done);
    assert_eq!(finish(waits, &use_of(&own)), SecondStepDone::Gone);
}

pub fn turns_a_second_factor_on_with_a_passkey_and_no_app(desk: &Desk) {
    let store = &*desk.store;
    let first = with_ann(desk);
    let entry = SessionStart { replaced: Some(first.id), ..SessionStart::default() };
    let live = with_both("ann");
    let mere = Passkey { verifies_user: false, ..passkey("ann", b"mere") };
    let once = use_of(&mere);
    let turn_on = || {
        let proof = FactorProof::NewPasskey(&once, &codes());
        store.turn_second_factor_on(&proof, &live, &entry).unwrap()
    };
    assert_eq!(turn_on(), SecondFactorOn::UsedPasskey, "it is not there");
    assert_eq!(add(store, &passkey("ann", b"own"), &first), PasskeyAdded::Done);
    assert_eq!(add(store, &mere, &first), PasskeyAdded::Done);
    assert_eq!(turn_on(), SecondFactorOn::Done);
    let ann = user("ann").id;
    assert_eq!(store.user(&ann).unwrap().unwrap().second_factor_since, Some(at(5)));
    assert!(store.totp_of(&ann).unwrap().is_none());
    assert_eq!(store.recovery_codes_of(&ann).unwrap().len(), 8);
    let used = store.passkeys_of(&ann).unwrap().into_iter().find(|it| it.id == b"mere").unwrap();
    assert_eq!((used.sign_count, used.used_at), (5, Some(at(5))), "the use is noted");
    let replace = |it: &PasskeyUse| {
        store.replace_recovery_codes(&ann, &codes(), &FactorProof::Passkey(it), None, at(6))
    };
    let again = PasskeyUse { known_count: 5, ..once.clone() };
    assert_eq!(replace(&again), Ok(SecondFactorSet::UsedCode), "the challenge is used up");
    let next = PasskeyUse { id: b"own".to_vec(), ..use_of(&mere) };
    assert_eq!(replace(&next), Ok(SecondFactorSet::Done));
    let off = store.turn_second_factor_off(&ann, None, None);
    assert_eq!(off, Ok(SecondFactorSet::Done));
    // What signs in alone stays.
    let left: Vec<_> = store.passkeys_of(&ann).unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(left, [b"own"]);
}

pub fn turns_a_second_factor_on_with_a_passkey_while_signing_in(desk: &Desk) {
    let store = &*desk.store;
    let (own, first) = with_passkey(desk);
    let finish = |id, it: &PasskeyUse| {
        let codes = codes();
        let proof = FactorProof::NewPasskey(it, &codes);
        let entry = SessionStart::default();
        store.finish_second_step(&id, &proof, &with_both("ann"), 9, &entry).unwrap()
    };
    let once = PasskeyUse { at: at(7), ..use_of(&own) };
    let other = PasskeyUse { id: b"other".to_vec(), ..once.clone() };
    let (waits, second) = (begun(store, "ann"), begun(store, "ann"));
    assert_eq!(finish(waits, &other), SecondStepDone::UsedCode);
    assert_eq!(finish(waits, &once), SecondStepDone::Done);
    assert_eq!(finish(second, &once), SecondStepDone::Gone, "every other sign-in has ended");
    assert_eq!(store.user(&own.user_id).unwrap().unwrap().second_factor_since, Some(at(7)));
    assert_eq!(store.user_of_session(&first.id).unwrap().map(drop), None, "and every session");
    assert_eq!((desk.count("totp"), desk.count("recovery_code")), (0, 8));
    let next = PasskeyUse { known_count: 5, sign_count: 6, ..use_of(&own) };
    assert_eq!(finish(begun(store, "ann"), &next), SecondStepDone::UsedCode, "it is on already");
}

pub fn keeps_the_last_thing_that_a_second_factor_is_given_with(desk: &Desk) {
    let store = &*desk.store;
    let (own, first) = with_passkey(desk);
    assert_eq!(add(store, &passkey("ann", b"two"), &first), PasskeyAdded::Done);
    let entry = SessionStart { replaced: Some(first.id), ..SessionStart::default() };
    let (once, codes) = (use_of(&own), codes());
    let proof = FactorProof::NewPasskey(&once, &codes);
    let on = store.turn_second_factor_on(&proof, &with_both("ann"), &entry);
    assert_eq!(on, Ok(SecondFactorOn::Done));
    let remove_where = |id: &[u8], rp_id: Option<&str>| {
        store.remove_passkey(&own.user_id, id, rp_id, None).unwrap()
    };
    let remove = |id: &[u8]| remove_where(id, None);
    assert_eq!(remove_where(b"two", Some("elsewhere.example")), PasskeyRemoved::LastFactor);
    assert_eq!(remove_where(b"two", Some(&own.rp_id)), PasskeyRemoved::Done);
    assert_eq!(remove(b"own"), PasskeyRemoved::LastFactor);
    assert_eq!(desk.count("passkey"), 1);
    store.turn_second_factor_off(&own.user_id, None, None).unwrap();
    assert_eq!(remove(b"own"), PasskeyRemoved::Done);
}

pub fn renames_and_removes_passkeys_of_their_owner_alone(desk: &Desk) {
    let store = &*desk.store;
    let (own, _) = with_passkey(desk);
    sign_up(store, "bob", &session("bob", [60, 70, 80]));
    let bob = user("bob").id;
    assert_eq!(store.rename_passkey(&bob, b"own", "mine"), Ok(false));
    assert_eq!(store.remove_passkey(&bob, b"own", None, None), Ok(PasskeyRemoved::NotFound));
    assert_eq!(store.passkeys_of(&own.user_id), Ok(vec![own.clone()]));
    assert_eq!(store.rename_passkey(&own.user_id, b"own", "<b>"), Ok(true));
    assert_eq!(store.passkeys_of(&own.user_id).unwrap()[0].name, "<b>");
    assert_eq!(store.remove_passkey(&own.user_id, b"own", None, None), Ok(PasskeyRemoved::Done));
    assert_eq!(
        store.remove_passkey(&own.user_id, b"own", None, None),
        Ok(PasskeyRemoved::NotFound)
    );
}

pub fn forgets_challenges_that_nothing_accepts_any_more(desk: &Desk) {
    let store = &*desk.store;
    with_passkey(desk);
    assert_eq!(store.delete_old_challenges(at(90), 9), Ok(0));
    assert_eq!(store.delete_old_challenges(at(91), 9), Ok(1));
    assert_eq!(desk.count("used_challenge"), 0);
}

pub fn brings_passkeys_over_with_their_users(desk: &Desk) {
    let store = &*desk.store;
    let (own, _) = with_passkey(desk);
    let arrival = |name: &str, passkeys: Vec<Passkey>| ImportedUser {
        user: user(name),
        is_known_by_name: false,
        attributes: String::new(),
        keys: Vec::new(),
        sessions: Vec::new(),
        second_factor: None,
        passkeys,
    };
    let two = vec![passkey("bob", b"a"), Passkey { used_at: Some(at(8)), ..passkey("bob", b"b") }];
    let mut bob = arrival("bob", two.clone());
    bob.user.second_factor_since = Some(at(6));
    bob.second_factor = Some(SecondFactor { totp: None, recovery_codes: codes() });
    let record = |_: &[ImportStatus]| None;
    let import =
        |all: &[ImportedUser]| store.import_users(all, false, at(9), &record, &mut |_, _| {});
    assert_eq!(import(&[bob.clone()]), Ok(vec![ImportStatus::New]));
    assert_eq!(store.passkeys_of(&user("bob").id), Ok(two.clone()));
    let thief = arrival("eve", vec![Passkey { user_id: user("eve").id, ..own.clone() }]);
    assert_eq!(import(&[thief]), Ok(vec![ImportStatus::PasskeyTaken]));
    let mut shown = Vec::new();
    store
        .each_user(None, &mut |it| {
            shown.push((it.user.id.clone(), it.passkeys, it.second_factor));
            true
        })
        .unwrap();
    assert!(shown[0].1 == [own] && shown[0].2.is_none());
    assert!(shown[1].1 == two && shown[1].2 == bob.second_factor);
}
