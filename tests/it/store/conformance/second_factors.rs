//! Second factors: apps, recovery codes, and sign-ins that wait for one of them.

use vestibule::base::clock::Moment;
use vestibule::base::token::{Token, TokenHash};
use vestibule::store::{
    Device, Epoch, FactorProof, KeyId, OneTimeToken, OneTimeTokenAdded, Purpose, SealRow,
    SecondFactorOn, SecondFactorSet, SecondStepDone, SecretChange, Session, SessionStart,
    SessionStarted, SignedUp, Store, Totp, UserId,
};

use super::{Desk, access_token, hash, key, session, sign_up, user, with_ann};

const fn at(millis: i64) -> Moment {
    Moment::from_millis(millis)
}

const DONE: SecondStepDone = SecondStepDone::Done;

pub fn app(name: &str) -> Totp {
    Totp { user_id: user(name).id, secret: vec![7; 21], last_step: 100, created_at: at(2) }
}

pub fn codes() -> Vec<TokenHash> {
    let mut codes: Vec<_> = (0..8).map(|_| Token::random().hash()).collect();
    codes.sort_unstable_by_key(|it| *it.as_bytes());
    codes
}

fn epoch_of(store: &dyn Store, name: &str) -> Epoch {
    store.credentials_of_key(&KeyId::username(name)).unwrap().unwrap().epoch
}

/// A session with both factors, which is created at 5.
pub fn with_both(name: &str) -> Session {
    Session { created_at: at(5), second_at: at(5), ..session(name, [60, 70, 80]) }
}

fn instead_of(session: &Session) -> SessionStart {
    SessionStart { replaced: Some(session.id), ..SessionStart::default() }
}

/// Ann with a second factor, her recovery codes, and the session in which she turned it on.
fn with_factor(desk: &Desk) -> (Vec<TokenHash>, Session) {
    let (first, live, codes) = (with_ann(desk), with_both("ann"), codes());
    let done = desk.store.turn_second_factor_on(
        &FactorProof::NewApp(&app("ann"), &codes),
        &live,
        &instead_of(&first),
    );
    assert_eq!(done, Ok(SecondFactorOn::Done));
    (codes, live)
}

fn waiting(name: &str, created_at: i64) -> OneTimeToken {
    OneTimeToken {
        id: Token::random().hash(),
        user_id: user(name).id,
        purpose: Purpose::SecondStep,
        created_at: at(created_at),
        expires_at: at(created_at + 10),
        detail: String::new(),
    }
}

/// Begins a sign-in of this user at 4.
pub fn begun(store: &dyn Store, name: &str) -> TokenHash {
    let (token, epoch) = (waiting(name, 4), epoch_of(store, name));
    assert_eq!(store.begin_second_step(&token, epoch, None), Ok(OneTimeTokenAdded::Done));
    token.id
}

fn finish(store: &dyn Store, id: &TokenHash, proof: FactorProof<'_>) -> SecondStepDone {
    let entry = SessionStart::default();
    store.finish_second_step(id, &proof, &with_both("ann"), 9, &entry).unwrap()
}

