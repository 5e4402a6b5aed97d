//! The store's contract: what each method promises. Another engine has to pass the same tests.
//! Writes are checked through a second way into the tables, and so are reads.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::engine;
use rusqlite::Connection;
use tempfile::TempDir;
use vestibule::clock::Moment;
use vestibule::password::PasswordHash;
use vestibule::store::{
    AccessToken, Arrival, Count, CountId, Device, Entry, Error, Groups, Key, KeyId, Place, Session,
    SignedUp, Sqlite, Standing, Store, User, UserId, Written,
};
use vestibule::token::Token;

/// More sessions than any test has.
const MANY: u32 = 1_000;

/// A store over its own empty file, and a second way into that file.
struct Desk {
    folder: TempDir,
    store: Box<dyn Store>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = engine::open(folder.path());
        Self { folder, store }
    }

    /// A desk whose store knows `ann`, with a key and a session that ends at 3.
    fn with_ann() -> (Self, Session) {
        let desk = Self::new();
        let session = session("ann", [1, 2, 3]);
        desk.store.sign_up(&user("ann"), &key("ann"), &session, None, &Entry::default()).unwrap();
        (desk, session)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    fn raw(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        self.raw()
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    }
}

fn user(name: &str) -> User {
    User {
        id: UserId::new(format!("id-{name}")),
        username: name.to_uppercase(),
        canonical_username: name.to_owned(),
        created_at: Moment::from_millis(7),
        groups: Groups::default(),
        email: String::new(),
        disabled_at: None,
        disabled_reason: String::new(),
    }
}

fn replacing(session: &Session) -> Entry {
    Entry { replaced: Some(session.id), ..Entry::default() }
}

fn key(name: &str) -> Key {
    Key { id: KeyId::username(name), user_id: user(name).id, hashed_password: Some(hash("$one")) }
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::from_stored(text.to_owned())
}

/// A session of `name` that is active, idle and alive at all until the three moments.
fn session(name: &str, until: [i64; 3]) -> Session {
    Session {
        id: Token::random().hash(),
        user_id: user(name).id,
        active_expires: Moment::from_millis(until[0]),
        idle_expires: Moment::from_millis(until[1]),
        absolute_expires: Moment::from_millis(until[2]),
        created_at: Moment::from_millis(0),
        proven_at: Moment::from_millis(0),
        seen_at: Moment::from_millis(0),
        place: Place::default(),
    }
}

fn is_alive(desk: &Desk, session: &Session) -> bool {
    desk.store.user_of_session(&session.id).unwrap().is_some()
}

#[test]
fn gives_back_a_user_as_they_were_added() {
    let desk = Desk::new();
    assert_eq!(desk.store.add_user(&user("ann"), &[key("ann")]), Ok(Written::Done));
    assert_eq!(desk.store.user(&user("ann").id), Ok(Some(user("ann"))));
    assert_eq!(desk.store.user_by_name("ann"), Ok(Some(user("ann"))));
    assert_eq!(
        desk.store.user_by_name("ANN"),
        Ok(None),
        "the name shown is not the name looked up"
    );
    assert_eq!(desk.store.user(&user("bob").id), Ok(None));
}

