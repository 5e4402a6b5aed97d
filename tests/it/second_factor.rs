//! A user with a second factor, past the pages that set one up.

use vestibule::base::clock::Moment;
use vestibule::base::recovery_code::{RECOVERY_CODES, RecoveryCode};
use vestibule::base::sealing::StoredSecret;
use vestibule::base::token::Token;
use vestibule::base::totp::{TimeStep, TotpSecret};
use vestibule::store::{FactorProof, SecondFactorOn, Session, SessionStart, Store, Totp};

/// Turns the second factor of the user on to whom this session belongs. Returns the token of the session that takes its
/// place, and the recovery codes.
pub fn turn_on(
    store: &dyn Store,
    session: &Token,
    secret: &TotpSecret,
    now: Moment,
) -> (Token, [RecoveryCode; RECOVERY_CODES]) {
    let id = session.hash();
    let (user, session) = store.user_of_session(&id).unwrap().unwrap();
    let (token, codes) = (Token::random(), RecoveryCode::new_set());
    let stored = StoredSecret::new(secret, user.id.as_str(), None);
    let totp = Totp {
        user_id: user.id,
        secret: stored.as_stored().to_vec(),
        last_step: TimeStep::of(now).number() - 2,
        created_at: now,
    };
    let hashes: Vec<_> = codes.iter().map(RecoveryCode::hash).collect();
    let new = Session { id: token.hash(), second_at: now, ..session };
    let entry = SessionStart { replaced: Some(id), ..SessionStart::default() };
    let done = store.turn_second_factor_on(&FactorProof::NewApp(&totp, &hashes), &new, &entry);
    assert_eq!(done, Ok(SecondFactorOn::Done));
    (token, codes)
}
