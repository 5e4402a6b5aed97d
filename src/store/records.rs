//! What is written down, as plain values: what goes into the store and what comes out.

use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::{self, TokenHash};

/// Names a user. Never shown as a secret, never used again.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UserId(pub(super) String);

impl UserId {
    /// An id as it was made or stored.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a key: `provider:id`, as in Lucia. The provider ends at the first colon.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct KeyId(pub(super) String);

impl KeyId {
    /// The key that `provider` knows as `id`. `None` if the provider is empty or has a colon,
    /// which would make two different keys one.
    pub fn new(provider: &str, id: &str) -> Option<Self> {
        let splits = !provider.is_empty() && !provider.contains(':');
        splits.then(|| Self(format!("{provider}:{id}")))
    }

    /// The key of somebody who signs in with a name: `username:` and the canonical name.
    pub fn username(canonical: &str) -> Self {
        Self(format!("username:{canonical}"))
    }

    /// The canonical name that this key lets its user sign in with. `None`: it is of another provider.
    pub fn sign_in_name(&self) -> Option<&str> {
        self.0.strip_prefix("username:")
    }

    /// The whole id, as it is stored.
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

/// Somebody with an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// 15 random characters.
    pub id: UserId,
    /// The name as first typed.
    pub username: String,
    /// The name that decides who is who.
    pub canonical_username: String,
    /// When the account was made.
    pub created_at: Moment,
    /// The groups that the operator has put them in.
    pub groups: Groups,
    /// Where apps may write to them; empty: not known.
    pub email: String,
    /// Since when they are shut out, if they are.
    pub disabled_at: Option<Moment>,
    pub disabled_reason: String,
}

/// Names of groups, in order, each once. As text they have a comma between them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Groups(pub(super) String);

impl Groups {
    /// Groups as they were checked or stored.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// All of them, with a comma between them; empty: none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each name.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').filter(|it| !it.is_empty())
    }
}

/// A secret that somebody made for their scripts. It holds its hash and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The hash of the token that the script holds.
    pub id: TokenHash,
    pub user_id: UserId,
    pub name: String,
    pub created_at: Moment,
    /// The last moment at which it is good.
    pub expires_at: Moment,
    /// When it was last used, roughly; `None`: never.
    pub used_at: Option<Moment>,
}

/// A way to prove who one is. It holds a hash and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// `provider:id`.
    pub id: KeyId,
    pub user_id: UserId,
    /// `None`: this key has no password.
    pub hashed_password: Option<PasswordHash>,
}

/// The state of a user's credentials: raised whenever one of them changes. What was proven under one epoch
/// opens nothing under another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch(pub(super) i64);

/// What a password is compared with: read in one statement, so that hashes and epoch belong together. It
/// holds hashes and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: User,
    /// The epoch of the user.
    pub epoch: Epoch,
    /// The hashes that the password may match, each once; empty: there is no password.
    pub hashes: Vec<PasswordHash>,
}

impl Credentials {
    /// The credentials that these rows tell of, which name one user and a hash each. `None`: no rows.
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

/// How a sign-in name moves when its user is renamed. It holds a hash and so has no `Debug`.
pub(super) struct Renaming {
    pub(super) from: KeyId,
    /// The key that comes in its place, and in the place of one with its id.
    pub(super) to: Key,
}

/// Which of the sign-in names of a user moves when the user, called `before`, is called `after`: that of
/// the old name, or else the first, since an import may have brought others over. `None`: the user signs in
/// with no name, or with the new one already.
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

/// A browser that was let in. It holds the hash of a token and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The hash of the token that the browser holds.
    pub id: TokenHash,
    pub user_id: UserId,
    /// The last moment at which it is active.
    pub active_expires: Moment,
    /// The last moment at which it is good at all.
    pub idle_expires: Moment,
    /// The moment that no renewal passes.
    pub absolute_expires: Moment,
    /// When it was let in.
    pub created_at: Moment,
    /// When the password was last given in it.
    pub proven_at: Moment,
    /// When it was last used, roughly.
    pub seen_at: Moment,
    /// What its owner recognises it by.
    pub place: ClientInfo,
}

/// What somebody recognises a session by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientInfo {
    /// The browser in a few words; empty if not known.
    pub browser: String,
    /// The address; empty if not known.
    pub address: String,
    /// The browser forgets the session when it is closed.
    pub is_transient: bool,
}

/// What a one-time token does for its user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    ResetPassword,
}

impl Purpose {
    /// The purpose as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset_password",
        }
    }
}

/// A token that does one thing for its user, once. It holds the hash of a token and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeToken {
    /// The hash of the token in the link.
    pub id: TokenHash,
    /// The user whom it acts for.
    pub user_id: UserId,
    pub purpose: Purpose,
    pub created_at: Moment,
    /// The last moment at which it is valid.
    pub expires_at: Moment,
    /// What the purpose needs to know beside the user; empty: nothing.
    pub detail: String,
}

/// A link with which somebody makes an account. It holds the hash of a token and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// The hash of the token in the link.
    pub id: TokenHash,
    /// What it is for, for operators.
    pub note: String,
    /// The groups that whoever comes with it is put in.
    pub groups: Groups,
    /// How many accounts may still be made with it: at least one.
    pub uses_left: u32,
    /// It makes the first account, and is good only while there is none.
    pub is_first: bool,
    pub created_at: Moment,
    /// The last moment at which it is good.
    pub expires_at: Moment,
}

