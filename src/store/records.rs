//! Records: the values that go into the store and come out.

use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::{self, TokenHash};
use crate::store::passkeys::{Passkey, PasskeyUse};

/// The id of a user. It is not secret, and never used again.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UserId(pub(super) String);

impl UserId {
    /// An id that was just generated, or read from the database.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The characters as they are stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a key: `provider:id`, as in Lucia. The provider ends at the first colon.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct KeyId(pub(super) String);

impl KeyId {
    /// The key for `id` at `provider`. `None` if the provider is empty or contains a colon, as two
    /// different keys could then be the same text.
    pub fn new(provider: &str, id: &str) -> Option<Self> {
        let splits = !provider.is_empty() && !provider.contains(':');
        splits.then(|| Self(format!("{provider}:{id}")))
    }

    /// The key of a sign-in name: `username:` and the canonical name.
    pub fn username(canonical: &str) -> Self {
        Self(format!("username:{canonical}"))
    }

    /// The canonical name, if this key is a sign-in name; `None` if it is of another provider.
    pub fn sign_in_name(&self) -> Option<&str> {
        self.0.strip_prefix("username:")
    }

    /// `provider:id`, as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon.
    pub fn provider(&self) -> &str {
        self.0.split_once(':').map_or("", |(provider, _)| provider)
    }

    /// The part after the first colon.
    pub fn provider_user_id(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, id)| id)
    }
}

/// An account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// 15 random characters a-z0-9.
    pub id: UserId,
    /// The name as first typed, which pages show.
    pub username: String,
    /// The canonical form of the name, which is unique.
    pub canonical_username: String,
    /// When the account was created.
    pub created_at: Moment,
    /// The groups assigned by the operator.
    pub groups: Groups,
    /// The e-mail address; empty: none.
    pub email: String,
    /// When the address was found to be the user's: by a link that was sent to it, or by the operator who set
    /// it. `None`: it is not.
    pub email_verified_at: Option<Moment>,
    /// Since when the account is disabled; `None`: it is enabled.
    pub disabled_at: Option<Moment>,
    pub disabled_reason: String,
    /// Since when a second factor is asked for after the password; `None`: none is set up.
    pub second_factor_since: Option<Moment>,
}

impl User {
    /// The address that counts: apps are told it, and mail goes to it. Empty: there is none, or it is not
    /// verified.
    pub fn verified_email(&self) -> &str {
        if self.email_verified_at.is_some() { &self.email } else { "" }
    }
}

/// Group names, sorted and unique. The text separates them by commas.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Groups(pub(super) String);

impl Groups {
    /// Groups from a text that was checked or stored.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// All names, separated by commas; empty: none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').filter(|it| !it.is_empty())
    }
}

/// A secret that a user created for scripts. It holds its hash and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The hash of the token, which only the script has.
    pub id: TokenHash,
    pub user_id: UserId,
    pub name: String,
    pub created_at: Moment,
    /// The last moment at which it is valid.
    pub expires_at: Moment,
    /// When it was last used, accurate to ten minutes; `None`: never.
    pub used_at: Option<Moment>,
    /// When both factors were given in the session that created it, or in the browser before; 0: never.
    pub second_at: Moment,
}

/// A way to sign in. It holds a hash and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// `provider:id`, unique among all users.
    pub id: KeyId,
    pub user_id: UserId,
    /// The hash of its password; `None`: it has none.
    pub hashed_password: Option<PasswordHash>,
}

/// The version of a user's credentials: it is incremented when a password changes, a key is removed or the
/// account is disabled. A proof under one epoch is void under another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch(pub(super) i64);

/// What a password is compared with. One statement reads it, so that hashes and epoch belong together. It
/// holds hashes and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: User,
    /// The epoch of the user when the hashes were read.
    pub epoch: Epoch,
    /// The hashes that the password may match, without duplicates; empty: there is no password.
    pub hashes: Vec<PasswordHash>,
}

impl Credentials {
    /// The credentials in these rows, all of one user with a hash each. `None` if there are no rows.
    pub(super) fn of(rows: Vec<(User, Epoch, Option<PasswordHash>)>) -> Option<Self> {
        let mut hashes: Vec<PasswordHash> = Vec::with_capacity(rows.len());
        let mut owner = None;
        for (user, epoch, hash) in rows {
            owner = Some((user, epoch));
            hashes.extend(hash.filter(|it| !hashes.contains(it)));
        }
        owner.map(|(user, epoch)| Self { user, epoch, hashes })
    }
}