#[test]
fn keeps_lucias_names_and_units_in_the_tables() {
    let (desk, session) = Desk::with_ann();
    let raw = desk.raw();
    let row: (String, String, String) = raw
        .query_row(
            "SELECT user.id, username, hashed_password FROM user JOIN user_key ON user_id = user.id
              WHERE user_key.id = 'username:ann'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    assert_eq!(row, ("id-ann".into(), "ANN".into(), "$one".into()));
    let row: (Vec<u8>, i64, i64) = raw
        .query_row("SELECT id, active_expires, idle_expires FROM user_session", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(row, (session.id.as_bytes().to_vec(), 1, 2));
}

#[test]
fn admits_everybody_or_nobody_and_leaves_those_alone_who_are_here() {
    let (desk, there) = Desk::with_ann();
    let arrival = |name: &str, attributes: &str| Arrival {
        user: user(name),
        is_known_by_name: false,
        attributes: attributes.to_owned(),
        keys: vec![key(name)],
        sessions: vec![session(name, [4, 5, 6])],
    };
    let ann = Arrival { sessions: vec![there], ..arrival("ann", "{}") };
    let stranger = Arrival { user: User { id: user("ann").id, ..user("eve") }, ..ann.clone() };
    let is_admitted = |all: &[Arrival], skip| {
        let expected = desk.store.standings(all).unwrap();
        assert!(desk.store.admit(all, skip, &mut |_, _| {}).unwrap() == expected);
        expected
    };
    let here = Standing::Here { keys: 1, sessions: 1 };
    let all = [ann.clone(), arrival("bob", "{\"age\":7}"), stranger];
    assert_eq!(is_admitted(&all, false), [here.clone(), Standing::New, Standing::IdTaken]);
    assert_eq!(["user", "user_key", "user_session"].map(|it| desk.count(it)), [1, 1, 1]);
    assert_eq!(is_admitted(&all, true), [here.clone(), Standing::New, Standing::IdTaken]);
    assert_eq!(["user", "user_key", "user_session"].map(|it| desk.count(it)), [2, 2, 2]);
    assert_eq!(is_admitted(&all[..2], false), [here.clone(), here]);
    let attributes = |name: &str| desk.store.attributes(&user(name).id).unwrap();
    assert_eq!(attributes("bob").as_deref(), Some("{\"age\":7}"));
    assert_eq!((attributes("ann").as_deref(), attributes("eve")), (Some(""), None));
    assert_eq!(desk.store.user(&user("bob").id), Ok(Some(user("bob"))));
}

#[test]
fn reads_what_others_wrote() {
    let desk = Desk::new();
    desk.raw()
        .execute_batch(
            "INSERT INTO user (id, username, canonical_username, created_at, group_names, email)
               VALUES ('u1', 'Bob', 'bob', 5, 'a,b', 'bob@example.com');
             INSERT INTO user_key (id, user_id, hashed_password) VALUES ('github:1:2', 'u1', NULL);
             INSERT INTO user_session (id, user_id, active_expires, idle_expires, absolute_expires,
               created_at, proven_at, seen_at, is_transient, browser, address) VALUES
               (zeroblob(32), 'u1', 10, 20, 30, 4, 4, 4, 0, 'curl', '192.0.2.1');",
        )
        .unwrap();
    let bob = desk.store.user_by_name("bob").unwrap().unwrap();
    assert_eq!((bob.id.as_str(), &*bob.username, bob.created_at.millis()), ("u1", "Bob", 5));
    assert_eq!((bob.groups.as_str(), &*bob.email), ("a,b", "bob@example.com"));
    let key = desk.store.keys_of(&bob.id).unwrap().remove(0);
    assert_eq!((key.id.provider(), key.id.provider_user_id()), ("github", "1:2"));
    assert!(key.hashed_password.is_none());
    let session = desk.store.sessions_of(&bob.id).unwrap().remove(0);
    let times = [session.active_expires, session.idle_expires, session.absolute_expires];
    assert_eq!(times.map(Moment::millis), [10, 20, 30]);
    assert_eq!(session.created_at.millis(), 4);
}

#[test]
fn lets_nobody_in_by_what_was_written_under_an_older_epoch() {
    let (desk, session) = Desk::with_ann();
    let token = access_token("ann", 1_000);
    assert_eq!(desk.store.add_access_token(&token, &session.id, MANY), Ok(Written::Done));
    assert!(
        is_alive(&desk, &session) && desk.store.user_of_access_token(&token.id).unwrap().is_some()
    );
    // As a sign-in on another server leaves them that saw the old password in the same moment.
    desk.raw().execute_batch("UPDATE user SET epoch = epoch + 1").unwrap();
    assert!(!is_alive(&desk, &session));
    assert!(desk.store.user_of_access_token(&token.id).unwrap().is_none());
    assert!(desk.store.sessions_of(&session.user_id).unwrap().is_empty());
    assert!(desk.store.access_tokens_of(&session.user_id).unwrap().is_empty());
    let late = access_token("ann", 2_000);
    assert_eq!(desk.store.add_access_token(&late, &session.id, MANY), Ok(Written::NoUser));
}

#[test]
fn takes_a_canonical_name_once() {
    let desk = Desk::new();
    desk.store.add_user(&user("ann"), &[]).unwrap();
    let other = User { id: UserId::new("other".into()), ..user("ann") };
    assert_eq!(desk.store.add_user(&other, &[]), Ok(Written::Taken));
    assert_eq!(desk.count("user"), 1);
}

#[test]
fn writes_neither_user_nor_session_when_the_key_is_taken() {
    let (desk, _) = Desk::with_ann();
    let stolen = Key { user_id: user("bob").id, ..key("ann") };
    let done = desk.store.sign_up(
        &user("bob"),
        &stolen,
        &session("bob", [1, 2, 3]),
        None,
        &Entry::default(),
    );
    assert_eq!(done, Ok(SignedUp::NameTaken));
    assert_eq!([desk.count("user"), desk.count("user_key"), desk.count("user_session")], [1, 1, 1]);
}

#[test]
fn lets_one_of_fifty_simultaneous_sign_ups_for_a_name_win() {
    let desk = Desk::new();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let ask = |n: usize| {
            let mine = User { id: UserId::new(format!("id-{n}")), ..user("ann") };
            let key = Key { user_id: mine.id.clone(), ..key("ann") };
            let session = Session { user_id: mine.id.clone(), ..session("ann", [1, 2, 3]) };
            desk.store.sign_up(&mine, &key, &session, None, &Entry::default()).unwrap()
        };
        let threads: Vec<_> = (0..50).map(|n| scope.spawn(move || ask(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|&&it| it == SignedUp::Done).count(), 1);
    assert_eq!(outcomes.iter().filter(|&&it| it == SignedUp::NameTaken).count(), 49);
    assert_eq!([desk.count("user"), desk.count("user_key"), desk.count("user_session")], [1, 1, 1]);
}

#[test]
fn ends_the_replaced_session_when_somebody_signs_up() {
    let (desk, before) = Desk::with_ann();
    let after = session("bob", [1, 2, 3]);
    desk.store.sign_up(&user("bob"), &key("bob"), &after, None, &replacing(&before)).unwrap();
    assert!(!is_alive(&desk, &before));
    assert!(is_alive(&desk, &after));
}

#[test]
fn renames_a_user_and_their_username_key_together() {
    let (desk, _) = Desk::with_ann();
    let github = Key { id: KeyId::new("github", "1").unwrap(), ..key("ann") };
    desk.store.add_key(&github).unwrap();
    let id = user("ann").id;
    assert_eq!(desk.store.rename_user(&id, "Anna", "anna"), Ok(Written::Done));
    assert_eq!(desk.store.user(&id).unwrap().unwrap().username, "Anna");
    let keys = desk.store.keys_of(&id).unwrap();
    let ids: Vec<_> = keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["github:1", "username:anna"]);
}

#[test]
fn renames_nobody_to_a_name_that_is_taken_and_no_one_who_is_not_there() {
    let (desk, _) = Desk::with_ann();
    desk.store.add_user(&user("bob"), &[key("bob")]).unwrap();
    assert_eq!(desk.store.rename_user(&user("bob").id, "Ann", "ann"), Ok(Written::Taken));
    assert_eq!(desk.store.user(&user("bob").id), Ok(Some(user("bob"))));
    assert_eq!(desk.store.rename_user(&user("eve").id, "Eve", "eve"), Ok(Written::NoUser));
}

#[test]
fn deletes_a_user_with_everything_that_is_theirs() {
    let (desk, session) = Desk::with_ann();
    desk.store.add_user(&user("bob"), &[key("bob")]).unwrap();
    assert_eq!(desk.store.delete_user(&user("ann").id), Ok(true));
    assert!(!is_alive(&desk, &session));
    assert_eq!([desk.count("user"), desk.count("user_key"), desk.count("user_session")], [1, 1, 0]);
    assert_eq!(desk.store.delete_user(&user("ann").id), Ok(false));
}

#[test]
fn keeps_what_the_operator_says_of_a_user() {
    let (desk, _) = Desk::with_ann();
    let ann = user("ann").id;
    let groups = Groups::new("admin,ops".to_owned());
    assert_eq!(desk.store.set_groups(&ann, &groups), Ok(true));
    assert_eq!(desk.store.set_email(&ann, "ann@example.com"), Ok(true));
    let found = desk.store.user(&ann).unwrap().unwrap();
    assert_eq!(found.groups.iter().collect::<Vec<_>>(), ["admin", "ops"]);
    assert_eq!(found.email, "ann@example.com");
    assert_eq!(desk.store.set_groups(&user("bob").id, &groups), Ok(false));
    assert_eq!(desk.store.set_email(&user("bob").id, "x@y"), Ok(false));
}

#[test]
fn shuts_a_user_out_with_all_their_sessions_until_they_are_let_in_again() {
    let (desk, live) = Desk::with_ann();
    let ann = user("ann").id;
    assert_eq!(desk.store.disable_user(&ann, "left", Moment::from_millis(9)), Ok(true));
    assert!(!is_alive(&desk, &live));
    let found = desk.store.user(&ann).unwrap().unwrap();
    let since = found.disabled_at.map(Moment::millis);
    assert_eq!((since, &*found.disabled_reason), (Some(9), "left"));
    let started = desk.store.start_session(&session("ann", [1, 2, 3]), MANY, &Entry::default());
    assert_eq!(started, Ok(Written::NoUser), "whoever was being let in meanwhile");
    assert_eq!(desk.store.enable_user(&ann), Ok(true));
    let started = desk.store.start_session(&session("ann", [1, 2, 3]), MANY, &Entry::default());
    assert_eq!(started, Ok(Written::Done));
    assert_eq!(desk.store.user(&ann).unwrap().unwrap().disabled_at, None);
    assert_eq!(desk.store.disable_user(&user("bob").id, "", Moment::from_millis(9)), Ok(false));
    assert_eq!(desk.store.enable_user(&user("bob").id), Ok(false));
}

fn access_token(name: &str, expires_at: i64) -> AccessToken {
    AccessToken {
        id: Token::random().hash(),
        user_id: user(name).id,
        name: "backup".to_owned(),
        created_at: Moment::from_millis(1),
        expires_at: Moment::from_millis(expires_at),
        used_at: None,
    }
}

#[test]
fn keeps_access_tokens_with_their_user() {
    let (desk, live) = Desk::with_ann();
    let token = access_token("ann", 50);
    assert_eq!(desk.store.add_access_token(&token, &live.id, 2), Ok(Written::Done));
    let (found, same) = desk.store.user_of_access_token(&token.id).unwrap().unwrap();
    assert!(found.id == user("ann").id && same == token);
    assert_eq!(desk.store.see_access_token(&token.id, Moment::from_millis(7)), Ok(true));
    assert_eq!(desk.store.see_access_token(&token.id, Moment::from_millis(6)), Ok(true));
    let used = desk.store.access_tokens_of(&user("ann").id).unwrap().remove(0).used_at;
    assert_eq!(used, Some(Moment::from_millis(7)), "never earlier than it was");
    assert_eq!(desk.store.delete_access_token(&user("bob").id, &token.id), Ok(false));
    assert_eq!(desk.store.delete_access_token(&user("ann").id, &token.id), Ok(true));
    assert_eq!(desk.store.see_access_token(&token.id, Moment::from_millis(8)), Ok(false));
    assert!(desk.store.user_of_access_token(&token.id).unwrap().is_none());
}

#[test]
fn makes_no_access_token_beyond_the_limit_or_in_a_session_that_has_ended() {
    let (desk, live) = Desk::with_ann();
    for expected in [Written::Done, Written::Done, Written::Taken] {
        let added = desk.store.add_access_token(&access_token("ann", 50), &live.id, 2);
        assert_eq!(added, Ok(expected));
    }
    desk.store.end_session(&live.id).unwrap();
    let added = desk.store.add_access_token(&access_token("ann", 50), &live.id, 9);
    assert_eq!(added, Ok(Written::NoUser));
}

#[test]
fn ends_access_tokens_with_the_password_and_with_the_user() {
    for end in ["password", "change", "user"] {
        let (desk, live) = Desk::with_ann();
        desk.store.add_access_token(&access_token("ann", 50), &live.id, 2).unwrap();
        let id = key("ann").id;
        match end {
            "password" => drop(desk.store.set_password(&id, Some(&hash("$two")))),
            "change" => {
                let (next, entry) = (session("ann", [1, 2, 3]), Entry::default());
                let changed =
                    desk.store.change_password(&id, &hash("$one"), &hash("$two"), &next, &entry);
                assert_eq!(changed, Ok(Written::Done));
            }
            _ => drop(desk.store.delete_user(&user("ann").id)),
        }
        assert_eq!(desk.count("access_token"), 0, "{end}");
    }
}

#[test]
fn deletes_access_tokens_that_ended_long_ago() {
    let (desk, live) = Desk::with_ann();
    for end in [10, 20, 30] {
        desk.store.add_access_token(&access_token("ann", end), &live.id, 9).unwrap();
    }
    assert_eq!(desk.store.delete_ended_access_tokens(Moment::from_millis(20), 9), Ok(1));
    assert_eq!(desk.store.delete_ended_access_tokens(Moment::from_millis(99), 1), Ok(1));
    assert_eq!(desk.count("access_token"), 1);
}

#[test]
fn gives_several_keys_to_a_user_and_each_key_to_one_user() {
    let (desk, _) = Desk::with_ann();
    desk.store.add_user(&user("bob"), &[key("bob")]).unwrap();
    let github = KeyId::new("github", "1").unwrap();
    let of = |name| Key { id: github.clone(), user_id: user(name).id, hashed_password: None };
    assert_eq!(desk.store.add_key(&of("ann")), Ok(Written::Done));
    assert_eq!(desk.store.add_key(&of("bob")), Ok(Written::Taken));
    assert_eq!(desk.store.add_key(&of("bob")), Ok(Written::Taken));
    assert_eq!(desk.store.key(&github).unwrap().unwrap().user_id, user("ann").id);
    let (found, key) = desk.store.user_of_key(&github).unwrap().unwrap();
    assert!(found == user("ann") && key.hashed_password.is_none());
    assert_eq!(desk.store.delete_key(&github), Ok(true));
    assert_eq!(desk.store.delete_key(&github), Ok(false));
    assert!(desk.store.user_of_key(&github).unwrap().is_none());
}

#[test]
fn gives_no_key_and_no_session_to_somebody_who_is_not_there() {
    let desk = Desk::new();
    assert_eq!(desk.store.add_key(&key("eve")), Ok(Written::NoUser));
    assert_eq!(
        desk.store.start_session(&session("eve", [1, 2, 3]), MANY, &Entry::default()),
        Ok(Written::NoUser)
    );
    assert_eq!([desk.count("user_key"), desk.count("user_session")], [0, 0]);
}

#[test]
fn ends_every_session_of_the_user_whose_password_changes() {
    let (desk, anns) = Desk::with_ann();
    let bobs = session("bob", [1, 2, 3]);
    desk.store.sign_up(&user("bob"), &key("bob"), &bobs, None, &Entry::default()).unwrap();
    assert_eq!(desk.store.set_password(&key("ann").id, Some(&hash("$two"))), Ok(true));
    assert!(!is_alive(&desk, &anns));
    assert!(is_alive(&desk, &bobs));
    let stored = desk.store.key(&key("ann").id).unwrap().unwrap().hashed_password;
    assert!(stored == Some(hash("$two")));
    assert_eq!(desk.store.set_password(&key("ann").id, None), Ok(true));
    assert!(desk.store.key(&key("ann").id).unwrap().unwrap().hashed_password.is_none());
    assert_eq!(desk.store.set_password(&key("eve").id, None), Ok(false));
}

#[test]
fn puts_a_new_hash_only_in_the_place_of_the_one_it_was_made_for() {
    let (desk, session) = Desk::with_ann();
    let id = key("ann").id;
    assert_eq!(desk.store.replace_hash(&id, &hash("$one"), &hash("$anew")), Ok(true));
    assert_eq!(desk.store.replace_hash(&id, &hash("$one"), &hash("$late")), Ok(false));
    assert!(desk.store.key(&id).unwrap().unwrap().hashed_password == Some(hash("$anew")));
    assert!(is_alive(&desk, &session), "the password is the same, so nobody is put out");
}

#[test]
fn starts_a_session_and_ends_the_one_it_replaces() {
    let (desk, before) = Desk::with_ann();
    let after = session("ann", [10, 20, 30]);
    assert_eq!(desk.store.start_session(&after, MANY, &replacing(&before)), Ok(Written::Done));
    assert!(!is_alive(&desk, &before));
    let (found, stored) = desk.store.user_of_session(&after.id).unwrap().unwrap();
    assert!(found == user("ann") && stored == after);
}

#[test]
fn sweeps_a_users_dead_sessions_when_they_sign_in() {
    let (desk, old) = Desk::with_ann();
    let bobs = session("bob", [1, 2, 3]);
    desk.store.sign_up(&user("bob"), &key("bob"), &bobs, None, &Entry::default()).unwrap();
    let start = |at| {
        let new = Session { created_at: Moment::from_millis(at), ..session("ann", [90, 90, 90]) };
        desk.store.start_session(&new, MANY, &Entry::default()).unwrap();
    };
    start(2);
    assert!(is_alive(&desk, &old), "at its last good moment");
    start(3);
    assert!(!is_alive(&desk, &old));
    assert!(is_alive(&desk, &bobs), "somebody else's");
}

#[test]
fn renews_a_session_later_and_never_earlier() {
    let (desk, session) = Desk::with_ann();
    let renew = |active, idle| {
        let [active, idle] = [active, idle].map(Moment::from_millis);
        desk.store.renew_session(&session.id, active, idle, active).unwrap()
    };
    let times = || {
        let (_, now) = desk.store.user_of_session(&session.id).unwrap().unwrap();
        [now.active_expires, now.idle_expires, now.seen_at].map(Moment::millis)
    };
    assert!(renew(2, 3));
    assert_eq!(times(), [2, 3, 2]);
    assert!(renew(1, 1), "a slower request that read the clock earlier");
    assert_eq!(times(), [2, 3, 2]);
    assert!(desk.store.end_session(&session.id).unwrap());
    assert!(!renew(2, 3), "a session that was ended does not come back");
    assert!(!is_alive(&desk, &session));
}

#[test]
fn ends_one_session_or_all_of_one_user() {
    let (desk, first) = Desk::with_ann();
    let second = session("ann", [1, 2, 3]);
    desk.store.start_session(&second, MANY, &Entry::default()).unwrap();
    let bobs = session("bob", [1, 2, 3]);
    desk.store.sign_up(&user("bob"), &key("bob"), &bobs, None, &Entry::default()).unwrap();
    assert_eq!(desk.store.sessions_of(&user("ann").id).unwrap().len(), 2);
    assert_eq!(desk.store.end_session(&first.id), Ok(true));
    assert_eq!(desk.store.end_session(&first.id), Ok(false));
    assert!(is_alive(&desk, &second));
    assert_eq!(desk.store.end_sessions_of(&user("ann").id), Ok(1));
    assert!(!is_alive(&desk, &second) && is_alive(&desk, &bobs));
}

#[test]
fn ends_the_oldest_sessions_of_a_user_beyond_the_limit() {
    let (desk, _) = Desk::with_ann();
    let at = |n| Session { created_at: Moment::from_millis(n), ..session("ann", [9, 9, 9]) };
    let (old, middle, new) = (at(2), at(3), at(4));
    for it in [&old, &middle, &new] {
        desk.store.start_session(it, 2, &Entry::default()).unwrap();
    }
    assert_eq!(desk.store.sessions_of(&user("ann").id).unwrap().len(), 2);
    assert!(!is_alive(&desk, &old) && is_alive(&desk, &middle) && is_alive(&desk, &new));
    let slow = at(0);
    desk.store.start_session(&slow, 2, &Entry::default()).unwrap();
    assert!(is_alive(&desk, &slow), "the new one stays, even if its clock is behind");
}

#[test]
fn deletes_dead_sessions_in_batches_and_no_living_one() {
    let (desk, _) = Desk::with_ann();
    for idle in [5, 5, 5, 6] {
        desk.store
            .start_session(&session("ann", [idle, idle, idle]), MANY, &Entry::default())
            .unwrap();
    }
    let now = Moment::from_millis(6);
    assert_eq!(desk.store.delete_dead_sessions(now, 3), Ok(3));
    assert_eq!(desk.store.delete_dead_sessions(now, 3), Ok(1));
    assert_eq!(desk.store.delete_dead_sessions(now, 3), Ok(0));
    assert_eq!(desk.count("user_session"), 1, "the one whose last good moment is now");
    let later = Moment::from_millis(7);
    assert_eq!(desk.store.delete_dead_sessions_of(&user("bob").id, later), Ok(0));
    assert_eq!(desk.store.delete_dead_sessions_of(&user("ann").id, later), Ok(1));
}

#[test]
fn knows_a_browser_by_account_until_it_was_not_used_for_long() {
    let (desk, _) = Desk::with_ann();
    let secret = Token::random().hash();
    let used =
        |at| Device { id: secret, user_id: user("ann").id, last_used_at: Moment::from_millis(at) };
    let sign_in = |at| {
        let entry = Entry { device: Some(used(at)), ..Entry::default() };
        desk.store.start_session(&session("ann", [1, 2, 3]), MANY, &entry).unwrap();
    };
    let knows = |name: &str, earliest| {
        let key = KeyId::username(name);
        desk.store.has_device(&secret, &key, Moment::from_millis(earliest)).unwrap()
    };
    assert!(!knows("ann", 0) && !desk.store.knows_device(&secret).unwrap());
    sign_in(5);
    assert!(knows("ann", 5) && !knows("ann", 6) && !knows("bob", 0));
    sign_in(8);
    assert!(knows("ann", 8));
    assert_eq!(desk.count("device"), 1);
    let now = Moment::from_millis(9);
    assert_eq!(desk.store.delete_forgotten(now, Moment::from_millis(8), 10), Ok(0));
    assert_eq!(desk.store.delete_forgotten(now, now, 10), Ok(1));
    sign_in(8);
    assert!(desk.store.delete_user(&user("ann").id).unwrap());
    assert_eq!(desk.count("device"), 0, "they go with the user");
}

#[test]
fn counts_every_one_of_many_failures_at_the_same_moment() {
    let desk = Desk::new();
    let ids = [CountId::new([1; 16]), CountId::new([2; 16])];
    let more = |_, before: Option<Count>| Count {
        failures: before.map_or(0, |it| it.failures) + 1,
        last_at: Moment::from_millis(1),
        until: Moment::from_millis(2),
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    desk.store.change_counts(&ids, &more, MANY).unwrap();
                }
            });
        }
    });
    for id in &ids {
        assert_eq!(desk.store.count(id).unwrap().unwrap().failures, 80);
    }
    let entry = Entry { cleared: Some(ids[0]), ..Entry::default() };
    desk.store
        .sign_up(&user("ann"), &key("ann"), &session("ann", [1, 2, 3]), None, &entry)
        .unwrap();
    assert_eq!(desk.store.count(&ids[0]), Ok(None));
    assert_eq!(desk.count("throttle"), 1);
}

