//! The auth floor as a library: every operation that Lucia's `Auth` has, and the rules of time.

use std::time::Duration;

use crate::engine;
use tempfile::TempDir;
use vestibule::auth::Authenticator;
use vestibule::auth::keys::{self, NewKey, Proof, ProofFailure};
use vestibule::auth::names::{self, Rest};
use vestibule::auth::sessions::{self, Periods, State};
use vestibule::auth::sign_in::{self, Admission, Caller, Reauthentication, Rules, SignIn, SignUp};
use vestibule::auth::usernames::Username;
use vestibule::auth::users;
use vestibule::base::clock::Moment;
use vestibule::base::password::{Cost, Hasher, Password, PasswordHash};
use vestibule::base::token::{Token, TokenHash};
use vestibule::store::{KeyAdded, KeyId, PasswordSet, SessionStart, User, UserId, UserRenamed};

const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
const NOW: Moment = Moment::from_millis(1_000_000);

/// The auth floor over its own empty file.
struct Hall {
    folder: TempDir,
    auth: Authenticator,
}

impl Hall {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = engine::open(folder.path());
        let second = Duration::from_secs(1);
        let periods = Periods {
            active: 10 * second,
            idle: 20 * second,
            absolute: 100 * second,
            transient: 5 * second,
            most: 10,
        };
        let rules = Rules { periods, ..Rules::default() };
        Self { folder, auth: Authenticator::new(store, Hasher::new(2, CHEAP), rules) }
    }

    /// A hall that knows Ann, whose password is `secret`, and her first session.
    fn with_ann() -> (Self, Box<Admission>) {
        let hall = Self::new();
        let SignUp::Admitted(ann) = hall.sign_up("Ann Onym", None) else { panic!("not admitted") };
        (hall, ann)
    }

    fn sign_up(&self, who: &str, presented: Option<&TokenHash>) -> SignUp {
        let password = Password::new("secret");
        let caller = Caller { presented: presented.copied(), ..Caller::default() };
        sign_in::sign_up(&self.auth, &name(who), &password, &caller, NOW).unwrap()
    }

    fn sign_in(&self, who: &str, password: &str, presented: Option<&TokenHash>) -> SignIn {
        let (name, password) = (Username::for_sign_in(who).unwrap(), Password::new(password));
        let caller = Caller { presented: presented.copied(), ..Caller::default() };
        sign_in::with_password(&self.auth, &name, &password, &caller, NOW).unwrap()
    }

    fn is_admitted(&self, who: &str, password: &str) -> bool {
        matches!(self.sign_in(who, password, None), SignIn::Admitted(_))
    }

    fn resume(&self, token: &Token, now: Moment) -> Option<sessions::Resumed> {
        sessions::resume(self.auth.store(), &self.auth.rules, token, now).unwrap()
    }
}

fn name(typed: &str) -> Username {
    Username::for_sign_up(typed).unwrap()
}

fn seconds(count: u64) -> Moment {
    NOW.after(Duration::from_secs(count))
}

fn just_after(moment: Moment) -> Moment {
    moment.after(Duration::from_millis(1))
}

#[test]
fn lets_a_user_in_who_signs_up_and_knows_them_afterwards() {
    let (hall, ann) = Hall::with_ann();
    assert_eq!(ann.user.username, "Ann Onym");
    assert_eq!(ann.user.id.as_str().len(), 15);
    assert!(ann.user.id.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    let resumed = hall.resume(&ann.started.token, NOW).unwrap();
    assert_eq!(resumed.user, ann.user);
    assert!(!resumed.renewed);
}

#[test]
fn makes_one_account_of_all_spellings_of_a_name() {
    let (hall, _) = Hall::with_ann();
    for spelling in ["Ann Onym", "ANN ONYM", "ann onym", "Ａｎｎ Onym"] {
        assert!(matches!(hall.sign_up(spelling, None), SignUp::NameTaken), "{spelling}");
        assert!(hall.is_admitted(spelling, "secret"), "{spelling}");
    }
}

#[test]
fn computes_no_hash_for_a_name_that_is_taken() {
    let (hall, _) = Hall::with_ann();
    let before = hall.auth.hasher.computed();
    assert!(matches!(hall.sign_up("ann onym", None), SignUp::NameTaken));
    assert_eq!(hall.auth.hasher.computed(), before);
}

#[test]
fn admits_one_of_many_simultaneous_sign_ups_for_a_name() {
    let hall = Hall::new();
    let admitted = std::thread::scope(|scope| {
        let ask = || matches!(hall.sign_up("Ann Onym", None), SignUp::Admitted(_));
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|it| it.join().unwrap()).filter(|&it| it).count()
    });
    assert_eq!(admitted, 1);
}

