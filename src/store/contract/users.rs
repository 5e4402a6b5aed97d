//! Accounts: users, their present and former names, and their ways to sign in.

use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::TokenHash;
use crate::store::rows::{self, Cell, Statements, cells, key_columns, user_columns};
use crate::store::{
    Credentials, Epoch, Groups, Key, KeyAdded, KeyId, Letter, Maintenance, NameHash,
    PasswordChanged, PasswordSet, Result, Session, SessionStart, SignedUp, User, UserAdded,
    UserFilter, UserId, UserOrder, UserPage, UserRenamed,
};

/// What is selected of the users that a [`UserFilter`] lets through, and what follows. Not `NOT IN` for the users without
/// a password: MariaDB would fill a temporary table with all others, which takes three times as long as to look each up.
macro_rules! listed_users {
    ($what:literal, $rest:literal) => { listed_users!(@ [$what] [$rest]) };
    ($rest:literal) => { listed_users!(@ [user_columns!()] [$rest]) };
    (@ [$($what:tt)+] [$rest:literal]) => {
        concat!(
            "SELECT ",
            $($what)+,
            " FROM user
              WHERE (? IS NULL OR instr(concat(',', user.group_names, ','), ?) > 0)
                AND (? = 0 OR user.disabled_at IS NOT NULL)
                AND (? = 0 OR (SELECT 1 FROM user_key
                                WHERE user_key.user_id = user.id
                                  AND user_key.hashed_password IS NOT NULL LIMIT 1) IS NULL)
                AND (? IS NULL OR user.id = ? OR instr(user.canonical_username, ?) > 0
                      OR instr(lower(user.email), ?) > 0
                      OR user.id IN (SELECT user_id FROM user_key
                                      WHERE instr(substr(id, instr(id, ':') + 1), ?) > 0))",
            $rest
        )
    };
}

/// Accounts.
pub trait Users: Statements {
    /// Adds a user with any number of keys, all or nothing. [`UserAdded::NameTaken`] if the canonical name
    /// or a key exists, or if another user signs in with the name; [`UserAdded::NameReserved`] if the name,
    /// or a sign-in name among the keys, rests when the user is created.
    fn add_user(&self, user: &User, keys: &[Key]) -> Result<UserAdded>;

    /// Adds a user with a key and a first session, if they get one, uses the invitation in `entry`, if any, and does what
    /// else `entry` says, all or nothing. Of any number of simultaneous calls for one name exactly one is
    /// [`SignedUp::Done`], and of those with one invitation as many as it has uses left.
    fn sign_up(
        &self,
        user: &User,
        key: &Key,
        session: Option<&Session>,
        invite: Option<&TokenHash>,
        entry: &SessionStart,
    ) -> Result<SignedUp>;

    /// The user with this id.
    fn user(&self, id: &UserId) -> Result<Option<User>> {
        rows::one(
            self,
            concat!("SELECT ", user_columns!(), " FROM user WHERE user.id = ?"),
            &cells![id],
        )
    }

    /// The user with this canonical name.
    fn user_by_name(&self, canonical: &str) -> Result<Option<User>> {
        rows::one(
            self,
            concat!("SELECT ", user_columns!(), " FROM user WHERE user.canonical_username = ?"),
            &cells![canonical],
        )
    }

    /// The users that a filter lets through, as far as they are in this part of the list.
    fn users(&self, filter: &UserFilter, page: &UserPage<'_>) -> Result<Vec<User>> {
        if page.is_whole() {
            // Neither engine is faster at it: SQLite would look up each user by the index of names.
            let group = filter.group.as_ref().map(|it| format!(",{it},"));
            let params = filter_cells(filter, group.as_deref());
            let mut all = rows::all(self, listed_users!(""), &params)?;
            page.sort(&mut all);
            return Ok(all);
        }
        let sql = match (page.order, page.is_reversed) {
            (UserOrder::Name, false) => listed_users!(
                " AND (? IS NULL OR user.canonical_username > ?)
                  ORDER BY user.canonical_username LIMIT ?"
            ),
            (UserOrder::Name, true) => listed_users!(
                " AND (? IS NULL OR user.canonical_username < ?)
                  ORDER BY user.canonical_username DESC LIMIT ?"
            ),
            (UserOrder::Created, false) => listed_users!(
                " AND (? IS NULL OR (user.created_at, user.canonical_username) > (?, ?))
                  ORDER BY user.created_at, user.canonical_username LIMIT ?"
            ),
            (UserOrder::Created, true) => listed_users!(
                " AND (? IS NULL OR (user.created_at, user.canonical_username) < (?, ?))
                  ORDER BY user.created_at DESC, user.canonical_username DESC LIMIT ?"
            ),
        };
        let group = filter.group.as_ref().map(|it| format!(",{it},"));
        let mut params = filter_cells(filter, group.as_deref()).to_vec();
        let name = Cell::from(page.after.map(|it| &it.canonical_username));
        params.push(name);
        if page.order == UserOrder::Created {
            params.push(page.after.map(|it| it.created_at).into());
        }
        params.push(name);
        params.push(page.limit.map_or(i64::MAX, i64::from).into());
        rows::all(self, sql, &params)
    }

