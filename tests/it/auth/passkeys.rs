//! Passkeys: adding one, signing in with it, and everything that must not let anyone in.

use std::time::Duration;

use tempfile::TempDir;
use vestibule::auth::Authenticator;
use vestibule::auth::passkeys::{
    self, Added, ChallengePurpose, PASSKEYS_MAX, PasskeyFailure, PasskeyOrder, PasskeySignIn,
    Removed,
};
use vestibule::auth::second_factors::{CodeFailure, GivenFactor, Means};
use vestibule::auth::second_step::{self, Finished, Given};
use vestibule::auth::sign_in::{self, Caller, Rules, SignIn, SignUp};
use vestibule::auth::usernames::Username;
use vestibule::base::clock::Moment;
use vestibule::base::origin::Origin;
use vestibule::base::password::{Cost, Hasher, Password};
use vestibule::base::token::Token;
use vestibule::base::totp::TotpSecret;
use vestibule::base::webauthn::{RelyingParty, ResponseFlaw};
use vestibule::store::{Passkey, Session, User};

use crate::engine;
use crate::second_factor;
use crate::soft_authenticator::{Answer, PRESENT, SoftAuthenticator};

const NOW: Moment = Moment::from_millis(1_795_507_200_000);
const SITE: &str = "https://auth.example.com";
const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
const PASSWORD: &str = "correct horse";

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// A site with its users.
struct Site {
    auth: Authenticator,
    _folder: TempDir,
}

/// A user who is signed in, and their passkey.
struct Owner {
    user: User,
    token: Token,
    session: Session,
    passkey: SoftAuthenticator,
}

impl Site {
    fn new() -> Self {
        Self::at(SITE, "auth.example.com")
    }

    fn at(origin: &str, id: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = engine::open(folder.path());
        let origin = Origin::parse(origin).unwrap();
        let passkeys = Some(RelyingParty { origin, id: id.to_owned() });
        let rules = Rules { passkeys, ..Rules::default() };
        Self { auth: Authenticator::new(store, Hasher::new(2, CHEAP), rules), _folder: folder }
    }

    /// Signs a user up.
    fn sign_up(&self, name: &str) -> Owner {
        let (name, password) = (Username::for_sign_up(name).unwrap(), Password::new(PASSWORD));
        let caller = Caller::default();
        let SignUp::Admitted(admission) =
            sign_in::sign_up(&self.auth, &name, &password, &caller, NOW).unwrap()
        else {
            panic!("{}", name.canonical())
        };
        let passkey = SoftAuthenticator::es256(SITE);
        let (token, session) = (admission.started.token, admission.started.session);
        Owner { user: admission.user, token, session, passkey }
    }

    /// A user with a passkey that signs in alone.
    fn owner(&self, name: &str) -> Owner {
        let mut owner = self.sign_up(name);
        let made = self.added(&owner, true);
        owner.passkey.user_handle = made.user_handle;
        owner
    }

    fn challenge(&self, purpose: ChallengePurpose<'_>) -> String {
        passkeys::challenge(self.auth.store(), purpose, NOW)
    }

    fn add(&self, owner: &Owner, answer: &Answer, signs_in_alone: bool) -> Added {
        let order = PasskeyOrder { name: "key", signs_in_alone };
        let who = (&owner.user, &owner.session);
        passkeys::add(&self.auth, who, (&answer.json(), order), None, NOW).unwrap()
    }

    fn added(&self, owner: &Owner, signs_in_alone: bool) -> Passkey {
        let challenge = self.challenge(ChallengePurpose::Add(&owner.user.id, &owner.session.id));
        match self.add(owner, &owner.passkey.create(&challenge), signs_in_alone) {
            Added::Done(passkey) => *passkey,
            Added::Refused(failure) => panic!("{failure:?}"),
            Added::TooMany | Added::SessionEnded => panic!("too many, or no session"),
        }
    }

    /// Why an answer does not sign in; `None`: it does.
    fn refusal_at(&self, answer: &Answer, now: Moment) -> Option<PasskeyFailure> {
        match passkeys::sign_in(&self.auth, &answer.json(), &Caller::default(), now).unwrap() {
            PasskeySignIn::Admitted(_) => None,
            PasskeySignIn::Refused(failure, _) => Some(failure),
            PasskeySignIn::Wait(wait) => panic!("{wait:?}"),
        }
    }