#[test]
fn refuses_a_wrong_password_and_an_unknown_name_at_the_same_cost() {
    let (hall, _) = Hall::with_ann();
    let mut last = hall.auth.hasher.computed();
    let mut cost = |who, password| {
        let SignIn::Refused(reason) = hall.sign_in(who, password, None) else { panic!("admitted") };
        let before = std::mem::replace(&mut last, hall.auth.hasher.computed());
        (reason, last - before)
    };
    assert_eq!(cost("Ann Onym", "wrong"), (ProofFailure::WrongPassword, 1));
    assert_eq!(cost("Nobody", "secret"), (ProofFailure::UnknownKey, 1));
    assert_eq!(cost("\0", "secret"), (ProofFailure::UnknownKey, 1));
}

#[test]
fn gives_a_new_token_at_every_sign_in_and_ends_the_session_that_was_presented() {
    let (hall, ann) = Hall::with_ann();
    let presented = ann.started.session.id;
    let SignIn::Admitted(again) = hall.sign_in("Ann Onym", "secret", Some(&presented)) else {
        panic!("refused")
    };
    assert!(again.started.token != ann.started.token);
    assert!(hall.resume(&ann.started.token, NOW).is_none());
    assert!(hall.resume(&again.started.token, NOW).is_some());
}

#[test]
fn leaves_the_presented_session_alone_when_the_sign_in_is_refused() {
    let (hall, ann) = Hall::with_ann();
    let presented = ann.started.session.id;
    assert!(matches!(hall.sign_in("Ann Onym", "wrong", Some(&presented)), SignIn::Refused(_)));
    assert!(matches!(hall.sign_up("Ann Onym", Some(&presented)), SignUp::NameTaken));
    assert!(hall.resume(&ann.started.token, NOW).is_some());
}

#[test]
fn ends_the_session_of_a_browser_from_which_another_user_signs_up() {
    let (hall, ann) = Hall::with_ann();
    let bob = hall.sign_up("Bob Bobson", Some(&ann.started.session.id));
    assert!(matches!(bob, SignUp::Admitted(_)));
    assert!(hall.resume(&ann.started.token, NOW).is_none());
}

#[test]
fn keeps_other_sessions_alive_when_a_user_signs_in_elsewhere() {
    let (hall, ann) = Hall::with_ann();
    assert!(hall.is_admitted("Ann Onym", "secret"));
    assert!(hall.resume(&ann.started.token, NOW).is_some());
    assert_eq!(sessions::of_user(hall.auth.store(), &ann.user.id, NOW).unwrap().len(), 2);
}

#[test]
fn is_active_then_idle_then_dead_each_to_the_last_millisecond() {
    let (_hall, ann) = Hall::with_ann();
    let state = |now| sessions::state(&ann.started.session, now);
    assert_eq!(state(seconds(10)), State::Active);
    assert_eq!(state(just_after(seconds(10))), State::Idle);
    assert_eq!(state(seconds(30)), State::Idle);
    assert_eq!(state(just_after(seconds(30))), State::Dead);
}

#[test]
fn writes_nothing_while_a_session_is_active() {
    let (hall, ann) = Hall::with_ann();
    let resumed = hall.resume(&ann.started.token, seconds(10)).unwrap();
    assert!(!resumed.renewed && resumed.session == ann.started.session);
    let stored = sessions::get(hall.auth.store(), &ann.started.session.id, NOW).unwrap().unwrap().1;
    assert!(stored == ann.started.session);
}

#[test]
fn makes_an_idle_session_active_again_and_says_so() {
    let (hall, ann) = Hall::with_ann();
    let resumed = hall.resume(&ann.started.token, seconds(11)).unwrap();
    assert!(resumed.renewed);
    assert_eq!(resumed.session.active_expires, seconds(21));
    assert_eq!(resumed.session.idle_expires, seconds(41));
    let again = hall.resume(&ann.started.token, seconds(21)).unwrap();
    assert!(!again.renewed && again.session == resumed.session);
}

#[test]
fn does_not_wake_a_dead_session() {
    let (hall, ann) = Hall::with_ann();
    assert!(hall.resume(&ann.started.token, just_after(seconds(30))).is_none());
    assert!(hall.resume(&ann.started.token, seconds(30)).is_some(), "its last good moment");
}