    /// How many users a filter lets through.
    fn count_users(&self, filter: &UserFilter) -> Result<u64> {
        if *filter == UserFilter::default() {
            // An engine counts a whole table by its smallest index.
            let count: Option<i64> = rows::one(self, "SELECT count(*) FROM user", &[])?;
            return Ok(count.unwrap_or(0).unsigned_abs());
        }
        let group = filter.group.as_ref().map(|it| format!(",{it},"));
        let params = filter_cells(filter, group.as_deref());
        let count: Option<i64> = rows::one(self, listed_users!("count(*)", ""), &params)?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// Renames a user, moves their `username:` key to the new name, whatever it was, and deletes their
    /// reset links. Of several such keys the one with the old name moves, or else the first; a user without
    /// any gets none. With `rests_until`, the old name and the one that the key had rest from then on for
    /// every other user, unless the new one is another spelling of it. [`UserRenamed::NameTaken`] if another
    /// user has the new name or signs in with it, [`UserRenamed::NameReserved`] if it rests for another user.
    fn rename_user(
        &self,
        id: &UserId,
        username: &str,
        canonical: &str,
        rests_until: Option<Moment>,
        now: Moment,
    ) -> Result<UserRenamed>;

    /// Replaces the groups of a user. `false` if there is no such user.
    fn set_groups(&self, id: &UserId, groups: &Groups) -> Result<bool> {
        let sql = "UPDATE user SET group_names = ? WHERE id = ?";
        Ok(self.execute(sql, &cells![groups, id])? > 0)
    }

    /// Puts a user who is in the groups `old` and in no others in the groups `new`. `false` if there is no such
    /// user, or they are in other groups by now: another operator has changed them meanwhile.
    fn replace_groups(&self, id: &UserId, old: &Groups, new: &Groups) -> Result<bool> {
        let sql = "UPDATE user SET group_names = ? WHERE id = ? AND group_names = ?";
        Ok(self.execute(sql, &cells![new, id, old])? > 0)
    }

    /// Sets the e-mail address of a user, and since when it is known to be theirs; empty: none. Deletes their
    /// one-time tokens, which may have been sent to the old address, and queues a letter about it. `false`, and
    /// nothing is queued, if there is no such user.
    fn set_email(
        &self,
        id: &UserId,
        email: &str,
        verified_at: Option<Moment>,
        letter: Option<&Letter>,
    ) -> Result<bool>;

    /// Disables a user and ends all their sessions and reset links: none can start any more. Of a user who is
    /// disabled already, moment and reason stay. `false` if there is no such user.
    fn disable_user(&self, id: &UserId, reason: &str, now: Moment) -> Result<bool>;

    /// Changes why a user is disabled. `false` if there is no such user, or they are not disabled.
    fn set_disabled_reason(&self, id: &UserId, reason: &str) -> Result<bool> {
        let sql = "UPDATE user SET disabled_reason = ? WHERE id = ? AND disabled_at IS NOT NULL";
        Ok(self.execute(sql, &cells![reason, id])? > 0)
    }

    /// Enables a disabled user; reset links from before stay invalid. `false` if there is no such user.
    fn enable_user(&self, id: &UserId) -> Result<bool>;

    /// Deletes a user with their keys, sessions, access tokens, devices and mails, in one transaction. With
    /// `rests_until`, their name and every name that they signed in with rest from then on; these and their
    /// former names rest as hashes without an owner. Queues a letter about it, which stays. `false`, and nothing is
    /// queued, if there was no such user.
    fn delete_user(
        &self,
        id: &UserId,
        rests_until: Option<Moment>,
        letter: Option<&Letter>,
    ) -> Result<bool>;
}

/// The parameters of the conditions in `listed_users`.
fn filter_cells<'a>(filter: &'a UserFilter, group: Option<&'a str>) -> [Cell<'a>; 9] {
    let search = filter.search.as_deref();
    cells![
        group,
        group,
        filter.only_disabled,
        filter.only_without_password,
        search,
        search,
        search,
        search,
        search,
    ]
}

/// Resting names: an account had them, and they are reserved for a time. Each is stored as a hash with the
/// random key of the database.
pub trait Names: Statements + Maintenance {
    /// Whether no user has this canonical name or signs in with it, and it does not rest at this moment.
    /// One look-up that does the same work whatever the answer.
    fn is_name_free(&self, canonical: &str, now: Moment) -> Result<bool> {
        let (key, id) = (KeyId::username(canonical), NameHash::of(self.handle_key(), canonical));
        // Sums instead of OR, which would stop at the first match.
        let found: Option<i64> = rows::one(
            self,
            "SELECT (SELECT count(*) FROM user WHERE canonical_username = ?)
                  + (SELECT count(*) FROM user_key WHERE id = ?)
                  + (SELECT count(*) FROM resting_name WHERE id = ? AND expires_at >= ?)",
            &cells![canonical, &key, &id, now],
        )?;
        Ok(found == Some(0))
    }