    fn refusal(&self, answer: &Answer) -> Option<PasskeyFailure> {
        self.refusal_at(answer, NOW)
    }

    /// A good answer of this passkey to the sign-in page.
    fn answer(&self, passkey: &SoftAuthenticator) -> Answer {
        passkey.get(&self.challenge(ChallengePurpose::SignIn))
    }
}

const fn flaw(flaw: ResponseFlaw) -> PasskeyFailure {
    PasskeyFailure::Response(flaw)
}

#[test]
fn signs_the_owner_of_a_passkey_in_with_both_factors() {
    let site = Site::new();
    let owner = site.owner("anna");
    let answer = site.answer(&owner.passkey).json();
    let PasskeySignIn::Admitted(admission) =
        passkeys::sign_in(&site.auth, &answer, &Caller::default(), NOW).unwrap()
    else {
        panic!("refused")
    };
    assert_eq!(admission.user, owner.user);
    let session = &admission.started.session;
    assert_eq!((session.second_at, session.proven_at), (NOW, NOW));
    assert!(admission.device.is_some(), "the browser is known from now on");
    let found = site.auth.store().user_of_session(&session.id).unwrap().unwrap();
    assert_eq!(found.0, owner.user);
    let passkey = &passkeys::of_user(site.auth.store(), &owner.user.id).unwrap()[0];
    assert_eq!(passkey.used_at, Some(NOW));
    assert!(passkeys::fits(&site.auth, passkey));
}

#[test]
fn refuses_an_assertion_with_any_bit_flipped_or_any_part_cut_at_any_byte() {
    let site = Site::new();
    let owner = site.owner("anna");
    let good = site.answer(&owner.passkey);
    let parts: [fn(&mut Answer) -> &mut Vec<u8>; 5] = [
        |it| &mut it.id,
        |it| &mut it.client_data,
        |it| &mut it.authenticator_data,
        |it| &mut it.signature,
        |it| &mut it.user_handle,
    ];
    for (number, part) in parts.into_iter().enumerate() {
        let length = part(&mut good.clone()).len();
        for at in 0..length {
            let mut flipped = good.clone();
            part(&mut flipped)[at] ^= 1 << (at % 8);
            assert!(site.refusal(&flipped).is_some(), "part {number}, byte {at}");
            let mut cut = good.clone();
            part(&mut cut).truncate(at);
            // Without a handle the id alone says whose it is, as of keys that keep none.
            if number != 4 || at > 0 {
                assert!(site.refusal(&cut).is_some(), "part {number}, cut at {at}");
            }
        }
    }
    assert_eq!(site.refusal(&good), None);
}