#[test]
fn keeps_a_bounded_number_of_counts_and_forgets_those_first_that_matter_least() {
    let desk = Desk::new();
    let count = |until| {
        move |_: usize, _: Option<Count>| Count {
            failures: 1,
            last_at: Moment::from_millis(1),
            until: Moment::from_millis(until),
        }
    };
    let live = CountId::new([0xff; 16]);
    desk.store.change_counts(&[live], &count(1_000), 100).unwrap();
    for n in 0..500_u16 {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        desk.store.change_counts(&[CountId::new(id)], &count(2), 100).unwrap();
    }
    assert!(desk.count("throttle") <= 113, "{} rows", desk.count("throttle"));
    assert!(desk.store.count(&live).unwrap().is_some(), "a live penalty");
}

#[test]
fn shows_a_sign_out_at_once_to_another_process_on_the_same_file() {
    let (desk, session) = Desk::with_ann();
    let other = engine::file(&desk.file());
    assert!(other.user_of_session(&session.id).unwrap().is_some());
    desk.store.end_session(&session.id).unwrap();
    assert!(other.user_of_session(&session.id).unwrap().is_none());
}

#[test]
fn opens_a_new_file_from_many_processes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Sqlite::open(&file))).collect();
        for thread in threads {
            let opened = thread.join().unwrap();
            assert!(opened.is_ok(), "{:?}", opened.err());
        }
    });
}