    /// Ends the rest of a name. `false` if it did not rest.
    fn free_name(&self, canonical: &str) -> Result<bool> {
        let id = NameHash::of(self.handle_key(), canonical);
        Ok(self.execute("DELETE FROM resting_name WHERE id = ?", &cells![&id])? > 0)
    }

    /// Deletes up to `limit` names whose rest ended before `now`, and returns how many.
    fn delete_rested_names(&self, now: Moment, limit: u32) -> Result<usize> {
        self.sweep("resting_name", "expires_at", now, limit)
    }
}

/// Keys: ways to sign in.
pub trait Keys: Statements {
    /// Adds a key to a user. [`KeyAdded::Taken`] if any user has a key with this id, or if it is a sign-in
    /// name that is another user's username; [`KeyAdded::NameReserved`] if it is a sign-in name that rests
    /// at this moment for another user. The user may take back a name of their own.
    fn add_key(&self, key: &Key, now: Moment) -> Result<KeyAdded>;

    /// Adds a sign-in name to a user, with the password that they have, if any: of several, that of their
    /// own username, or else that of the first key. Refused as by [`Keys::add_key`].
    fn add_sign_in_name(&self, user: &UserId, canonical: &str, now: Moment) -> Result<KeyAdded>;

    /// The key with this id.
    fn key(&self, id: &KeyId) -> Result<Option<Key>> {
        rows::one(
            self,
            concat!("SELECT ", key_columns!(), " FROM user_key WHERE user_key.id = ?"),
            &cells![id],
        )
    }

    /// The key with this id, and its user.
    fn user_of_key(&self, id: &KeyId) -> Result<Option<(User, Key)>> {
        rows::one(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                ", ",
                key_columns!(),
                " FROM user_key JOIN user ON user.id = user_key.user_id WHERE user_key.id = ?"
            ),
            &cells![id],
        )
    }

    /// All keys of a user, in the order of their ids; empty if there is no such user.
    fn keys_of(&self, id: &UserId) -> Result<Vec<Key>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                key_columns!(),
                " FROM user_key WHERE user_key.user_id = ? ORDER BY user_key.id"
            ),
            &cells![id],
        )
    }

    /// What a password given with this key is compared with: the key's hash alone. `None` if there is no
    /// such key.
    fn credentials_of_key(&self, id: &KeyId) -> Result<Option<Credentials>> {
        let found = rows::all(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                ", user.epoch, user_key.hashed_password
                   FROM user_key JOIN user ON user.id = user_key.user_id WHERE user_key.id = ?"
            ),
            &cells![id],
        )?;
        Ok(Credentials::of(found))
    }

    /// What a password is compared with when a signed-in user gives it again: the hashes of all their keys,
    /// those of sign-in names first. `None` if there is no such user.
    fn credentials_of_user(&self, id: &UserId) -> Result<Option<Credentials>> {
        let found = rows::all(
            self,
            // `;` is the character after `:`.
            concat!(
                "SELECT ",
                user_columns!(),
                ", user.epoch, user_key.hashed_password
                   FROM user LEFT JOIN user_key ON user_key.user_id = user.id
                  WHERE user.id = ?
                  ORDER BY user_key.id >= 'username:' AND user_key.id < 'username;' DESC,
                           user_key.id"
            ),
            &cells![id],
        )?;
        Ok(Credentials::of(found))
    }

    /// Deletes a key of this user, increments their epoch and ends all their sessions, access tokens and
    /// reset links, in one transaction, as any of them may have been obtained with that key. With
    /// `rests_until`, a sign-in name other than the username rests from then on for every other user.
    /// `false` if they have no such key.
    fn delete_key(&self, user: &UserId, id: &KeyId, rests_until: Option<Moment>) -> Result<bool>;

    /// Sets or removes the password of a user, increments their epoch and ends all their sessions, access
    /// tokens and reset links, in one transaction: nothing obtained with the old password stays valid.
    ///
    /// Every key that has a password gets the new one, and so does every sign-in name. A user without a
    /// sign-in name gets their username as one. [`PasswordSet::NameTaken`] if that is another user's
    /// sign-in name and there is no other key to set the password on.
    fn set_password(&self, user: &UserId, hash: Option<&PasswordHash>) -> Result<PasswordSet>;

    /// Replaces `old` by `new` on every key of the user: the same password, rehashed. `false` if no key has
    /// `old` any more: a password that was changed meanwhile must stay.
    fn replace_hash(&self, user: &UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool> {
        let sql = "UPDATE user_key SET hashed_password = ?
                    WHERE user_id = ? AND hashed_password = ?";
        Ok(self.execute(sql, &cells![new, user, old])? > 0)
    }

    /// Sets the password of the owner of `session` as [`Keys::set_password`] does, and starts that session
    /// with what `entry` says, all or nothing. [`PasswordChanged::ProofOutdated`] if the user is gone or
    /// disabled, or has another epoch than `proof`, as the current password was then proven against
    /// outdated credentials.
    fn change_password(
        &self,
        proof: Epoch,
        new: &PasswordHash,
        session: &Session,
        entry: &SessionStart,
    ) -> Result<PasswordChanged>;
}