#[test]
fn ends_a_session_at_its_absolute_end_however_often_it_is_used() {
    let (hall, ann) = Hall::with_ann();
    for second in (0..=100).step_by(5) {
        let resumed = hall.resume(&ann.started.token, seconds(second)).unwrap();
        assert!(resumed.session.idle_expires <= seconds(100), "at {second} s");
        assert_eq!(resumed.session.absolute_expires, seconds(100));
    }
    assert!(hall.resume(&ann.started.token, just_after(seconds(100))).is_none());
}

#[test]
fn lets_no_period_reach_beyond_the_absolute_one() {
    let mut hall = Hall::new();
    hall.auth.rules.periods.absolute = Duration::from_secs(5);
    let SignUp::Admitted(ann) = hall.sign_up("Ann Onym", None) else { panic!("not admitted") };
    let session = ann.started.session;
    assert_eq!([session.active_expires, session.idle_expires], [seconds(5); 2]);
    assert_eq!(sessions::state(&session, just_after(seconds(5))), State::Dead);
}

#[test]
fn ends_a_session_for_good() {
    let (hall, ann) = Hall::with_ann();
    assert_eq!(sessions::end(hall.auth.store(), &ann.started.session.id), Ok(true));
    assert!(hall.resume(&ann.started.token, NOW).is_none());
    let renewed =
        sessions::renew(hall.auth.store(), &hall.auth.rules.periods, &ann.started.session, NOW);
    assert!(renewed.unwrap().is_none(), "a renewal does not bring it back");
    assert_eq!(sessions::end(hall.auth.store(), &ann.started.session.id), Ok(false));
}

#[test]
fn adopts_no_token_that_it_did_not_make() {
    let (hall, _) = Hall::with_ann();
    assert!(hall.resume(&Token::random(), NOW).is_none());
}

#[test]
fn lists_and_ends_the_living_sessions_of_one_user() {
    let (hall, ann) = Hall::with_ann();
    let SignUp::Admitted(bob) = hall.sign_up("Bob Bobson", None) else { panic!("not admitted") };
    let start = |now| {
        sessions::start(
            hall.auth.store(),
            &hall.auth.rules.periods,
            &ann.user.id,
            &SessionStart::default(),
            now,
        )
        .unwrap()
    };
    start(seconds(5)).unwrap();
    let list = |now| sessions::of_user(hall.auth.store(), &ann.user.id, now).unwrap().len();
    assert_eq!(list(seconds(30)), 2);
    assert_eq!(list(just_after(seconds(30))), 1, "the dead are not listed");
    let later = just_after(seconds(30));
    assert_eq!(sessions::delete_dead_of_user(hall.auth.store(), &ann.user.id, later), Ok(1));
    assert_eq!(sessions::end_all(hall.auth.store(), &ann.user.id), Ok(1));
    assert_eq!(list(NOW), 0);
    assert!(hall.resume(&bob.started.token, NOW).is_some());
    assert_eq!(sessions::delete_dead(hall.auth.store(), 10, later), Ok(1));
}

#[test]
fn ends_the_oldest_session_of_a_user_who_has_too_many() {
    let (hall, ann) = Hall::with_ann();
    let start = |n| {
        let now = seconds(n);
        sessions::start(
            hall.auth.store(),
            &hall.auth.rules.periods,
            &ann.user.id,
            &SessionStart::default(),
            now,
        )
        .unwrap()
        .unwrap()
    };
    let second = start(1);
    for _ in 2..hall.auth.rules.periods.most {
        start(2);
    }
    assert!(hall.resume(&ann.started.token, NOW).is_some(), "as many as there may be");
    start(3);
    assert!(hall.resume(&ann.started.token, NOW).is_none());
    assert!(hall.resume(&second.token, NOW).is_some());
}

#[test]
fn lets_no_client_in_by_a_password_that_was_changed_while_it_was_checked() {
    let (hall, ann) = Hall::with_ann();
    let found = hall.auth.store().credentials_of_user(&ann.user.id).unwrap().unwrap();
    let entry = SessionStart { proof: Some(found.epoch), ..SessionStart::default() };
    let start = || {
        sessions::start(hall.auth.store(), &hall.auth.rules.periods, &ann.user.id, &entry, NOW)
            .unwrap()
            .is_some()
    };
    assert!(start());
    let new = Password::new("another");
    let set = keys::set_password(hall.auth.store(), &hall.auth.hasher, &ann.user.id, Some(&new));
    assert_eq!(set, Ok(PasswordSet::Done));
    assert!(!start());
    assert!(sessions::of_user(hall.auth.store(), &ann.user.id, NOW).unwrap().is_empty());
}