#[test]
fn keeps_everything_over_a_restart_and_leaves_one_file_behind() {
    let (desk, session) = Desk::with_ann();
    assert!(is_alive(&desk, &session), "by a connection that reads");
    desk.store.close().unwrap();
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 1);
    let Desk { folder, store } = desk;
    drop(store);
    let store = engine::open(folder.path());
    assert!(store.user_of_session(&session.id).unwrap().is_some());
    assert_eq!(store.user_by_name("ann"), Ok(Some(user("ann"))));
}

#[test]
fn lets_nobody_else_read_the_file_or_its_companions() {
    let (desk, _) = Desk::with_ann();
    let modes = || {
        ["", "-wal", "-shm"].map(|suffix| {
            let file = desk.folder.path().join(format!("test.db{suffix}"));
            fs::metadata(file).unwrap().permissions().mode() & 0o777
        })
    };
    assert_eq!(modes(), [0o600; 3]);
    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o644)).unwrap();
    drop(engine::file(&desk.file()));
    assert_eq!(modes(), [0o600; 3], "narrowed when opened again");
}

/// Opens `file`, which has to be refused for a reason that names `cause`, and left as it is.
fn is_refused(file: &Path, cause: &str) {
    let before = fs::read(file).unwrap();
    let Err(Error::Broken(reason)) = Sqlite::open(file).map(drop) else {
        panic!("{} was opened", file.display());
    };
    assert!(reason.contains(cause), "{reason}");
    assert!(reason.contains("cannot open the database") && !reason.contains('\n'), "{reason}");
    assert!(fs::read(file).unwrap() == before, "the file was touched");
    let folder = fs::read_dir(file.parent().unwrap()).unwrap();
    assert_eq!(folder.count(), 1, "nothing was left beside the file");
}