pub fn ends_everything_else_of_a_user_who_turns_a_second_factor_on(desk: &Desk) {
    let store = &*desk.store;
    let first = with_ann(desk);
    sign_up(store, "bob", &session("bob", [60, 70, 80]));
    let device = |name: &str, second_at| {
        let id = Token::random().hash();
        Device { id, user_id: user(name).id, last_used_at: at(2), second_at }
    };
    let [old, own, bobs] = [device("ann", at(1)), device("ann", at(0)), device("bob", at(1))];
    for (name, it) in [("ann", &old), ("ann", &own), ("bob", &bobs)] {
        let entry = SessionStart { device: Some(it.clone()), ..SessionStart::default() };
        store.start_session(&session(name, [60, 70, 80]), 9, &entry).unwrap();
    }
    let waits = begun(store, "ann");
    let (live, codes) = (with_both("ann"), codes());
    let entry = SessionStart { device: Some(own.clone()), ..instead_of(&first) };
    let turn_on =
        || store.turn_second_factor_on(&FactorProof::NewApp(&app("ann"), &codes), &live, &entry);
    assert_eq!(turn_on(), Ok(SecondFactorOn::Done));
    let left: Vec<_> = store.sessions_of(&user("ann").id).unwrap();
    assert!(left == std::slice::from_ref(&live), "her other sessions ended");
    assert!(store.devices_of(&user("ann").id).unwrap() == [own]);
    assert!(store.devices_of(&user("bob").id).unwrap() == [bobs]);
    assert_eq!(store.sessions_of(&user("bob").id).unwrap().len(), 2);
    assert!(store.totp_of(&user("ann").id).unwrap() == Some(app("ann")));
    assert!(store.recovery_codes_of(&user("ann").id).unwrap() == codes);
    let (ann, _) = store.user_of_session(&live.id).unwrap().unwrap();
    assert_eq!(ann.second_factor_since, Some(at(2)));
    assert_eq!(finish(store, &waits, FactorProof::Step(101)), SecondStepDone::Gone);
    let again = SessionStart { replaced: Some(live.id), ..entry.clone() };
    let done = store.turn_second_factor_on(
        &FactorProof::NewApp(&app("ann"), &codes),
        &with_both("ann"),
        &again,
    );
    assert_eq!(done, Ok(SecondFactorOn::AlreadyOn));
}

pub fn turns_no_second_factor_on_in_a_session_that_has_ended(desk: &Desk) {
    let store = &*desk.store;
    let first = with_ann(desk);
    sign_up(store, "bob", &session("bob", [60, 70, 80]));
    let turn_on = |entry: &SessionStart, name: &str| {
        store.turn_second_factor_on(
            &FactorProof::NewApp(&app(name), &codes()),
            &with_both(name),
            entry,
        )
    };
    assert_eq!(turn_on(&SessionStart::default(), "ann"), Ok(SecondFactorOn::SessionEnded));
    assert_eq!(turn_on(&instead_of(&first), "bob"), Ok(SecondFactorOn::SessionEnded));
    store.set_password(&user("ann").id, Some(&hash("$two"))).unwrap();
    assert_eq!(turn_on(&instead_of(&first), "ann"), Ok(SecondFactorOn::SessionEnded));
    assert_eq!((desk.count("totp"), desk.count("recovery_code")), (0, 0));
}

pub fn starts_no_session_with_the_password_alone_while_there_is_a_second_factor(desk: &Desk) {
    let (_, live) = with_factor(desk);
    let store = &*desk.store;
    let entry = SessionStart::default();
    let alone = session("ann", [60, 70, 80]);
    assert_eq!(store.start_session(&alone, 9, &entry), Ok(SessionStarted::ProofOutdated));
    assert_eq!(store.start_session(&with_both("ann"), 9, &entry), Ok(SessionStarted::Done));
    let token = access_token("ann", 50);
    store.add_access_token(&token, &live.id, 9, None).unwrap();
    let made = store.user_of_access_token(&token.id).unwrap().unwrap().1;
    assert_eq!(made.second_at, live.second_at, "as the session in which it was created");
}

pub fn signs_in_with_both_factors_once(desk: &Desk) {
    let (codes, _) = with_factor(desk);
    let store = &*desk.store;
    let waits = begun(store, "ann");
    for proof in [FactorProof::Step(100), FactorProof::Step(99)] {
        assert_eq!(finish(store, &waits, proof), SecondStepDone::UsedCode, "or an earlier one");
    }
    let strange = FactorProof::RecoveryCode(Token::random().hash());
    assert_eq!(finish(store, &waits, strange), SecondStepDone::UsedCode);
    let anew = FactorProof::NewApp(&app("ann"), &codes);
    assert_eq!(finish(store, &waits, anew), SecondStepDone::UsedCode, "there is an app already");
    assert_eq!(finish(store, &waits, FactorProof::Step(101)), DONE, "it still waits");
    assert_eq!(finish(store, &waits, FactorProof::Step(102)), SecondStepDone::Gone);
    let second = begun(store, "ann");
    assert_eq!(finish(store, &second, FactorProof::Step(101)), SecondStepDone::UsedCode);
    let code = FactorProof::RecoveryCode(codes[3]);
    assert_eq!(finish(store, &second, code), DONE);
    let third = begun(store, "ann");
    assert_eq!(finish(store, &third, code), SecondStepDone::UsedCode);
    assert_eq!(store.recovery_codes_of(&user("ann").id).unwrap().len(), 7);
}