#[test]
fn starts_no_session_for_a_user_who_is_deleted() {
    let (hall, ann) = Hall::with_ann();
    assert_eq!(
        users::delete(hall.auth.store(), &ann.user.id, Rest::default(), None, NOW),
        Ok(true)
    );
    let started = sessions::start(
        hall.auth.store(),
        &hall.auth.rules.periods,
        &ann.user.id,
        &SessionStart::default(),
        NOW,
    )
    .unwrap();
    assert!(started.is_none());
}

#[test]
fn forgets_a_deleted_user_with_their_sessions_and_lets_the_name_rest() {
    let (hall, ann) = Hall::with_ann();
    assert_eq!(
        users::delete(hall.auth.store(), &ann.user.id, Rest::default(), None, NOW),
        Ok(true)
    );
    assert_eq!(users::get(hall.auth.store(), &ann.user.id), Ok(None));
    assert!(hall.resume(&ann.started.token, NOW).is_none());
    assert!(!hall.is_admitted("Ann Onym", "secret"));
    let computed = hall.auth.hasher.computed();
    assert!(matches!(hall.sign_up("ANN ONYM", None), SignUp::NameTaken));
    assert_eq!(
        hall.auth.hasher.computed(),
        computed,
        "it costs no hash, as any name that is taken"
    );
    assert_eq!(names::free(hall.auth.store(), &name("ann onym")), Ok(true));
    assert!(matches!(hall.sign_up("Ann Onym", None), SignUp::Admitted(_)));
    assert_eq!(
        users::delete(hall.auth.store(), &ann.user.id, Rest::default(), None, NOW),
        Ok(false)
    );
}

#[test]
fn renames_a_user_who_then_signs_in_with_the_new_name_only() {
    let (hall, ann) = Hall::with_ann();
    let id = &ann.user.id;
    assert_eq!(
        users::rename(hall.auth.store(), id, &name("Anna"), Rest::default(), NOW),
        Ok(UserRenamed::Done)
    );
    assert!(hall.is_admitted("anna", "secret"));
    assert!(!hall.is_admitted("Ann Onym", "secret"));
    let found: Option<User> = users::by_name(hall.auth.store(), &name("ANNA")).unwrap();
    assert_eq!(found.unwrap().username, "Anna");
    assert!(hall.resume(&ann.started.token, NOW).is_some(), "who they are has not changed");
}

#[test]
fn creates_a_user_with_a_key_or_without_and_none_twice() {
    let hall = Hall::new();
    let (store, hasher) = (hall.auth.store(), &hall.auth.hasher);
    let bare = users::create(store, hasher, &name("Bare"), None, NOW).unwrap().unwrap();
    assert!(keys::of_user(store, &bare.id).unwrap().is_empty());
    let github = KeyId::new("github", "1234567").unwrap();
    let key = NewKey { id: &github, password: None };
    let linked = users::create(store, hasher, &name("Linked"), Some(&key), NOW).unwrap().unwrap();
    assert_eq!(keys::of_user(store, &linked.id).unwrap().len(), 1);
    assert_eq!(users::create(store, hasher, &name("bare"), None, NOW), Ok(None));
    assert_eq!(users::create(store, hasher, &name("Other"), Some(&key), NOW), Ok(None));
    assert_eq!(users::by_name(store, &name("Other")), Ok(None), "not even half of it");
}

#[test]
fn takes_several_keys_each_with_its_own_password_or_with_none() {
    let (hall, ann) = Hall::with_ann();
    let (store, hasher) = (hall.auth.store(), &hall.auth.hasher);
    let email = KeyId::new("email", "ann@example.com").unwrap();
    let github = KeyId::new("github", "1").unwrap();
    let other = Password::new("other");
    let create =
        |id, password| keys::create(store, hasher, &ann.user.id, &NewKey { id, password }, NOW);
    assert_eq!(create(&email, Some(&other)), Ok(KeyAdded::Done));
    assert_eq!(create(&github, None), Ok(KeyAdded::Done));
    assert_eq!(create(&github, None), Ok(KeyAdded::Taken));

    let by_password = |id, text| keys::user_by_password(store, hasher, id, &Password::new(text));
    let proof = by_password(&email, "other").unwrap();
    assert!(matches!(proof, Proof::Of(proven) if proven.user == ann.user));
    assert!(by_password(&email, "secret") == Ok(Proof::Refused(ProofFailure::WrongPassword)));
    assert!(by_password(&github, "") == Ok(Proof::Refused(ProofFailure::WrongPassword)));
    assert_eq!(keys::user_by_provider(store, &github), Ok(Some(ann.user.clone())));
    assert_eq!(keys::user_by_provider(store, &email), Ok(None), "the password is not skipped");

    assert!(keys::get(store, &email).unwrap().is_some());
    assert_eq!(keys::delete(store, &ann.user.id, &email, Rest::default(), NOW), Ok(true));
    assert!(keys::get(store, &email).unwrap().is_none());
    assert_eq!(keys::delete(store, &ann.user.id, &email, Rest::default(), NOW), Ok(false));
    assert!(by_password(&email, "other") == Ok(Proof::Refused(ProofFailure::UnknownKey)));
}