#[test]
fn refuses_a_file_that_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    for content in ["x", "Dear Sir or Madam, ", &"SQLite format 3\0".repeat(3)] {
        fs::write(&file, content).unwrap();
        is_refused(&file, "not a SQLite database");
    }
}

#[test]
fn refuses_the_database_of_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.db");
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE user (id)").unwrap();
    is_refused(&file, "another program");
    Connection::open(&file).unwrap().execute_batch("PRAGMA application_id = 1").unwrap();
    is_refused(&file, "another program");
}

/// A database of ours after `change` was made to it behind our back.
fn altered(change: &str) -> (TempDir, PathBuf) {
    let (desk, _) = Desk::with_ann();
    let file = desk.file();
    let Desk { folder, store } = desk;
    drop(store);
    let raw = Connection::open(&file).unwrap();
    raw.execute_batch(change).unwrap();
    // Back in one file: the change itself went to a log.
    raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(raw);
    (folder, file)
}

#[test]
fn refuses_a_file_from_a_newer_version() {
    let (_folder, file) = altered("PRAGMA user_version = 99");
    is_refused(&file, "a newer vestibule made it (schema 99");
}

#[test]
fn refuses_a_file_whose_tables_were_altered() {
    let (_folder, file) = altered("ALTER TABLE user_session DROP COLUMN created_at");
    is_refused(&file, "user_session.created_at");
    let (_folder, file) = altered("DROP TABLE user_key");
    is_refused(&file, "user_key.id");
}