pub fn takes_the_recovery_code_of_no_other_user(desk: &Desk) {
    with_factor(desk);
    let store = &*desk.store;
    let bobs = session("bob", [60, 70, 80]);
    sign_up(store, "bob", &bobs);
    let codes = codes();
    let (live, entry) = (with_both("bob"), instead_of(&bobs));
    store.turn_second_factor_on(&FactorProof::NewApp(&app("bob"), &codes), &live, &entry).unwrap();
    let waits = begun(store, "ann");
    let code = FactorProof::RecoveryCode(codes[0]);
    assert_eq!(finish(store, &waits, code), SecondStepDone::UsedCode);
    let bobs = begun(store, "bob");
    assert_eq!(finish(store, &bobs, FactorProof::Step(101)), SecondStepDone::Gone, "not hers");
}

pub fn ends_a_sign_in_that_waits_with_the_credentials_or_its_time(desk: &Desk) {
    with_factor(desk);
    let store = &*desk.store;
    let is_gone =
        |id: &TokenHash| finish(store, id, FactorProof::Step(101)) == SecondStepDone::Gone;
    let epoch = epoch_of(store, "ann");
    for (created_at, what) in [(-6, "it has expired"), (900_000, "it is made in the future")] {
        let token = waiting("ann", created_at);
        assert_eq!(store.begin_second_step(&token, epoch, None), Ok(OneTimeTokenAdded::Done));
        assert!(is_gone(&token.id), "{what}");
    }
    let waits = begun(store, "ann");
    store.set_password(&user("ann").id, Some(&hash("$two"))).unwrap();
    assert!(is_gone(&waits), "the password changed");
    let late = store.begin_second_step(&waiting("ann", 4), epoch, None);
    assert_eq!(late, Ok(OneTimeTokenAdded::NoUser), "the proof is outdated");
    let waits = begun(store, "ann");
    store.disable_user(&user("ann").id, "", at(5)).unwrap();
    assert!(is_gone(&waits), "the account is disabled");
    let epoch = epoch_of(store, "ann");
    let shut_out = store.begin_second_step(&waiting("ann", 4), epoch, None);
    assert_eq!(shut_out, Ok(OneTimeTokenAdded::NoUser));
    assert!(store.delete_user(&user("ann").id, None, None).unwrap());
    for table in ["totp", "recovery_code", "one_time_token"] {
        assert_eq!(desk.count(table), 0, "{table}");
    }
}

pub fn lets_ten_sign_ins_of_a_user_wait(desk: &Desk) {
    with_factor(desk);
    let store = &*desk.store;
    let epoch = epoch_of(store, "ann");
    let all: Vec<_> = (1..=11).map(|number| waiting("ann", number - 3)).collect();
    for token in &all {
        store.begin_second_step(token, epoch, None).unwrap();
    }
    assert_eq!(desk.count("one_time_token"), 10);
    let is_there = |it: &OneTimeToken| {
        store.user_of_one_time_token(&it.id, Purpose::SecondStep, at(5)).unwrap().is_some()
    };
    assert_eq!((is_there(&all[0]), is_there(&all[1])), (false, true), "the earliest is gone");
}

pub fn admits_one_of_many_who_give_one_code_at_the_same_moment(desk: &Desk) {
    let (codes, _) = with_factor(desk);
    let rounds = desk.room.rounds(100);
    for round in 0..rounds {
        let step = 101 + i64::try_from(round).unwrap();
        let code = codes.get(round);
        let proof = code.map_or(FactorProof::Step(step), |it| FactorProof::RecoveryCode(*it));
        let waiting = [0, 1, 2].map(|_| begun(&*desk.store, "ann"));
        let done = std::thread::scope(|scope| {
            let of = |n: usize| {
                let (node, id) = (desk.node(n), waiting[n]);
                scope.spawn(move || finish(node, &id, proof))
            };
            [0, 1, 2].map(of).map(|it| it.join().unwrap())
        });
        assert_eq!(done.iter().filter(|it| **it == DONE).count(), 1, "{done:?}");
    }
}

