//! Cases of the contract over several nodes: what one writes the others see at once, and of those who want
//! the same at the same moment as many get it as may.

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use vestibule::base::clock::Moment;
use vestibule::base::token::TokenHash;
use vestibule::store::{
    self, AccessTokenAdded, Count, CountId, Error, Invite, Key, KeyAdded, KeyId, OneTimeTokenAdded,
    PasswordChanged, PasswordSet, Record, RecordFilter, Session, SessionStart, SessionStarted,
    SignedUp, Store, User, UserId,
};

use super::{
    Desk, LATER, MANY, NODES, TODAY, access_token, epoch_of, hash, invite, is_alive, key, record,
    reset_link, session, sign_up, user, with_ann,
};

/// Lets this many threads at each node go at the same instant, and gives back what each of them said.
fn race<T: Send>(
    desk: &Desk,
    threads: usize,
    act: impl Fn(&dyn Store, usize) -> T + Sync,
) -> Vec<T> {
    let count = NODES * threads;
    let (start, act) = (&Barrier::new(count), &act);
    thread::scope(|scope| {
        let begin = |number| {
            let node = desk.node(number);
            scope.spawn(move || {
                start.wait();
                act(node, number)
            })
        };
        let all: Vec<_> = (0..count).map(begin).collect();
        all.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

/// Does what an engine may give up when many others are in the way, and does it again then; where an engine
/// has to do that by itself, once.
fn patiently<T>(desk: &Desk, mut act: impl FnMut() -> store::Result<T>) -> T {
    if desk.room.may_give_up() { again_and_again(act) } else { act().unwrap() }
}

/// Does again what was given up because others were in the way: nothing of it is written.
fn again_and_again<T>(mut act: impl FnMut() -> store::Result<T>) -> T {
    let began = Instant::now();
    loop {
        match act() {
            Err(Error::Unavailable(_)) if began.elapsed() < Duration::from_secs(10) => {}
            done => return done.unwrap(),
        }
    }
}

/// Signs up under this name as the one with this number, of several who want it.
fn try_to_sign_up(
    desk: &Desk,
    node: &dyn Store,
    name: &str,
    number: usize,
    invite: Option<&Invite>,
) -> SignedUp {
    let mine = User { id: UserId::new(format!("{name}-{number}")), ..user(name) };
    let key = Key { user_id: mine.id.clone(), ..key(name) };
    let session = Session { user_id: mine.id.clone(), ..session(name, [1, 2, 3]) };
    let invite = invite.map(|it| &it.id);
    patiently(desk, || node.sign_up(&mine, &key, Some(&session), invite, &SessionStart::default()))
}

fn won(outcomes: &[SignedUp]) -> usize {
    outcomes.iter().filter(|it| **it == SignedUp::Done).count()
}

pub fn lets_one_of_many_who_sign_up_for_a_name_win_on_whichever_node(desk: &Desk) {
    for round in 0..desk.room.rounds(30) {
        let name = format!("n{round}");
        let outcomes =
            race(desk, 2, |node, number| try_to_sign_up(desk, node, &name, number, None));
        let winner = outcomes.iter().position(|it| *it == SignedUp::Done).unwrap();
        let lost = outcomes.iter().filter(|it| **it == SignedUp::NameTaken).count();
        assert_eq!((won(&outcomes), lost), (1, outcomes.len() - 1), "{outcomes:?}");
        let id = format!("{name}-{winner}");
        let mut raw = desk.raw();
        for sql in [
            format!("SELECT id FROM user WHERE canonical_username = '{name}'"),
            format!("SELECT user_id FROM user_key WHERE id = 'username:{name}'"),
            format!("SELECT user_id FROM user_session WHERE user_id LIKE '{name}-%'"),
        ] {
            assert_eq!(raw.texts(&sql), [&*id], "{sql}");
        }
    }
}

pub fn lets_one_of_fifty_who_sign_up_for_a_name_at_the_same_moment_win(desk: &Desk) {
    let each = 50_usize.div_ceil(NODES);
    let outcomes = race(desk, each, |node, number| try_to_sign_up(desk, node, "ann", number, None));
    let lost = outcomes.iter().filter(|it| **it == SignedUp::NameTaken).count();
    assert_eq!((won(&outcomes), lost), (1, outcomes.len() - 1), "{outcomes:?}");
    assert_eq!(["user", "user_key", "user_session"].map(|it| desk.count(it)), [1, 1, 1]);
}

pub fn uses_a_reset_link_once_on_whichever_node(desk: &Desk) {
    with_ann(desk);
    for _ in 0..desk.room.rounds(30) {
        let link = reset_link("ann", 50);
        assert_eq!(desk.store.add_one_time_token(&link), Ok(OneTimeTokenAdded::Done));
        let used = race(desk, 2, |node, number| {
            let hash = hash(&format!("${number}"));
            patiently(desk, || node.reset_password(&link.id, &hash, None, Moment::from_millis(9)))
        });
        let winner = used.iter().position(|it| *it).unwrap();
        let stored = desk.store.key(&key("ann").id).unwrap().unwrap().hashed_password;
        let stored_of = (0..used.len()).find(|it| stored == Some(hash(&format!("${it}"))));
        assert_eq!(used.iter().filter(|it| **it).count(), 1, "{used:?}, stored: {stored_of:?}");
        assert!(stored == Some(hash(&format!("${winner}"))), "another password than the winner's");
        assert_eq!(desk.count("one_time_token"), 0);
    }
}

pub fn makes_as_many_accounts_with_an_invitation_as_it_has_uses(desk: &Desk) {
    for (round, uses) in (0..desk.room.rounds(24)).zip([4_u32, 1, 5, 3].into_iter().cycle()) {
        let invite = invite(uses, 50);
        desk.store.add_invite(&invite).unwrap();
        let outcomes = race(desk, 2, |node, number| {
            try_to_sign_up(desk, node, &format!("n{round}x{number}"), number, Some(&invite))
        });
        let refused = outcomes.iter().filter(|it| **it == SignedUp::NotInvited).count();
        let uses = usize::try_from(uses).unwrap();
        assert_eq!((won(&outcomes), refused), (uses, outcomes.len() - uses), "{outcomes:?}");
        let sql = format!("SELECT id FROM user WHERE id LIKE 'n{round}x%'");
        assert_eq!(desk.raw().texts(&sql).len(), uses);
        assert_eq!(desk.count("invite"), 0, "one without uses");
    }
}

pub fn makes_one_account_with_the_invitation_for_the_first(desk: &Desk) {
    for _ in 0..desk.room.rounds(20) {
        let first = Invite { is_first: true, ..invite(1, 50) };
        assert_eq!(desk.store.add_first_invite(&first), Ok(true));
        let outcomes = race(desk, 2, |node, number| {
            try_to_sign_up(desk, node, &format!("n{number}"), number, Some(&first))
        });
        assert_eq!(won(&outcomes), 1, "{outcomes:?}");
        let ids = desk.raw().texts("SELECT id FROM user");
        assert_eq!((ids.len(), desk.count("invite")), (1, 0));
        assert_eq!(desk.node(1).delete_user(&UserId::new(ids[0].clone()), None, None), Ok(true));
    }
}

pub fn counts_every_one_of_many_failures_at_the_same_moment(desk: &Desk) {
    let ids = [CountId::new([1; 16]), CountId::new([2; 16])];
    let more = |_, before: Option<Count>| Count {
        failures: before.map_or(0, |it| it.failures) + 1,
        last_at: Moment::from_millis(1),
        until: Moment::from_millis(2),
    };
    let times = desk.room.rounds(25).max(10);
    race(desk, 2, |node, number| {
        let mut ids = ids;
        // In another order, so that they get in each other's way.
        ids.rotate_left(number % 2);
        (0..times).for_each(|_| patiently(desk, || node.change_counts(&ids, &more, MANY)));
    });
    for id in &ids {
        let counted = desk.node(1).count(id).unwrap().unwrap().failures;
        assert_eq!(counted, u32::try_from(2 * NODES * times).unwrap());
    }
    let entry = SessionStart { cleared: Some(ids[0]), ..SessionStart::default() };
    let session = session("ann", [1, 2, 3]);
    desk.store.sign_up(&user("ann"), &key("ann"), Some(&session), None, &entry).unwrap();
    assert_eq!(desk.node(1).count(&ids[0]), Ok(None));
    assert_eq!(desk.count("throttle"), 1);
}

/// What is counted together stands together, also when a transaction is gone in its middle, as a cluster
/// says behind the rows of a query.
pub fn counts_what_is_counted_together_or_nothing_of_it(desk: &Desk) {
    let shared = CountId::new([0; 16]);
    let more = |_, before: Option<Count>| Count {
        failures: before.map_or(0, |it| it.failures) + 1,
        last_at: Moment::from_millis(1),
        until: Moment::from_millis(2),
    };
    let times = desk.room.rounds(60).max(5);
    race(desk, 2, |node, number| {
        let own = (1..9).map(|it| CountId::new([u8::try_from(10 * it + number).unwrap(); 16]));
        let ids: Vec<_> = std::iter::once(shared).chain(own).collect();
        (0..times).for_each(|_| patiently(desk, || node.change_counts(&ids, &more, MANY)));
        for id in &ids[1..] {
            let counted = node.count(id).unwrap().unwrap().failures;
            assert_eq!(counted, u32::try_from(times).unwrap());
        }
    });
    let counted = desk.node(1).count(&shared).unwrap().unwrap().failures;
    assert_eq!(counted, u32::try_from(2 * NODES * times).unwrap());
}

/// How a user's password comes to be another one, or they are disabled.
const ENDS: [&str; 4] = ["set", "change", "link", "shut out"];

/// Ends at this node what was let in under the old password of `name`, in this way.
fn end_everything(desk: &Desk, node: &dyn Store, end: &str, name: &str, link: &TokenHash) {
    let (id, now) = (user(name).id, Moment::from_millis(9));
    let new = hash("$two");
    let is_done = match end {
        "set" => patiently(desk, || node.set_password(&id, Some(&new))) == PasswordSet::Done,
        "change" => {
            let (next, entry) = (session(name, [1, 2, 3]), SessionStart::default());
            let proof = epoch_of(desk, name);
            patiently(desk, || node.change_password(proof, &new, &next, &entry))
                == PasswordChanged::Done
        }
        "link" => patiently(desk, || node.reset_password(link, &hash("$two"), None, now)),
        _ => patiently(desk, || node.disable_user(&user(name).id, "left", now)),
    };
    assert!(is_done, "{end}");
}

/// Lets all clients but the first do something again and again, until the first has ended what was let in
/// under the old password of a user, a moment after a client was let in. Gives back the ids of all that was
/// begun, and how many of them were told that it was done.
fn race_with_the_end(
    desk: &Desk,
    end: &str,
    name: &str,
    begin: impl Fn(&dyn Store, &TokenHash) -> bool + Sync,
) -> (Vec<TokenHash>, usize) {
    let link = reset_link(name, 50);
    assert_eq!(desk.store.add_one_time_token(&link), Ok(OneTimeTokenAdded::Done));
    let (done, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ids = race(desk, 2, |node, number| {
        let mut mine = Vec::new();
        if number == 0 {
            let start = Instant::now();
            while done.load(Ordering::Acquire) < 3 && start.elapsed() < Duration::from_secs(5) {
                thread::yield_now();
            }
            end_everything(desk, node, end, name, &link.id);
            is_over.store(true, Ordering::Release);
            return mine;
        }
        while mine.len() < desk.room.rounds(100) {
            let was_over = is_over.load(Ordering::Acquire);
            let id = vestibule::base::token::Token::random().hash();
            mine.push(id);
            if begin(node, &id) {
                done.fetch_add(1, Ordering::AcqRel);
                assert!(!was_over, "{end}: a client was let in by what was over");
            }
            if was_over {
                break;
            }
        }
        mine
    });
    (ids.concat(), done.into_inner())
}

pub fn no_session_outlives_the_password_that_it_was_let_in_with(desk: &Desk) {
    for end in ENDS {
        for round in 0..desk.room.rounds(15) {
            let name = format!("{end}{round}");
            sign_up(&*desk.store, &name, &session(&name, [1, 2, 3]));
            let proof = Some(epoch_of(desk, &name));
            let entry = SessionStart { proof, ..SessionStart::default() };
            let (ids, done) = race_with_the_end(desk, end, &name, |node, id| {
                let session = Session { id: *id, ..session(&name, [1, 2, 3]) };
                let started = patiently(desk, || node.start_session(&session, MANY, &entry));
                started == SessionStarted::Done
            });
            assert!(done > 0, "no client was let in");
            if end == "shut out" {
                assert_eq!(desk.store.enable_user(&user(&name).id), Ok(true));
            }
            for id in &ids {
                for node in 0..NODES {
                    assert!(desk.node(node).user_of_session(id).unwrap().is_none(), "{end}");
                }
            }
            let left = usize::from(end == "change");
            assert_eq!(desk.store.sessions_of(&user(&name).id).unwrap().len(), left, "{end}");
        }
    }
}

pub fn no_access_token_outlives_the_password_of_the_session_it_was_made_in(desk: &Desk) {
    for end in ENDS {
        for round in 0..desk.room.rounds(15) {
            let name = format!("{end}{round}");
            let live = session(&name, [1, 2, 3]);
            sign_up(&*desk.store, &name, &live);
            let (ids, done) = race_with_the_end(desk, end, &name, |node, id| {
                let token = store::AccessToken { id: *id, ..access_token(&name, 50) };
                let added = patiently(desk, || node.add_access_token(&token, &live.id, MANY, None));
                added == AccessTokenAdded::Done
            });
            assert!(done > 0, "no client made one");
            if end == "shut out" {
                // Those that were made in time are good again when their owner is let in again.
                continue;
            }
            for id in &ids {
                assert!(desk.node(1).user_of_access_token(id).unwrap().is_none(), "{end}");
            }
            assert!(desk.store.access_tokens_of(&user(&name).id).unwrap().is_empty(), "{end}");
        }
    }
}

pub fn shows_a_session_at_once_to_another_node(desk: &Desk) {
    with_ann(desk);
    for round in 0..desk.room.rounds(200) {
        let new = session("ann", [1, 2, 3]);
        patiently(desk, || desk.node(round).start_session(&new, 5, &SessionStart::default()));
        let found = desk.node(round + 1).user_of_session(&new.id).unwrap();
        assert!(found == Some((user("ann"), new)), "round {round}");
    }
}

pub fn shows_a_session_at_once_to_another_node_while_others_write(desk: &Desk) {
    let name = |number| format!("n{number}");
    (0..2 * NODES).for_each(|it| sign_up(&*desk.store, &name(it), &session(&name(it), [1, 2, 3])));
    for round in 0..desk.room.rounds(60) {
        race(desk, 2, |node, number| {
            for _ in 0..3 {
                let new = session(&name(number), [1, 2, 3]);
                patiently(desk, || node.start_session(&new, 5, &SessionStart::default()));
                let found = desk.node(number + 1).user_of_session(&new.id).unwrap();
                assert!(found == Some((user(&name(number)), new)), "round {round}");
            }
        });
    }
}

pub fn shows_a_sign_out_at_once_to_another_node(desk: &Desk) {
    with_ann(desk);
    for round in 0..desk.room.rounds(100) {
        let new = session("ann", [1, 2, 3]);
        patiently(desk, || desk.node(round).start_session(&new, 5, &SessionStart::default()));
        assert!(desk.node(round + 1).user_of_session(&new.id).unwrap().is_some());
        assert_eq!(desk.node(round).end_session(&new.id), Ok(true));
        assert!(desk.node(round + 1).user_of_session(&new.id).unwrap().is_none(), "round {round}");
    }
}

pub fn lets_a_user_go_on_at_another_node_at_once_who_has_just_signed_up(desk: &Desk) {
    for round in 0..desk.room.rounds(100) {
        let name = format!("n{round}");
        let first = session(&name, [1, 2, 3]);
        sign_up(desk.node(round), &name, &first);
        let node = desk.node(round + 1);
        let is_done = match round % 4 {
            0 => {
                let next = session(&name, [1, 2, 3]);
                node.start_session(&next, MANY, &SessionStart::default())
                    == Ok(SessionStarted::Done)
            }
            1 => {
                let token = access_token(&name, 50);
                node.add_access_token(&token, &first.id, 9, None) == Ok(AccessTokenAdded::Done)
            }
            2 => {
                let link = reset_link(&name, 50);
                node.add_one_time_token(&link) == Ok(OneTimeTokenAdded::Done)
            }
            _ => {
                let id = KeyId::new("github", &name).unwrap();
                node.add_key(&Key { id, ..key(&name) }, TODAY) == Ok(KeyAdded::Done)
            }
        };
        assert!(is_done, "round {round}");
        assert_eq!(desk.node(round + 2).set_email(&user(&name).id, "a@b", None, None), Ok(true));
    }
}

pub fn moves_no_renewal_earlier_on_whichever_node(desk: &Desk) {
    let live = session("ann", [1, 2, 1_000_000]);
    sign_up(&*desk.store, "ann", &live);
    let times = i64::try_from(desk.room.rounds(20)).unwrap();
    race(desk, 2, |node, number| {
        let number = i64::try_from(number).unwrap();
        for round in 0..times {
            // Some of them read the clock long before they are written.
            let [active, idle, seen] =
                [0, 1, 2].map(|it| Moment::from_millis(100 * round + 7 * number + it));
            let is_there = again_and_again(|| node.renew_session(&live.id, active, idle, seen));
            assert!(is_there);
            let (_, found) = node.user_of_session(&live.id).unwrap().unwrap();
            assert!(found.active_expires >= active && found.idle_expires >= idle);
            assert!(found.seen_at >= seen);
        }
    });
    let (_, found) = desk.store.user_of_session(&live.id).unwrap().unwrap();
    let last = 100 * (times - 1) + 7 * (2 * i64::try_from(NODES).unwrap() - 1);
    let found = [found.active_expires, found.idle_expires, found.seen_at].map(Moment::millis);
    assert_eq!(found, [last, last + 1, last + 2]);
}

pub fn makes_one_schema_and_one_secret_when_many_open_an_empty_database_at_once(desk: &Desk) {
    for _ in 0..desk.room.rounds(3) {
        let room = desk.room.another();
        let keys = race(desk, 2, |_, number| {
            let store = store::open(&room.database(number)).unwrap();
            let name = format!("n{number}");
            sign_up(&*store, &name, &session(&name, [1, 2, 3]));
            store.add_records(&[record(1, &name)]).unwrap();
            *store.handle_key()
        });
        assert!(keys.iter().all(|it| *it == keys[0]), "another key");
        let mut raw = room.raw();
        assert_eq!(raw.texts("SELECT name FROM secret"), ["handle"]);
        assert_eq!(raw.text("SELECT lower(hex(value)) FROM secret"), super::hex(&keys[0]));
        assert_eq!((raw.count("user"), raw.count("audit")), (6, 6));
        let again = store::open(&room.database(1)).unwrap();
        assert_eq!(*again.handle_key(), keys[0]);
    }
}

/// What a client reads that asks again and again for what came after what they have.
fn follow(node: &dyn Store, count: usize) -> Vec<(i64, Record)> {
    let began = Instant::now();
    let mut all: Vec<(i64, Record)> = Vec::new();
    while all.len() < count && began.elapsed() < Duration::from_secs(10) {
        let last = all.last().map_or(0, |it| it.0);
        let page = node.records_after(&RecordFilter::since(Moment::from_millis(0)), last, 7);
        all.extend(page.unwrap().into_iter().map(|it| (it.number, it.record)));
    }
    all
}

pub fn shows_every_record_once_to_a_reader_who_follows_while_all_nodes_add_some(desk: &Desk) {
    // One, two or three at once: two on average.
    let times = 3 * desk.room.rounds(13).max(3);
    let count = 2 * NODES * times * 2;
    let seen = thread::scope(|scope| {
        let follower = |number| {
            let node = desk.node(number);
            scope.spawn(move || follow(node, count))
        };
        let followers: Vec<_> = (0..NODES).map(follower).collect();
        race(desk, 2, |node, number| {
            for round in 0..times {
                let some = 1 + (round + number) % 3;
                let named = |it| record(1, &format!("{number} {round} {it}"));
                let records: Vec<_> = (0..some).map(named).collect();
                patiently(desk, || node.add_records(&records));
            }
        });
        followers.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
    });
    for all in seen {
        assert!(all.is_sorted_by(|one, next| one.0 < next.0));
        let details: HashSet<_> = all.iter().map(|it| &it.1.detail).collect();
        assert_eq!((all.len(), details.len()), (count, count), "missed some, or saw some again");
    }
}

pub fn ends_a_user_at_all_nodes_who_is_deleted_while_they_are_let_in(desk: &Desk) {
    for round in 0..desk.room.rounds(20) {
        let name = format!("n{round}");
        let first = session(&name, [1, 2, 3]);
        sign_up(&*desk.store, &name, &first);
        let outcomes = race(desk, 2, |node, number| {
            if number == 0 {
                return patiently(desk, || node.delete_user(&user(&name).id, None, None));
            }
            let new = session(&name, [1, 2, 3]);
            // It starts, or its user is gone already.
            patiently(desk, || node.start_session(&new, MANY, &SessionStart::default()));
            true
        });
        assert_eq!(outcomes, [true; 2 * NODES]);
        assert!(!is_alive(desk, &first));
        assert_eq!(desk.node(1).user(&user(&name).id), Ok(None));
        assert!(desk.node(1).sessions_of(&user(&name).id).unwrap().is_empty());
    }
}

/// A name is its user's until it is reserved: there is no moment in between at which another can take it.
pub fn lets_no_user_have_a_name_whose_owner_is_deleted_at_the_same_moment(desk: &Desk) {
    for round in 0..desk.room.rounds(30) {
        let name = format!("n{round}");
        sign_up(&*desk.store, &name, &session(&name, [1, 2, 3]));
        let outcomes = race(desk, 2, |node, number| match number {
            0 if round % 2 == 0 => {
                let id = user(&name).id;
                patiently(desk, || node.delete_user(&id, Some(LATER), None));
                SignedUp::NameTaken
            }
            0 => {
                let (id, new) = (user(&name).id, format!("new {name}"));
                patiently(desk, || node.rename_user(&id, &new, &new, Some(LATER), TODAY));
                SignedUp::NameTaken
            }
            _ => try_to_sign_up(desk, node, &name, number, None),
        });
        assert_eq!(won(&outcomes), 0, "{outcomes:?}");
        assert_eq!(desk.store.is_name_free(&name, LATER), Ok(false));
    }
}

/// Whatever else is done to a user while they are renamed, they sign in by the name that they have.
pub fn keeps_the_name_and_the_key_of_a_user_one_when_several_nodes_rename_them(desk: &Desk) {
    with_ann(desk);
    let id = user("ann").id;
    for round in 0..desk.room.rounds(30) {
        race(desk, 2, |node, number| {
            let name = format!("n{round}x{number}");
            patiently(desk, || node.rename_user(&id, &name, &name, None, TODAY))
        });
        let name = desk.store.user(&id).unwrap().unwrap().canonical_username;
        let keys = desk.store.keys_of(&id).unwrap();
        let keys: Vec<_> = keys.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(keys, [KeyId::username(&name).as_str()]);
    }
}

pub fn no_old_password_outlives_a_new_one_beside_a_rename(desk: &Desk) {
    with_ann(desk);
    let id = user("ann").id;
    for round in 0..desk.room.rounds(40) {
        let new = hash(&format!("$new{round}"));
        race(desk, 1, |node, number| {
            if number == 0 {
                patiently(desk, || node.set_password(&id, Some(&new)));
                return;
            }
            let name = format!("n{round}x{number}");
            patiently(desk, || node.rename_user(&id, &name, &name, None, TODAY));
        });
        let name = desk.store.user(&id).unwrap().unwrap().canonical_username;
        let keys = desk.store.keys_of(&id).unwrap();
        assert_eq!(keys.len(), 1, "another key beside the one of the name");
        assert!(keys[0].id == KeyId::username(&name) && keys[0].hashed_password == Some(new));
    }
}

/// The password is the user's and not the name's: a user who takes the name has no part in it.
pub fn ends_what_is_open_of_the_one_whose_password_is_set_when_a_name_changes_hands(desk: &Desk) {
    for round in 0..desk.room.rounds(30) {
        let (old, name) = (format!("o{round}"), format!("n{round}"));
        let live = Session { user_id: user(&old).id, ..session(&name, [1, 2, 3]) };
        sign_up(&*desk.store, &old, &live);
        race(desk, 1, |node, number| match number {
            0 => {
                let set = hash("$set");
                patiently(desk, || node.set_password(&user(&old).id, Some(&set)));
            }
            1 => {
                patiently(desk, || node.rename_user(&user(&old).id, &name, &name, None, TODAY));
            }
            _ => {
                let other = User { id: UserId::new(format!("other{round}")), ..user(&old) };
                let key = Key { user_id: other.id.clone(), ..key(&old) };
                drop(node.add_user(&other, &[key]));
            }
        });
        let hashes = |id: &str| {
            let sql = format!("SELECT hashed_password FROM user_key WHERE user_id = '{id}'");
            desk.raw().texts(&sql)
        };
        assert_eq!(hashes(user(&old).id.as_str()), ["$set"]);
        assert!(hashes(&format!("other{round}")).iter().all(|it| it == "$one"));
        assert!(!is_alive(desk, &live));
    }
}

pub fn no_sign_in_name_is_added_with_a_password_that_is_replaced_meanwhile(desk: &Desk) {
    with_ann(desk);
    let id = user("ann").id;
    for round in 0..desk.room.rounds(30) {
        let new = hash(&format!("$new{round}"));
        race(desk, 1, |node, number| {
            if number == 0 {
                patiently(desk, || node.set_password(&id, Some(&new)));
                return;
            }
            let name = format!("n{round}x{number}");
            patiently(desk, || node.add_sign_in_name(&id, &name, TODAY));
        });
        let keys = desk.store.keys_of(&id).unwrap();
        assert_eq!(keys.len(), 1 + (round + 1) * (NODES - 1));
        assert!(keys.iter().all(|it| it.hashed_password.as_ref() == Some(&new)), "an old one");
    }
}

pub fn keeps_the_last_link_alone_valid_when_several_nodes_make_one(desk: &Desk) {
    with_ann(desk);
    for _ in 0..desk.room.rounds(20) {
        race(desk, 2, |node, _| {
            patiently(desk, || node.add_one_time_token(&reset_link("ann", 50)))
        });
        assert_eq!(desk.count("one_time_token"), 1);
    }
}

pub fn leaves_nothing_behind_of_a_user_who_is_deleted_while_things_are_added(desk: &Desk) {
    for round in 0..desk.room.rounds(20) {
        let name = format!("n{round}");
        let live = session(&name, [1, 2, 3]);
        sign_up(&*desk.store, &name, &live);
        let id = user(&name).id;
        race(desk, 2, |node, number| match number % 3 {
            0 => drop(node.delete_user(&id, None, None)),
            1 => drop(node.add_one_time_token(&reset_link(&name, 50))),
            _ => {
                drop(node.start_session(
                    &session(&name, [1, 2, 3]),
                    MANY,
                    &SessionStart::default(),
                ));
            }
        });
        assert_eq!(desk.store.user(&id), Ok(None));
        assert!(desk.store.keys_of(&id).unwrap().is_empty());
    }
    let mut copied = 0;
    let mut count = |_| {
        copied += 1;
        Ok(())
    };
    desk.store.each_row(&mut count).unwrap();
    // The key for handles, and what is noted of the clock.
    assert_eq!(copied, 2, "a copy takes along what belongs to no user");
}