#[test]
fn ends_every_session_when_the_password_changes_and_admits_the_new_one_only() {
    let (hall, ann) = Hall::with_ann();
    let (store, hasher) = (hall.auth.store(), &hall.auth.hasher);
    let id = &ann.user.id;
    let new = Password::new("changed");
    assert_eq!(keys::set_password(store, hasher, id, Some(&new)), Ok(PasswordSet::Done));
    assert!(hall.resume(&ann.started.token, NOW).is_none());
    assert!(hall.is_admitted("Ann Onym", "changed"));
    assert!(!hall.is_admitted("Ann Onym", "secret"));
    assert_eq!(keys::set_password(store, hasher, id, None), Ok(PasswordSet::Done));
    assert!(!hall.is_admitted("Ann Onym", "changed"));
    let nobody = UserId::new("nobody".to_owned());
    assert_eq!(keys::set_password(store, hasher, &nobody, None), Ok(PasswordSet::NoUser));
}

#[test]
fn takes_any_password_of_a_user_who_gives_it_again_at_a_bounded_cost() {
    let (hall, ann) = Hall::with_ann();
    let (store, hasher, id) = (hall.auth.store(), &hall.auth.hasher, &ann.user.id);
    let cost = |text: &str| {
        let before = hasher.computed();
        let proof = keys::user_again_by_password(store, hasher, id, &Password::new(text)).unwrap();
        (matches!(proof, Proof::Of(_)), hasher.computed() - before)
    };
    assert_eq!([cost("secret"), cost("wrong")], [(true, 1), (false, 1)]);
    for number in 1..9 {
        let key = KeyId::new("email", &number.to_string()).unwrap();
        let password = Password::new(&format!("secret {number}"));
        let key = NewKey { id: &key, password: Some(&password) };
        assert_eq!(keys::create(store, hasher, id, &key, NOW), Ok(KeyAdded::Done));
    }
    assert_eq!([cost("secret"), cost("secret 3")], [(true, 1), (true, 4)]);
    assert_eq!([cost("wrong"), cost("secret 8")], [(false, 4), (false, 4)], "four at most");
    store.set_password(id, None).unwrap();
    assert_eq!(cost("secret"), (false, 1), "who has no password costs as much");
    let nobody = UserId::new("nobody".to_owned());
    let proof = keys::user_again_by_password(store, hasher, &nobody, &Password::new("secret"));
    assert!(proof == Ok(Proof::Refused(ProofFailure::UnknownKey)));
}

#[test]
fn lets_all_clients_in_whose_password_has_a_stale_hash_at_the_same_moment() {
    let (mut hall, _) = Hall::with_ann();
    hall.auth.hasher = Hasher::new(4, Cost { passes: 2, ..CHEAP });
    let admitted = std::thread::scope(|scope| {
        let ask = || hall.is_admitted("Ann Onym", "secret");
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|it| it.join().unwrap()).filter(|&it| it).count()
    });
    assert_eq!(admitted, 8, "the second to hash it anew is right as well");
}

#[test]
fn believes_no_proof_in_a_session_that_has_ended_meanwhile() {
    let (hall, ann) = Hall::with_ann();
    let who = (&ann.user, &ann.started.session);
    let ask = || sign_in::reauthenticate(&hall.auth, who, &Password::new("secret"), NOW).unwrap();
    assert!(matches!(ask(), Reauthentication::Right));
    sessions::end(hall.auth.store(), &ann.started.session.id).unwrap();
    assert!(matches!(ask(), Reauthentication::Refused(_)));
}

fn stored_hash(hall: &Hall) -> PasswordHash {
    let key = keys::get(hall.auth.store(), &KeyId::username("ann onym")).unwrap().unwrap();
    key.hashed_password.unwrap()
}