pub fn sets_up_an_app_while_signing_in(desk: &Desk) {
    let first = with_ann(desk);
    let store = &*desk.store;
    let (waits, codes) = (begun(store, "ann"), codes());
    let proof = FactorProof::NewApp(&app("ann"), &codes);
    assert_eq!(finish(store, &waits, proof), DONE);
    assert_eq!(store.user_of_session(&first.id).unwrap().map(drop), None, "others ended");
    assert_eq!(store.sessions_of(&user("ann").id).unwrap().len(), 1);
    assert_eq!(store.recovery_codes_of(&user("ann").id).unwrap().len(), 8);
}

pub fn turns_a_second_factor_off_with_a_code_or_by_an_operator(desk: &Desk) {
    let (codes, live) = with_factor(desk);
    let store = &*desk.store;
    let ann = user("ann").id;
    let off = |proof: Option<&FactorProof<'_>>| store.turn_second_factor_off(&ann, proof, None);
    let remembered = Device {
        id: Token::random().hash(),
        user_id: ann.clone(),
        last_used_at: at(5),
        second_at: at(5),
    };
    let entry = SessionStart { device: Some(remembered), ..SessionStart::default() };
    store.start_session(&with_both("ann"), 9, &entry).unwrap();
    let token = access_token("ann", 50);
    store.add_access_token(&token, &live.id, 9, None).unwrap();
    assert_eq!(off(Some(&FactorProof::Step(100))), Ok(SecondFactorSet::UsedCode));
    assert_eq!(desk.count("totp"), 1);
    assert_eq!(off(Some(&FactorProof::RecoveryCode(codes[0]))), Ok(SecondFactorSet::Done));
    assert_eq!((desk.count("totp"), desk.count("recovery_code")), (0, 0));
    assert_eq!(store.devices_of(&ann).unwrap()[0].second_at, Moment::NEVER);
    let (user, session) = store.user_of_session(&live.id).unwrap().unwrap();
    let made = store.user_of_access_token(&token.id).unwrap().unwrap().1;
    assert_eq!(user.second_factor_since, None);
    assert_eq!([session.second_at, made.second_at], [Moment::NEVER; 2]);
    assert_eq!(off(Some(&FactorProof::Step(105))), Ok(SecondFactorSet::NotOn));
    let codes = self::codes();
    let live_again = with_both("ann");
    store
        .turn_second_factor_on(
            &FactorProof::NewApp(&app("ann"), &codes),
            &live_again,
            &instead_of(&live),
        )
        .unwrap();
    assert_eq!(off(None), Ok(SecondFactorSet::Done));
    assert_eq!(store.sessions_of(&ann).unwrap().len(), 0, "an operator ends all sessions");
    assert_eq!(off(None), Ok(SecondFactorSet::NotOn));
    let nobody = UserId::new("nobody".to_owned());
    assert_eq!(store.turn_second_factor_off(&nobody, None, None), Ok(SecondFactorSet::NotOn));
}

pub fn replaces_recovery_codes_and_forgets_browsers(desk: &Desk) {
    let (old, _) = with_factor(desk);
    let store = &*desk.store;
    let ann = user("ann").id;
    let id = Token::random().hash();
    let device = Device { id, user_id: ann.clone(), last_used_at: at(5), second_at: at(5) };
    let remember = || {
        let entry = SessionStart { device: Some(device.clone()), ..SessionStart::default() };
        store.start_session(&with_both("ann"), 9, &entry).unwrap();
        assert_eq!(store.devices_of(&ann).unwrap()[0].second_at, at(5));
    };
    remember();
    let earlier = Device { second_at: at(2), last_used_at: at(6), ..device.clone() };
    let entry = SessionStart { device: Some(earlier), ..SessionStart::default() };
    store.start_session(&with_both("ann"), 9, &entry).unwrap();
    assert_eq!(store.devices_of(&ann).unwrap()[0].second_at, at(5), "never earlier");
    let new = codes();
    let replace = |proof| store.replace_recovery_codes(&ann, &new, &proof, None, at(9));
    assert_eq!(replace(FactorProof::Step(100)), Ok(SecondFactorSet::UsedCode));
    assert!(store.recovery_codes_of(&ann).unwrap() == old);
    assert_eq!(replace(FactorProof::RecoveryCode(old[0])), Ok(SecondFactorSet::Done));
    assert!(store.recovery_codes_of(&ann).unwrap() == new);
    assert_eq!(store.devices_of(&ann).unwrap()[0].second_at, Moment::NEVER);
    remember();
    assert_eq!(store.forget_browsers(&ann), Ok(1));
    assert_eq!(store.devices_of(&ann).unwrap()[0].second_at, Moment::NEVER);
    let bob = (user("bob"), key("bob"), session("bob", [60, 70, 80]));
    let done = store.sign_up(&bob.0, &bob.1, Some(&bob.2), None, &SessionStart::default());
    assert_eq!(done, Ok(SignedUp::Done));
    let none =
        store.replace_recovery_codes(&bob.0.id, &codes(), &FactorProof::Step(1), None, at(9));
    assert_eq!(none, Ok(SecondFactorSet::NotOn));
}