#[test]
fn refuses_a_file_that_was_cut_short() {
    let (_folder, file) = altered("");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..5_000]).unwrap();
    is_refused(&file, "malformed");
}

#[test]
fn finds_damage_after_a_crash() {
    let (desk, _) = Desk::with_ann();
    for n in 0..300 {
        desk.store.add_user(&user(&format!("user{n}")), &[]).unwrap();
    }
    desk.store.close().unwrap();
    let desk = Desk { store: engine::file(&desk.file()), ..desk };
    desk.store.start_session(&session("ann", [1, 2, 3]), MANY, &Entry::default()).unwrap();
    // What a crash leaves: the file, and a log that nobody has folded in. Then the disk forgets a
    // page that the log does not hold.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    fs::copy(desk.folder.path().join("test.db-wal"), folder.path().join("test.db-wal")).unwrap();
    let mut bytes = fs::read(desk.file()).unwrap();
    let last_page = bytes.len() - 4096;
    bytes[last_page..].fill(0xaa);
    fs::write(&file, &bytes).unwrap();
    let refused = Sqlite::open(&file).map(drop);
    let Err(Error::Broken(reason)) = refused else { panic!("opened: {refused:?}") };
    assert!(reason.contains("damaged"), "{reason}");
    assert!(fs::read(&file).unwrap() == bytes, "the file was touched");
}

