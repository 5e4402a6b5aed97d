//! The statements for keys.

use super::{
    Mysql, MysqlFault, MysqlResult, Tx, delete_rows_of, has_session, insert_session, lock_user,
};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::store::contract::FORGET_BROWSERS;
use crate::store::outcomes::Refused;
use crate::store::records::renaming;
use crate::store::rows::key_columns;
use crate::store::tables::ALL;
use crate::store::{
    Epoch, Key, KeyAdded, KeyId, Keys, PasswordChanged, PasswordSet, Result, Session, SessionStart,
    UserId,
};

/// Selects the keys that are sign-in names: `;` is the character after `:`.
const IS_SIGN_IN_NAME: &str = "user_key.id >= 'username:' AND user_key.id < 'username;'";

impl Keys for Mysql {
    fn add_key(&self, key: &Key, now: Moment) -> Result<KeyAdded> {
        KeyAdded::of(self.write(|tx| {
            let is_ours = |found: Option<Key>| found.is_some_and(|it| it == *key);
            if tx.may_be_applied && is_ours(find(tx, &key.id)?) {
                return Ok(());
            }
            self.insert_new_key(tx, key, now)
        }))
    }

    fn add_sign_in_name(&self, user: &UserId, canonical: &str, now: Moment) -> Result<KeyAdded> {
        let (id, user_id) = (KeyId::username(canonical), user.clone());
        KeyAdded::of(self.write(|tx| {
            let is_ours = |found: Option<Key>| found.is_some_and(|it| it.user_id == *user);
            if tx.may_be_applied && is_ours(find(tx, &id)?) {
                return Ok(());
            }
            lock_user(tx, user.as_str())?.ok_or(MysqlFault::Refused(Refused::NoUser))?;
            let found: Option<Option<PasswordHash>> = tx.first(
                &format!(
                    "SELECT hashed_password FROM user_key JOIN user ON user.id = user_key.user_id
                      WHERE user_id = ? AND hashed_password IS NOT NULL
                      ORDER BY user_key.id = CONCAT('username:', user.canonical_username) DESC,
                               {IS_SIGN_IN_NAME} DESC, user_key.id LIMIT 1"
                ),
                (user.as_str(),),
            )?;
            let hashed_password = found.flatten();
            carry_into_next_epoch(tx, user.as_str())?;
            let key = Key { id: id.clone(), user_id: user_id.clone(), hashed_password };
            self.insert_new_key(tx, &key, now)
        }))
    }

    fn delete_key(&self, user: &UserId, id: &KeyId, rests_until: Option<Moment>) -> Result<bool> {
        Ok(self.write(|tx| {
            let canonical = lock_user(tx, user.as_str())?;
            let sql = "DELETE FROM user_key WHERE id = ? AND user_id = ?";
            if tx.run(sql, (id.as_str(), user.as_str()))? == 0 {
                return Ok(tx.may_be_applied);
            }
            if let Some(name) = id.sign_in_name()
                && canonical.as_deref() != Some(name)
            {
                self.let_rest(tx, name, Some(user), rests_until)?;
            }
            end_everything_of(tx, user.as_str())?;
            Ok(true)
        })?)
    }

    fn set_password(&self, user: &UserId, hash: Option<&PasswordHash>) -> Result<PasswordSet> {
        PasswordSet::of(self.write(|tx| match hash {
            Some(hash) if tx.may_be_applied && has_hash(tx, user, hash)? => Ok(()),
            hash => put_password(tx, user, hash),
        }))
    }

    fn change_password(
        &self,
        proof: Epoch,
        new: &PasswordHash,
        session: &Session,
        entry: &SessionStart,
    ) -> Result<PasswordChanged> {
        let user = &session.user_id;
        PasswordChanged::of(self.write(|tx| {
            if tx.may_be_applied && has_session(tx, &session.id)? {
                return Ok(());
            }
            lock_user(tx, user.as_str())?;
            let sql = "SELECT 1 FROM user WHERE id = ? AND epoch = ?";
            if !tx.exists(sql, (user.as_str(), proof.0))? {
                return Err(MysqlFault::Refused(Refused::NoUser));
            }
            put_password(tx, user, Some(new))?;
            insert_session(tx, session, entry)
        }))
    }
}

impl Mysql {
    /// Adds a key. A sign-in name must not be another user's username, and must not rest for another user.
    // LIMIT: if one server renames a user while another adds the new name as a sign-in name of another user,
    // and the rename moves no key, both succeed; `check` reports it.
    pub(super) fn insert_new_key(
        &self,
        tx: &mut Tx<'_>,
        key: &Key,
        now: Moment,
    ) -> MysqlResult<()> {
        let Some(name) = key.id.sign_in_name() else { return insert_key(tx, key) };
        let sql = "SELECT 1 FROM user WHERE canonical_username = ? AND id <> ?";
        if tx.exists(sql, (name, key.user_id.as_str()))? {
            return Err(MysqlFault::Refused(Refused::Duplicate));
        }
        insert_key(tx, key)?;
        self.take_name(tx, name, &key.user_id, now)
    }
}