pub fn knows_with_which_key_secrets_are_sealed(desk: &Desk) {
    let store = &*desk.store;
    let seals = || [SealRow::Current, SealRow::Previous].map(|it| store.seal(it).unwrap());
    let (one, two) = ([1; 32], [2; 32]);
    assert_eq!(seals(), [None, None]);
    assert_eq!(store.change_seal(Some(&one), Some(&two), None), Ok(false));
    assert_eq!(seals(), [None, None]);
    assert_eq!(store.change_seal(None, Some(&one), None), Ok(true));
    assert_eq!(store.change_seal(None, Some(&two), None), Ok(false), "another server was first");
    assert_eq!(store.change_seal(Some(&one), Some(&two), Some(&one)), Ok(true));
    assert_eq!(seals(), [Some(two), Some(one)]);
    assert_eq!(store.change_seal(Some(&two), Some(&two), None), Ok(true));
    assert_eq!(seals(), [Some(two), None]);
    assert_eq!(store.change_seal(Some(&two), None, None), Ok(true));
    assert_eq!(seals(), [None, None]);
}

pub fn writes_each_secret_in_another_form_if_it_is_as_it_was(desk: &Desk) {
    with_factor(desk);
    let store = &*desk.store;
    let bob = session("bob", [60, 70, 80]);
    sign_up(store, "bob", &bob);
    let live = with_both("bob");
    store
        .turn_second_factor_on(
            &FactorProof::NewApp(&app("bob"), &codes()),
            &live,
            &instead_of(&bob),
        )
        .unwrap();

    let ids = |after: Option<&str>, limit| {
        let after = after.map(|it| user(it).id);
        let apps = store.apps_after(after.as_ref(), limit).unwrap();
        apps.into_iter().map(|it| it.user_id).collect::<Vec<_>>()
    };
    let [ann_id, bob_id] = ["ann", "bob"].map(|it| user(it).id);
    let both = if ann_id.as_str() < bob_id.as_str() {
        [ann_id.clone(), bob_id.clone()]
    } else {
        [bob_id.clone(), ann_id.clone()]
    };
    assert_eq!(ids(None, 9), both);
    assert_eq!(ids(None, 1), both[..1]);
    assert!(store.apps_after(Some(&both[1]), 9).unwrap().is_empty());

    assert_eq!((store.apps_of_kind(7), store.apps_of_kind(1)), (Ok(2), Ok(0)));
    assert!(store.first_app_of_kind(1).unwrap().is_none());
    let change = |id: &UserId, before: u8, after: u8| SecretChange {
        user_id: id.clone(),
        before: vec![before; 21],
        after: vec![after; 61],
    };
    let changes = [change(&ann_id, 7, 1), change(&bob_id, 8, 1)];
    assert_eq!(store.change_secrets(&changes), Ok(1), "bob's is another one");
    assert_eq!((store.apps_of_kind(7), store.apps_of_kind(1)), (Ok(1), Ok(1)));
    let first = store.first_app_of_kind(1).unwrap().unwrap();
    assert!(first.user_id == ann_id && first.secret == [1; 61]);
    let kept = store.totp_of(&ann_id).unwrap().unwrap();
    assert_eq!((kept.last_step, kept.created_at), (100, at(2)));
    assert_eq!(store.change_secrets(&[]), Ok(0));
}
