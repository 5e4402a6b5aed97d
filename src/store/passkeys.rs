//! Passkeys as records: what is stored of each, and what a use of one changes.

use super::Result;
use super::records::UserId;
use super::rows::{Cell, Cells, FromCells, ToCells, cells};
use crate::base::clock::Moment;

/// The columns of a [`Passkey`].
macro_rules! passkey_columns {
    () => {
        "passkey.id, passkey.user_id, passkey.user_handle, passkey.public_key, passkey.sign_count, \
         passkey.rp_id, passkey.verifies_user, passkey.is_backed_up, passkey.transports, \
         passkey.name, passkey.created_at, passkey.used_at"
    };
}
pub(super) use passkey_columns;

/// A passkey: a WebAuthn credential of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passkey {
    /// The id that the authenticator has chosen: 1 to 1023 bytes.
    pub id: Vec<u8>,
    /// Its owner.
    pub user_id: UserId,
    /// What the authenticator knows its owner as; empty: that is not known.
    pub user_handle: Vec<u8>,
    /// The public key as COSE writes it.
    pub public_key: Vec<u8>,
    /// How often it was used, by its own count; 0: it does not count.
    pub sign_count: u32,
    /// The RP ID that it was made for.
    pub rp_id: String,
    /// Whether it may sign in alone, for which it has to verify its user at each use. Else it is a second factor only.
    pub verifies_user: bool,
    /// Whether its maker keeps a copy of it.
    pub is_backed_up: bool,
    /// How its authenticator is reached, separated by commas; may be empty.
    pub transports: String,
    /// The name given by its owner.
    pub name: String,
    /// When it was added.
    pub created_at: Moment,
    /// When it was last used; `None`: never.
    pub used_at: Option<Moment>,
}

/// A challenge that a passkey has answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsedChallenge {
    /// The random part of it.
    pub id: [u8; 16],
    /// The last moment at which it would be accepted.
    pub expires_at: Moment,
}

/// A use of a passkey, whose signature was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasskeyUse {
    /// The id of the passkey.
    pub id: Vec<u8>,
    /// The count that was stored when the signature was verified. If it is another one by now, the passkey was used
    /// meanwhile.
    pub known_count: u32,
    /// The count after this use.
    pub sign_count: u32,
    /// Whether its maker keeps a copy of it.
    pub is_backed_up: bool,
    /// The challenge that it has answered.
    pub challenge: UsedChallenge,
    /// When that was.
    pub at: Moment,
}

impl FromCells for Passkey {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            id: row.bytes()?,
            user_id: FromCells::read(row)?,
            user_handle: row.bytes()?,
            public_key: row.bytes()?,
            sign_count: FromCells::read(row)?,
            rp_id: row.text()?,
            verifies_user: FromCells::read(row)?,
            is_backed_up: FromCells::read(row)?,
            transports: row.text()?,
            name: row.text()?,
            created_at: FromCells::read(row)?,
            used_at: FromCells::read(row)?,
        })
    }
}

impl ToCells<12> for Passkey {
    fn cells(&self) -> [Cell<'_>; 12] {
        cells![
            &*self.id,
            &self.user_id,
            &*self.user_handle,
            &*self.public_key,
            self.sign_count,
            &self.rp_id,
            self.verifies_user,
            self.is_backed_up,
            &self.transports,
            &self.name,
            self.created_at,
            self.used_at,
        ]
    }
}

impl ToCells<2> for UsedChallenge {
    fn cells(&self) -> [Cell<'_>; 2] {
        cells![&self.id[..], self.expires_at]
    }
}