/// How a sign-in name changes when its user is renamed. It holds a hash and so has no `Debug`.
pub(super) struct Renaming {
    pub(super) from: KeyId,
    /// The new key, which replaces `from` and any key with its own id.
    pub(super) to: Key,
}

/// Which sign-in name moves when the user is renamed from `before` to `after`: the one with the old name,
/// or else the first, as an import may have brought others. `None` if the user has no sign-in name, or has
/// the new one already.
pub(super) fn renaming(names: &[Key], before: &str, after: &str) -> Option<Renaming> {
    let of = |name: &str| names.iter().find(|it| it.id.sign_in_name() == Some(name));
    let there = of(after);
    let moved = of(before).or(there).or(names.first())?;
    if there.is_some_and(|it| it.id == moved.id) {
        return None;
    }
    let hash = moved.hashed_password.as_ref().or(there.and_then(|it| it.hashed_password.as_ref()));
    let (id, user_id) = (KeyId::username(after), moved.user_id.clone());
    let to = Key { id, user_id, hashed_password: hash.cloned() };
    Some(Renaming { from: moved.id.clone(), to })
}

/// A session of a signed-in browser. It holds the hash of a token and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The hash of the token, which only the browser has.
    pub id: TokenHash,
    pub user_id: UserId,
    /// The last moment at which it is active.
    pub active_expires: Moment,
    /// The last moment at which it is valid.
    pub idle_expires: Moment,
    /// The absolute end, which no renewal passes.
    pub absolute_expires: Moment,
    /// When it started.
    pub created_at: Moment,
    /// When the password was last given in it.
    pub proven_at: Moment,
    /// When it was last used, accurate to ten minutes.
    pub seen_at: Moment,
    /// The browser and address by which its owner recognises it.
    pub place: ClientInfo,
    /// When both factors were given in it, or in the browser in which it started; 0: never.
    pub second_at: Moment,
}

/// What a user recognises a session by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientInfo {
    /// The browser and system, as in `Firefox on Linux`; empty: unknown.
    pub browser: String,
    /// The client address; empty: unknown.
    pub address: String,
    /// The session ends with the browser: it has no "Stay signed in".
    pub is_transient: bool,
}

/// What a one-time token is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    ResetPassword,
    /// Shows that the address in `detail` is the user's.
    VerifyEmail,
    /// A sign-in after the right password, which waits for the second factor.
    SecondStep,
}

impl Purpose {
    /// The text that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset_password",
            Self::VerifyEmail => "verify_email",
            Self::SecondStep => "second_step",
        }
    }
}

/// What is known of the key that seals secrets: rows of `secret` that reveal no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealRow {
    /// The check value of the key with which secrets are sealed.
    Current,
    /// The check value of the key before it, while secrets are sealed anew.
    Previous,
}

impl SealRow {
    /// The name of the row.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Current => "seal",
            Self::Previous => "seal_before",
        }
    }
}

/// A stored secret that is written in another form. It holds secrets and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretChange {
    /// The user whose app it is of.
    pub user_id: UserId,
    /// What is stored.
    pub before: Vec<u8>,
    /// What is to be stored.
    pub after: Vec<u8>,
}

/// A token that does one thing for its user, once. It holds the hash of a token and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeToken {
    /// The hash of the token in the link.
    pub id: TokenHash,
    /// The user for whom it acts.
    pub user_id: UserId,
    pub purpose: Purpose,
    pub created_at: Moment,
    /// The last moment at which it is valid.
    pub expires_at: Moment,
    /// What the purpose needs to know in addition to the user; empty: nothing.
    pub detail: String,
}

/// An authenticator app, which shows codes (TOTP, RFC 6238). It holds a secret and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Totp {
    pub user_id: UserId,
    /// The shared secret as it is stored, in the clear or sealed.
    pub secret: Vec<u8>,
    /// The last time step (Unix time / 30 s) of which a code was accepted: no code of it or of one before is.
    pub last_step: i64,
    /// When it was set up.
    pub created_at: Moment,
}