/// Stands for a canonical name that nobody may read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NameHash(pub(super) [u8; 16]);

impl NameHash {
    /// The hash of a canonical name, with the random key of the database.
    pub(super) fn of(key: &[u8; 32], canonical: &str) -> Self {
        // Other things are hashed with this key as well, and none begins like this.
        Self(token::keyed_hash(key, &format!("rest:{canonical}")))
    }
}

/// A name that an account has had and that nobody may take now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestingName {
    pub id: NameHash,
    /// The user who had it and has another one now, and who may take it back; `None`: they are gone.
    pub user_id: Option<UserId>,
    /// The last moment at which it rests.
    pub expires_at: Moment,
}

/// A browser in which somebody has signed in to an account. It holds the hash of a secret and so has
/// no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// The hash of the secret that the browser holds.
    pub id: TokenHash,
    pub user_id: UserId,
    /// When somebody last signed in to it there.
    pub last_used_at: Moment,
}

/// Names a thing whose failures are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountId(pub(super) [u8; 16]);

impl CountId {
    /// The id of a thing, by its keyed hash.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// How often a thing has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    /// How many times, since the last success.
    pub failures: u32,
    pub last_at: Moment,
    /// What follows from it, until when. Rows with an earlier one matter less.
    pub until: Moment,
}

/// Something that happened, for the audit trail. It holds nothing secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub at: Moment,
    /// What, as in the log.
    pub event: String,
    /// To whose account, if that is known.
    pub user_id: Option<String>,
    /// From which address, if that is known.
    pub address: Option<String>,
    /// In which session, by its handle in the log.
    pub session: Option<String>,
    /// By which request, by its name in the log.
    pub request: Option<String>,
    /// Anything else, as in the log.
    pub detail: String,
}

impl Record {
    /// A record of what the program itself did, and no request.
    pub fn of_program(event: &str, detail: String, at: Moment) -> Self {
        let (user_id, address, session, request) = (None, None, None, None);
        Self { at, event: event.to_owned(), user_id, address, session, request, detail }
    }
}

/// That something was used. It is written down so that nothing moves earlier that another use has moved later.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A session, which goes on as it was.
    Session {
        id: TokenHash,
        at: Moment,
    },
    /// A session, which is active again.
    Renewal {
        id: TokenHash,
        /// Until when it is active.
        active_expires: Moment,
        /// Until when it is idle.
        idle_expires: Moment,
        at: Moment,
    },
    AccessToken {
        id: TokenHash,
        at: Moment,
    },
}

impl Use {
    /// Of what: each has an id of its own.
    pub const fn id(&self) -> &TokenHash {
        match self {
            Self::Session { id, .. } | Self::Renewal { id, .. } | Self::AccessToken { id, .. } => {
                id
            }
        }
    }
}

/// What is written when somebody is let in, beside their session.
#[derive(Clone, Default)]
pub struct SessionStart {
    /// The session they came with: it ends.
    pub replaced: Option<TokenHash>,
    /// The epoch under which the password was compared. If the user has another one by now, no session
    /// begins: a password that was changed meanwhile opens nothing any more, and one that was only hashed
    /// anew still does.
    pub proof: Option<Epoch>,
    pub place: ClientInfo,
    /// The count that success clears.
    pub cleared: Option<CountId>,
    /// The browser, known from now on or still.
    pub device: Option<Device>,
}

/// Somebody who comes over. It holds hashes of passwords and tokens and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedUser {
    pub user: User,
    /// Whoever is here by the same name is them: where they come from there are no ids, and the one in
    /// `user` is new.
    pub is_known_by_name: bool,
    /// What else was known of them: an object in JSON; empty: nothing.
    pub attributes: String,
    /// Their ways to prove who they are.
    pub keys: Vec<Key>,
    /// The browsers that they are signed in with.
    pub sessions: Vec<Session>,
}

/// What there is already of somebody who comes over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportStatus {
    New,
    /// The user, and this many of their keys and sessions.
    Here {
        keys: usize,
        sessions: usize,
    },
    /// Somebody with another name has the id.
    IdTaken,
    /// Somebody with another id has the name, or signs in with it.
    NameTaken,
    /// Somebody had the name, and it rests.
    NameRests,
    /// Somebody else has this key, or is called by the name in it.
    KeyTaken(KeyId),
    /// Somebody else has one of the sessions.
    SessionTaken,
}

impl ImportStatus {
    /// Whether somebody else is in their place, or was.
    pub const fn is_conflict(&self) -> bool {
        !matches!(self, Self::New | Self::Here { .. })
    }
}

/// Somebody with their keys and sessions. It holds hashes of passwords and tokens and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportedUser {
    pub user: User,
    /// What else was known of them where they came from: an object in JSON; empty: nothing.
    pub attributes: String,
    /// Their ways to prove who they are, by their ids.
    pub keys: Vec<Key>,
    /// The browsers that they are signed in with, oldest first.
    pub sessions: Vec<Session>,
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