#[test]
fn accepts_an_answer_once_on_whichever_server() {
    let site = Site::new();
    let owner = site.owner("anna");
    let answer = site.answer(&owner.passkey);
    let done: Vec<_> = std::thread::scope(|scope| {
        let of = |_| scope.spawn(|| site.refusal(&answer));
        [0, 1, 2, 3].map(of).into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(done.iter().filter(|it| it.is_none()).count(), 1, "{done:?}");
    assert_eq!(site.refusal(&answer), Some(PasskeyFailure::Used));
}

#[test]
fn accepts_no_challenge_of_another_page_session_user_or_sign_in() {
    let site = Site::new();
    let (owner, other) = (site.owner("anna"), site.owner("bert"));
    let waits = Token::random().hash();
    let purposes = [
        ChallengePurpose::Add(&owner.user.id, &owner.session.id),
        ChallengePurpose::SecondStep(&waits),
        ChallengePurpose::Prove(&owner.session.id),
    ];
    for purpose in purposes {
        let answer = owner.passkey.get(&site.challenge(purpose));
        assert_eq!(site.refusal(&answer), Some(flaw(ResponseFlaw::Challenge)));
    }
    for purpose in [
        ChallengePurpose::SignIn,
        ChallengePurpose::Prove(&owner.session.id),
        ChallengePurpose::Add(&owner.user.id, &other.session.id),
        ChallengePurpose::Add(&other.user.id, &owner.session.id),
    ] {
        let made = SoftAuthenticator::es256(SITE).create(&site.challenge(purpose));
        let Added::Refused(failure) = site.add(&owner, &made, true) else { panic!("added") };
        assert_eq!(Some(failure), Some(flaw(ResponseFlaw::Challenge)));
    }
    for purpose in [ChallengePurpose::SignIn, ChallengePurpose::Prove(&other.session.id)] {
        let answer = owner.passkey.get(&site.challenge(purpose)).json();
        let who = (&owner.user, &owner.session);
        let proven = passkeys::prove(&site.auth, who, &answer, &Caller::default(), NOW).unwrap();
        assert_eq!(proven.err(), Some(flaw(ResponseFlaw::Challenge)));
    }
}

#[test]
fn accepts_a_challenge_for_an_hour_on_the_sign_in_page_and_ten_minutes_elsewhere() {
    let site = Site::new();
    let owner = site.owner("anna");
    let answer = site.answer(&owner.passkey);
    let late = NOW.after(minutes(60)).after(MILLISECOND);
    assert_eq!(site.refusal_at(&answer, late), Some(flaw(ResponseFlaw::ChallengeExpired)));
    let early = NOW.before(minutes(5)).before(MILLISECOND);
    assert_eq!(site.refusal_at(&answer, early), Some(flaw(ResponseFlaw::ChallengeExpired)));
    assert_eq!(site.refusal_at(&answer, NOW.after(minutes(60))), None);
    let challenge = site.challenge(ChallengePurpose::Prove(&owner.session.id));
    let answer = owner.passkey.get(&challenge).json();
    let prove = |now| {
        let who = (&owner.user, &owner.session);
        passkeys::prove(&site.auth, who, &answer, &Caller::default(), now).unwrap()
    };
    let late = NOW.after(minutes(10)).after(MILLISECOND);
    assert_eq!(prove(late).err(), Some(flaw(ResponseFlaw::ChallengeExpired)));
    assert_eq!(prove(NOW.after(minutes(10))), Ok(()));
}

#[test]
fn refuses_the_passkey_of_one_user_with_the_handle_of_another() {
    let site = Site::new();
    let (owner, other) = (site.owner("anna"), site.owner("bert"));
    let mut answer = site.answer(&owner.passkey);
    answer.user_handle.clone_from(&other.passkey.user_handle);
    assert_eq!(site.refusal(&answer), Some(PasskeyFailure::OtherUser));
    // The id of one with the signature of the other.
    let mut answer = site.answer(&owner.passkey);
    answer.id.clone_from(&other.passkey.id);
    assert_eq!(site.refusal(&answer), Some(PasskeyFailure::OtherUser));
    answer.user_handle.clone_from(&other.passkey.user_handle);
    assert_eq!(site.refusal(&answer), Some(flaw(ResponseFlaw::Signature)));
    assert_ne!(owner.passkey.user_handle, other.passkey.user_handle);
}

#[test]
fn adds_no_credential_that_is_known_already() {
    let site = Site::new();
    let (owner, mut thief) = (site.owner("anna"), site.sign_up("eve-"));
    thief.passkey.id.clone_from(&owner.passkey.id);
    let challenge = site.challenge(ChallengePurpose::Add(&thief.user.id, &thief.session.id));
    let Added::Refused(failure) = site.add(&thief, &thief.passkey.create(&challenge), true) else {
        panic!("added")
    };
    assert_eq!(failure, PasskeyFailure::Taken);
    assert_eq!(site.refusal(&site.answer(&owner.passkey)), None);
}

#[test]
fn refuses_a_sign_count_that_does_not_grow_and_allows_zero() {
    let site = Site::new();
    let mut owner = site.owner("anna");
    for (count, refusal) in [
        (0, None),
        (0, None),
        (7, None),
        (7, Some(PasskeyFailure::Cloned)),
        (6, Some(PasskeyFailure::Cloned)),
        (0, Some(PasskeyFailure::Cloned)),
        (8, None),
        (u32::MAX, None),
        (0, Some(PasskeyFailure::Cloned)),
    ] {
        owner.passkey.sign_count = count;
        assert_eq!(site.refusal(&site.answer(&owner.passkey)), refusal, "{count}");
    }
}

#[test]
fn lets_nobody_in_with_a_passkey_that_is_a_second_factor_only() {
    let site = Site::new();
    let mut owner = site.sign_up("anna");
    owner.passkey.flags = PRESENT;
    let challenge = site.challenge(ChallengePurpose::Add(&owner.user.id, &owner.session.id));
    let Added::Refused(failure) = site.add(&owner, &owner.passkey.create(&challenge), true) else {
        panic!("added")
    };
    assert_eq!(Some(failure), Some(flaw(ResponseFlaw::UserUnverified)));
    let made = site.added(&owner, false);
    assert!(!made.verifies_user);
    let refusal = site.refusal(&site.answer(&owner.passkey));
    assert_eq!(refusal, Some(PasskeyFailure::SecondFactorOnly));
    // Even if it verifies its user for once.
    owner.passkey.flags = SoftAuthenticator::es256(SITE).flags;
    let refusal = site.refusal(&site.answer(&owner.passkey));
    assert_eq!(refusal, Some(PasskeyFailure::SecondFactorOnly));
}

#[test]
fn refuses_a_passkey_that_has_not_verified_its_user_and_one_of_another_domain() {
    let site = Site::new();
    let mut owner = site.owner("anna");
    owner.passkey.flags = PRESENT;
    let refusal = site.refusal(&site.answer(&owner.passkey));
    assert_eq!(refusal, Some(flaw(ResponseFlaw::UserUnverified)));
    let moved = Site::at("https://login.example.com", "login.example.com");
    let user = moved.sign_up("anna");
    let kept = Passkey {
        user_id: user.user.id.clone(),
        ..passkeys::of_user(site.auth.store(), &owner.user.id).unwrap().remove(0)
    };
    let challenge = vestibule::store::UsedChallenge { id: [1; 16], expires_at: NOW };
    let session = &user.session.id;
    moved.auth.store().add_passkey(&kept, &challenge, session, PASSKEYS_MAX, None).unwrap();
    assert!(!passkeys::fits(&moved.auth, &kept));
    let refusal = moved.refusal(&moved.answer(&owner.passkey));
    assert!(matches!(refusal, Some(PasskeyFailure::OtherUser | PasskeyFailure::OtherDomain)));
    owner.passkey.user_handle.clear();
    let refusal = moved.refusal(&moved.answer(&owner.passkey));
    assert_eq!(refusal, Some(PasskeyFailure::OtherDomain));
}

#[test]
fn lets_no_disabled_or_deleted_owner_in() {
    let site = Site::new();
    let owner = site.owner("anna");
    let store = site.auth.store();
    store.disable_user(&owner.user.id, "", NOW).unwrap();
    let refusal = site.refusal(&site.answer(&owner.passkey));
    assert_eq!(refusal, Some(PasskeyFailure::Disabled));
    store.enable_user(&owner.user.id).unwrap();
    assert_eq!(site.refusal(&site.answer(&owner.passkey)), None);
    store.delete_user(&owner.user.id, None, None).unwrap();
    assert_eq!(site.refusal(&site.answer(&owner.passkey)), Some(PasskeyFailure::Unknown));
}

#[test]
fn makes_an_address_wait_that_gives_wrong_answers() {
    let site = Site::new();
    let owner = site.owner("anna");
    let caller = Caller { address: Some([192, 0, 2, 7].into()), ..Caller::default() };
    let give =
        |answer: &Answer| passkeys::sign_in(&site.auth, &answer.json(), &caller, NOW).unwrap();
    let good = site.answer(&owner.passkey);
    let bad = Answer { signature: vec![1], ..good.clone() };
    let mut refused = 0;
    let wait = loop {
        match give(&bad) {
            PasskeySignIn::Refused(..) => refused += 1,
            PasskeySignIn::Wait(wait) => break wait,
            PasskeySignIn::Admitted(_) => panic!("admitted"),
        }
    };
    assert_eq!(refused, site.auth.rules.limits.address_free);
    assert!(matches!(give(&good), PasskeySignIn::Wait(_)));
    // Elsewhere the owner is let in.
    assert_eq!(site.refusal(&good), None);
    assert!(!wait.is_zero());
}

#[test]
fn keeps_twenty_passkeys_of_a_user_at_most() {
    let site = Site::new();
    let mut owner = site.sign_up("anna");
    for _ in 0..PASSKEYS_MAX {
        owner.passkey = SoftAuthenticator::es256(SITE);
        site.added(&owner, true);
    }
    owner.passkey = SoftAuthenticator::es256(SITE);
    let challenge = site.challenge(ChallengePurpose::Add(&owner.user.id, &owner.session.id));
    let added = site.add(&owner, &owner.passkey.create(&challenge), true);
    assert!(matches!(added, Added::TooMany));
}

#[test]
fn finishes_a_sign_in_with_a_passkey_as_the_second_factor() {
    let site = Site::new();
    let mut owner = site.sign_up("anna");
    owner.passkey.flags = PRESENT;
    site.added(&owner, false);
    let other = site.owner("bert");
    let secret = TotpSecret::random();
    second_factor::turn_on(site.auth.store(), &owner.token, &secret, NOW);
    let (name, password) = (Username::for_sign_up("anna").unwrap(), Password::new(PASSWORD));
    let begin =
        || match sign_in::with_password(&site.auth, &name, &password, &Caller::default(), NOW)
            .unwrap()
        {
            SignIn::SecondStep(step) => step.token,
            _ => panic!("no second step"),
        };
    let finish = |token: &Token, answer: &Answer| {
        let (text, caller) = (answer.json(), Caller::default());
        let given = Given::Factor(GivenFactor::Passkey(&text));
        match second_step::finish(&site.auth, token, &given, (&caller, false), NOW).unwrap() {
            Finished::Admitted(admission, Means::Passkey) => {
                assert_eq!(admission.started.session.second_at, NOW);
                None
            }
            Finished::Refused(CodeFailure::Passkey(failure), _) => Some(failure),
            _ => panic!("another outcome"),
        }
    };
    let (token, another) = (begin(), begin());
    let answer_to = |passkey: &SoftAuthenticator, token: &Token| {
        passkey.get(&site.challenge(ChallengePurpose::SecondStep(&token.hash())))
    };
    // The challenge of another sign-in, the passkey of another user, and one that signs in alone elsewhere.
    let refusal = finish(&token, &answer_to(&owner.passkey, &another));
    assert_eq!(refusal, Some(flaw(ResponseFlaw::Challenge)));
    let refusal = finish(&token, &answer_to(&other.passkey, &token));
    assert_eq!(refusal, Some(PasskeyFailure::OtherUser));
    let refusal = finish(&token, &site.answer(&owner.passkey));
    assert_eq!(refusal, Some(flaw(ResponseFlaw::Challenge)));
    let answer = answer_to(&owner.passkey, &token);
    assert_eq!(finish(&token, &answer), None);
}

#[test]
fn renames_and_removes_a_passkey_by_its_handle_for_its_owner_alone() {
    let site = Site::new();
    let (owner, other) = (site.owner("anna"), site.owner("bert"));
    let store = site.auth.store();
    let handle = passkeys::handle(&passkeys::of_user(store, &owner.user.id).unwrap()[0]);
    assert_eq!(passkeys::rename(store, &other.user.id, &handle, "mine"), Ok(false));
    assert!(matches!(
        passkeys::remove(store, &other.user.id, (&handle, None), None),
        Ok(Removed::NotFound)
    ));
    assert_eq!(passkeys::rename(store, &owner.user.id, &handle, "mine"), Ok(true));
    assert_eq!(passkeys::of_user(store, &owner.user.id).unwrap()[0].name, "mine");
    assert!(matches!(
        passkeys::remove(store, &owner.user.id, (&handle, None), None),
        Ok(Removed::Done(_))
    ));
    assert_eq!(site.refusal(&site.answer(&owner.passkey)), Some(PasskeyFailure::Unknown));
}

#[test]
fn offers_nothing_where_passkeys_are_off() {
    let mut site = Site::new();
    let owner = site.owner("anna");
    let (answer, made) = (site.answer(&owner.passkey), SoftAuthenticator::es256(SITE));
    let challenge = site.challenge(ChallengePurpose::Add(&owner.user.id, &owner.session.id));
    site.auth.rules.passkeys = None;
    assert_eq!(site.refusal(&answer), Some(PasskeyFailure::NotOffered));
    let Added::Refused(failure) = site.add(&owner, &made.create(&challenge), true) else {
        panic!("added")
    };
    assert_eq!(failure, PasskeyFailure::NotOffered);
}