#[test]
fn hashes_a_stale_password_anew_at_the_next_sign_in() {
    let (mut hall, ann) = Hall::with_ann();
    hall.auth.hasher = Hasher::new(1, Cost { passes: 2, ..CHEAP });
    let before = stored_hash(&hall);
    assert!(!hall.is_admitted("Ann Onym", "wrong"));
    assert!(stored_hash(&hall) == before, "a wrong password changes nothing");
    assert!(hall.is_admitted("Ann Onym", "secret"));
    let after = stored_hash(&hall);
    assert!(after.as_stored().contains("t=2") && !before.as_stored().contains("t=2"));
    assert!(hall.is_admitted("Ann Onym", "secret"));
    assert!(stored_hash(&hall) == after, "once is enough");
    assert!(hall.resume(&ann.started.token, NOW).is_some(), "no session ends by it");
}

#[test]
fn hashes_a_password_anew_that_another_system_has_hashed() {
    let (hall, ann) = Hall::with_ann();
    // `correct horse`, as Lucia (both ways) and Django hash it.
    for foreign in [
        "s2:abcdefghij123456:2f0fddd228e4af4f90da87d27427fadeea9c6baf4f74864f6d3390875b3f7d38808bf7\
         770a589d978fd0dae9a50998e3877a5056e539ae051f5df217603df7d4",
        "abcdefghij123456:bff529a7e37dec2e542af20d67be4b150206b9a07d57566ab5e786ca41bd4b921ee0a4c85\
         11d3109c93400d2c0758408376976efbf4a7aa9cc03de9547cd9f56",
        "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=",
    ] {
        let hash = PasswordHash::from_stored(foreign.to_owned());
        hall.auth.store().set_password(&ann.user.id, Some(&hash)).unwrap();
        assert!(!hall.is_admitted("Ann Onym", "wrong"));
        assert!(stored_hash(&hall) == hash, "a wrong password changes nothing");
        assert!(hall.is_admitted("Ann Onym", "correct horse"), "{foreign}");
        assert!(stored_hash(&hall).as_stored().starts_with("$argon2id$"), "{foreign}");
        assert!(hall.is_admitted("Ann Onym", "correct horse"));
        assert!(!hall.is_admitted("Ann Onym", "wrong"));
    }
}

#[test]
fn refuses_a_hash_that_it_cannot_read() {
    let (hall, ann) = Hall::with_ann();
    let broken = PasswordHash::from_stored("plain text".to_owned());
    hall.auth.store().set_password(&ann.user.id, Some(&broken)).unwrap();
    let SignIn::Refused(reason) = hall.sign_in("Ann Onym", "plain text", None) else {
        panic!("admitted")
    };
    assert!(matches!(reason, ProofFailure::UnreadableHash(_)));
    assert_eq!(hall.auth.store().user(&ann.user.id), Ok(Some(ann.user)));
}

#[test]
fn serves_an_idle_session_that_cannot_be_renewed_because_the_database_is_busy() {
    let (hall, ann) = Hall::with_ann();
    let mut other = engine::raw(hall.folder.path());
    other.run("BEGIN");
    other.run("UPDATE user_session SET seen_at = seen_at");
    let resumed = hall.resume(&ann.started.token, seconds(11)).unwrap();
    assert!(!resumed.renewed);
    other.run("ROLLBACK");
    assert!(hall.resume(&ann.started.token, seconds(11)).unwrap().renewed);
}

#[test]
fn lets_no_disabled_user_in_and_verifies_their_password_all_the_same() {
    let (hall, ann) = Hall::with_ann();
    users::disable(hall.auth.store(), &ann.user.id, "left", NOW).unwrap();
    let before = hall.auth.hasher.computed();
    for (typed, reason) in [
        ("secret", ProofFailure::Disabled(ann.user.id.clone())),
        ("wrong", ProofFailure::WrongPassword),
    ] {
        let refused = hall.sign_in("Ann Onym", typed, None);
        assert!(matches!(refused, SignIn::Refused(why) if why == reason), "{typed}");
    }
    assert_eq!(hall.auth.hasher.computed() - before, 2);
    assert!(hall.resume(&ann.started.token, NOW).is_none());
    users::enable(hall.auth.store(), &ann.user.id).unwrap();
    assert!(hall.is_admitted("Ann Onym", "secret"));
    assert!(hall.resume(&ann.started.token, NOW).is_none(), "ended sessions stay ended");
}