/// Sets the password of a user on every key that [`Keys::set_password`] says, and ends what was obtained
/// with the old one.
pub(super) fn put_password(
    tx: &mut Tx<'_>,
    user: &UserId,
    hash: Option<&PasswordHash>,
) -> MysqlResult<()> {
    let canonical = lock_user(tx, user.as_str())?.ok_or(MysqlFault::Refused(Refused::NoUser))?;
    let replaced = tx.run(
        &format!(
            "UPDATE user_key SET hashed_password = ?
              WHERE user_id = ? AND (hashed_password IS NOT NULL OR {IS_SIGN_IN_NAME})"
        ),
        (hash.map(PasswordHash::as_stored), user.as_str()),
    )?;
    if hash.is_some() && sign_in_names(tx, user)?.is_empty() {
        let (id, user_id) = (KeyId::username(&canonical), user.clone());
        match insert_key(tx, &Key { id, user_id, hashed_password: hash.cloned() }) {
            // Another user signs in with the name. The old password is replaced all the same.
            Err(MysqlFault::Refused(Refused::Duplicate)) if replaced > 0 => {}
            done => done?,
        }
    }
    tx.run(FORGET_BROWSERS, (user.as_str(),))?;
    end_everything_of(tx, user.as_str())
}

/// Whether a key of the user has exactly this hash, which is unique by its salt.
pub(super) fn has_hash(tx: &mut Tx<'_>, user: &UserId, hash: &PasswordHash) -> MysqlResult<bool> {
    let sql = "SELECT 1 FROM user_key WHERE user_id = ? AND hashed_password = ?";
    tx.exists(sql, (user.as_str(), hash.as_stored()))
}

/// The sign-in names of a user, in the order of their ids.
pub(super) fn sign_in_names(tx: &mut Tx<'_>, user: &UserId) -> MysqlResult<Vec<Key>> {
    let sql = format!(
        "SELECT {} FROM user_key WHERE user_id = ? AND {IS_SIGN_IN_NAME} ORDER BY id",
        key_columns!()
    );
    tx.all(&sql, (user.as_str(),))
}

/// Moves the sign-in name of a user who is renamed from `before` to `after`, if they have one, and returns
/// the key that it had.
pub(super) fn move_sign_in_name(
    tx: &mut Tx<'_>,
    user: &UserId,
    before: &str,
    after: &str,
) -> MysqlResult<Option<KeyId>> {
    refuse_sign_in_name_of_another(tx, user, after)?;
    let Some(moved) = renaming(&sign_in_names(tx, user)?, before, after) else {
        return Ok(None);
    };
    for id in [&moved.from, &moved.to.id] {
        let sql = "DELETE FROM user_key WHERE id = ? AND user_id = ?";
        tx.run(sql, (id.as_str(), user.as_str()))?;
    }
    insert_key(tx, &moved.to)?;
    Ok(Some(moved.from))
}

/// Refuses a username that is another user's sign-in name.
pub(super) fn refuse_sign_in_name_of_another(
    tx: &mut Tx<'_>,
    user: &UserId,
    canonical: &str,
) -> MysqlResult<()> {
    match find(tx, &KeyId::username(canonical))? {
        Some(key) if key.user_id != *user => Err(MysqlFault::Refused(Refused::Duplicate)),
        Some(_) | None => Ok(()),
    }
}

/// Increments the epoch of a user, and with it that of what stays valid. A password that another server
/// sets at the same moment changes the same row, so that one of the two has a conflict and is run again.
fn carry_into_next_epoch(tx: &mut Tx<'_>, user: &str) -> MysqlResult<()> {
    for table in ALL.iter().filter(|it| it.ends_with_credentials) {
        tx.run(
            &format!(
                "UPDATE {} SET epoch = epoch + 1
                  WHERE user_id = ? AND epoch = (SELECT epoch FROM user WHERE id = ?)",
                table.name
            ),
            (user, user),
        )?;
    }
    tx.run("UPDATE user SET epoch = epoch + 1 WHERE id = ?", (user,)).map(drop)
}

fn find(tx: &mut Tx<'_>, id: &KeyId) -> MysqlResult<Option<Key>> {
    let sql = concat!("SELECT ", key_columns!(), " FROM user_key WHERE id = ?");
    tx.first(sql, (id.as_str(),))
}

/// Adds a key, if its user exists.
pub(super) fn insert_key(tx: &mut Tx<'_>, key: &Key) -> MysqlResult<()> {
    let met = tx.run(
        "INSERT INTO user_key (id, user_id, hashed_password)
         SELECT ?, id, ? FROM user WHERE id = ? LOCK IN SHARE MODE",
        (
            key.id.as_str(),
            key.hashed_password.as_ref().map(PasswordHash::as_stored),
            key.user_id.as_str(),
        ),
    )?;
    match met {
        0 if find(tx, &key.id)?.is_some() => Err(MysqlFault::Refused(Refused::Duplicate)),
        0 => Err(MysqlFault::Refused(Refused::NoUser)),
        _ => Ok(()),
    }
}

/// Ends everything obtained with the credentials that this user has had until now.
fn end_everything_of(tx: &mut Tx<'_>, id: &str) -> MysqlResult<()> {
    tx.run("UPDATE user SET epoch = epoch + 1 WHERE id = ?", (id,))?;
    delete_rows_of(tx, id, |it| it.ends_with_credentials)
}