/// What proves that the second factor was given. It is used up. It holds a hash and so has no `Debug`.
#[derive(Clone, Copy)]
pub enum FactorProof<'a> {
    /// A code of the user's app that belongs to this time step.
    Step(i64),
    RecoveryCode(TokenHash),
    /// A use of a passkey of the user.
    Passkey(&'a PasskeyUse),
    /// A right code of an app that is set up by this, with these recovery codes. The user has none yet.
    NewApp(&'a Totp, &'a [TokenHash]),
    /// A use of a passkey of the user, by which the second factor is turned on with these recovery codes. It is not on
    /// yet.
    NewPasskey(&'a PasskeyUse, &'a [TokenHash]),
}

/// A mail that waits to be sent. It contains nothing secret: the token of its link is made when it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// 15 random characters, which its `Message-ID` is made of.
    pub id: String,
    /// What it says; [`Letter::NOTHING`]: nothing, and it is dropped when its turn comes.
    pub kind: String,
    /// The user it is about; empty: none.
    pub user_id: String,
    /// Where it goes, as it was when it was queued; empty: to the address that is the user's then.
    pub address: String,
    /// The language of the page that caused it: its code.
    pub language: String,
    /// What it tells beside: fields as in the log; empty: nothing.
    pub detail: String,
    pub created_at: Moment,
    /// When it is to be tried next.
    pub due_at: Moment,
    /// How often it was tried in vain.
    pub tries: u32,
    /// How the last try failed, in a word; empty: there was none.
    pub last_outcome: String,
}

impl Letter {
    /// The kind of one that stands for a mail that is not to be sent, so that asking for it costs the same.
    pub const NOTHING: &str = "nothing";

    /// The letter, or one of kind [`Letter::NOTHING`] in its place.
    pub(super) fn if_allowed(&self, is_allowed: bool) -> Self {
        if is_allowed {
            return self.clone();
        }
        let (kind, user_id, address) = (Self::NOTHING.to_owned(), String::new(), String::new());
        Self { kind, user_id, address, detail: String::new(), ..self.clone() }
    }
}

/// An invitation: a link with which people create accounts. It holds the hash of a token and so has no
/// `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// The hash of the token in the link.
    pub id: TokenHash,
    /// What it is for. Only operators see this.
    pub note: String,
    /// The groups of the accounts created with it.
    pub groups: Groups,
    /// How many more accounts can be created with it: at least one.
    pub uses_left: u32,
    /// It creates the first account, and is valid only while there is none.
    pub is_first: bool,
    pub created_at: Moment,
    /// The last moment at which it is valid.
    pub expires_at: Moment,
}

/// Stands for a canonical name that must not be readable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NameHash(pub(super) [u8; 16]);

impl NameHash {
    /// The hash of a canonical name under the random key of the database.
    pub(super) fn of(key: &[u8; 32], canonical: &str) -> Self {
        // The prefix keeps it apart from other hashes under this key.
        Self(token::keyed_hash(key, &format!("rest:{canonical}")))
    }
}

/// A name that rests: an account had it, and it is reserved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestingName {
    pub id: NameHash,
    /// The renamed user whose name it was, and who may take it back; `None`: the account was deleted.
    pub user_id: Option<UserId>,
    /// The last moment at which it is reserved.
    pub expires_at: Moment,
}

/// A browser that has signed in to an account before. It holds the hash of a secret and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// The hash of the device token, which only the browser has.
    pub id: TokenHash,
    pub user_id: UserId,
    /// The last sign-in to the account from there.
    pub last_used_at: Moment,
    /// When both factors were given there by a user who wanted the browser to be remembered; 0: never.
    pub second_at: Moment,
}

/// The id of what failures are counted under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountId(pub(super) [u8; 16]);

impl CountId {
    /// The id for a keyed hash of what is counted.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// How often attempts have failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    /// Failures since the last success.
    pub failures: u32,
    pub last_at: Moment,
    /// When its effect ends. Rows with an earlier one matter less.
    pub until: Moment,
}

/// An event of the audit log. It contains nothing secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub at: Moment,
    /// The name of the event, as in the log.
    pub event: String,
    /// The account concerned, if known.
    pub user_id: Option<String>,
    /// The client address, if known.
    pub address: Option<String>,
    /// The session's handle in the log.
    pub session: Option<String>,
    /// The request's id in the log.
    pub request: Option<String>,
    /// Further fields, as in the log.
    pub detail: String,
}

impl Record {
    /// A record of something that no request caused.
    pub fn of_program(event: &str, detail: String, at: Moment) -> Self {
        let (user_id, address, session, request) = (None, None, None, None);
        Self { at, event: event.to_owned(), user_id, address, session, request, detail }
    }
}