#[test]
fn opens_after_a_crash_with_everything_that_was_written() {
    let (desk, session) = Desk::with_ann();
    let folder = tempfile::tempdir().unwrap();
    for name in ["test.db", "test.db-wal"] {
        fs::copy(desk.folder.path().join(name), folder.path().join(name)).unwrap();
    }
    let store = engine::open(folder.path());
    assert!(store.user_of_session(&session.id).unwrap().is_some());
}

#[test]
fn makes_an_empty_file_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.db");
    fs::write(&file, "").unwrap();
    assert!(Sqlite::open(&file).is_ok());
}

#[test]
fn says_what_is_wrong_with_the_path() {
    let folder = tempfile::tempdir().unwrap();
    for (path, cause) in [
        (folder.path().to_owned(), "not a regular file"),
        (folder.path().join("no/such/folder.db"), "its folder"),
        (PathBuf::from("/dev/null"), "not a regular file"),
        (PathBuf::from("/"), "not a regular file"),
        (PathBuf::new(), "names no file"),
    ] {
        let Err(err) = Sqlite::open(&path) else { panic!("{} was opened", path.display()) };
        assert!(err.to_string().contains(cause), "{err}");
    }
}

#[test]
fn follows_a_link_to_the_file_so_that_it_is_checked_where_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real/x.db"), folder.path().join("x.db"));
    fs::create_dir(folder.path().join("real")).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let Err(err) = Sqlite::open(&link) else { panic!("a link to nothing was opened") };
    assert!(err.to_string().contains("symbolic link"), "{err}");
    let open = engine::file(&real);
    open.add_user(&user("ann"), &[]).unwrap();
    for name in ["real/x.db", "real/x.db-wal", "real/x.db-shm"] {
        let public = fs::Permissions::from_mode(0o644);
        fs::set_permissions(folder.path().join(name), public).unwrap();
    }
    let other = engine::file(&link);
    for name in ["real/x.db", "real/x.db-wal", "real/x.db-shm"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop((open, other));
}

#[test]
fn takes_a_special_name_for_a_file_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(":memory:");
    engine::file(&file).add_user(&user("ann"), &[]).unwrap();
    assert!(fs::metadata(&file).unwrap().len() > 0);
}