/// A use to be noted. A later time is never replaced by an earlier one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A session was used; its expiries stay.
    Session {
        id: TokenHash,
        at: Moment,
    },
    /// A session was renewed.
    Renewal {
        id: TokenHash,
        /// The last moment at which it is active.
        active_expires: Moment,
        /// The last moment at which it is valid.
        idle_expires: Moment,
        at: Moment,
    },
    AccessToken {
        id: TokenHash,
        at: Moment,
    },
}

impl Use {
    /// The hash of the token that was used: the key under which uses are merged.
    pub const fn id(&self) -> &TokenHash {
        match self {
            Self::Session { id, .. } | Self::Renewal { id, .. } | Self::AccessToken { id, .. } => {
                id
            }
        }
    }
}

/// What is written with a new session.
#[derive(Clone, Default)]
pub struct SessionStart {
    /// The session that the browser presented: it ends.
    pub replaced: Option<TokenHash>,
    /// The epoch under which the password was verified. If the user has another one by now, no session
    /// starts: the password was changed meanwhile. (Rehashing it does not change the epoch.)
    pub proof: Option<Epoch>,
    pub place: ClientInfo,
    /// The count that the success clears.
    pub cleared: Option<CountId>,
    /// The device, new or known.
    pub device: Option<Device>,
    /// When both factors were given; 0: only one was.
    pub second_at: Moment,
    /// A mail about it, which is queued with it.
    pub letter: Option<Letter>,
}

/// The second factor of a user. It holds a secret and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The authenticator app. `None`: it is given with a passkey.
    pub totp: Option<Totp>,
    /// The hashes of the recovery codes that are not used.
    pub recovery_codes: Vec<TokenHash>,
}

/// A user to be imported. It holds hashes of passwords and tokens and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedUser {
    pub user: User,
    /// The source has no user ids, so an existing user with this name is taken for this one; the id in
    /// `user` was generated.
    pub is_known_by_name: bool,
    /// The source's other columns: a JSON object; empty: none.
    pub attributes: String,
    /// Their keys.
    pub keys: Vec<Key>,
    /// Their sessions.
    pub sessions: Vec<Session>,
    /// Their second factor, if [`User::second_factor_since`] says that there is one.
    pub second_factor: Option<SecondFactor>,
    /// Their passkeys.
    pub passkeys: Vec<Passkey>,
}

/// What exists already of a user who is to be imported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportStatus {
    New,
    /// The user exists, with this many of their keys and sessions.
    Here {
        keys: usize,
        sessions: usize,
    },
    /// Another user has the id.
    IdTaken,
    /// Another user has the name, or signs in with it.
    NameTaken,
    /// The name rests.
    NameRests,
    /// Another user has this key, or has the name in it.
    KeyTaken(KeyId),
    /// Another user has one of the sessions.
    SessionTaken,
    /// Another user has one of the passkeys.
    PasskeyTaken,
}

impl ImportStatus {
    /// Whether another user stands in the way, or a resting name.
    pub const fn is_conflict(&self) -> bool {
        !matches!(self, Self::New | Self::Here { .. })
    }
}

/// A user with their keys and sessions. It holds hashes of passwords and tokens and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportedUser {
    pub user: User,
    /// The other columns that an import brought: a JSON object; empty: none.
    pub attributes: String,
    /// Their keys, in the order of their ids.
    pub keys: Vec<Key>,
    /// Their sessions, oldest first.
    pub sessions: Vec<Session>,
    /// Their second factor; the recovery codes are in the order of their hashes.
    pub second_factor: Option<SecondFactor>,
    /// Their passkeys, oldest first.
    pub passkeys: Vec<Passkey>,
}

/// How much there is in a database, for metrics.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Census {
    /// Accounts.
    pub users: i64,
    /// Sessions that have not ended.
    pub sessions: i64,
    /// Mails that wait.
    pub mails: i64,
    /// When the mail was queued that has waited for longest; `None`: none waits.
    pub oldest_mail: Option<Moment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_key_at_its_first_colon() {
        let key = KeyId::new("email", "a:b@x").unwrap();
        assert_eq!((key.provider(), key.provider_user_id()), ("email", "a:b@x"));
        assert_eq!(KeyId::new("", "x"), None);
        assert_eq!(KeyId::new("a:b", "x"), None);
    }
}
