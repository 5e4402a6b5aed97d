//! What became of an operation: a closed set of answers for each, beside the error that the store failed.

use super::{Error, Result};

/// Why a transaction was not done, of which its caller makes an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// A row that must be the only one exists.
    Duplicate,
    /// There is no such user, or they are not as they have to be.
    NoUser,
    Resting,
    /// The invitation is not valid.
    NotInvited,
    /// There are as many as there may be.
    TooMany,
}

impl From<Refused> for Error {
    /// For an operation that does not expect it.
    fn from(refused: Refused) -> Self {
        let cause = match refused {
            Refused::Duplicate => "a row that must be the only one exists",
            Refused::NoUser => "a row refers to a user that is not there",
            Refused::Resting => "a name rests",
            Refused::NotInvited => "an invitation is not good any more",
            Refused::TooMany => "there are too many rows",
        };
        Self::Broken(cause.to_owned())
    }
}

/// Why a transaction was not done, on whichever engine.
pub(super) enum TxFailure {
    Refused(Refused),
    Error(Error),
}

/// Makes an enum of answers, and reads which one a transaction comes to. Nothing was written unless it is
/// `Done`.
macro_rules! outcome {
    (
        $(#[$about:meta])* $name:ident {
            $($(#[$variant_about:meta])* $variant:ident = $($refused:ident)|+),+ $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name {
            /// It is written, and survives a power cut.
            Done,
            $($(#[$variant_about])* $variant,)+
        }

        impl $name {
            pub(super) fn of<F: Into<TxFailure>>(done: std::result::Result<(), F>) -> Result<Self> {
                match done.map_err(Into::into) {
                    Ok(()) => Ok(Self::Done),
                    $(Err(TxFailure::Refused($(Refused::$refused)|+)) => Ok(Self::$variant),)+
                    // An enum may know all of them.
                    #[allow(unreachable_patterns, reason = "an enum may know every refusal")]
                    Err(TxFailure::Refused(refused)) => Err(refused.into()),
                    Err(TxFailure::Error(err)) => Err(err),
                }
            }
        }
    };
}

outcome! {
    /// What became of somebody who makes an account.
    SignedUp {
        /// A user has that name or key already, or the name is reserved.
        NameTaken = Duplicate | Resting,
        /// The invitation is not valid.
        NotInvited = NotInvited,
    }
}

outcome! {
    /// What became of a user who was to be added.
    UserAdded {
        /// A user has that name or key already, or signs in with the name.
        NameTaken = Duplicate,
        /// The name is reserved.
        NameReserved = Resting,
    }
}

outcome! {
    /// What became of a user who was to be renamed.
    UserRenamed {
        /// Another user has the name, or signs in with it.
        NameTaken = Duplicate,
        /// Another user had the name, and it is reserved.
        NameReserved = Resting,
        /// There is no such user.
        NoUser = NoUser,
    }
}

outcome! {
    /// What became of a key that was to be added.
    KeyAdded {
        /// It exists already, or is the name of another user.
        Taken = Duplicate,
        /// It is a sign-in name that another user had, and it is reserved.
        NameReserved = Resting,
        /// There is no such user.
        NoUser = NoUser,
    }
}

outcome! {
    /// What became of a password that was to be set or removed.
    PasswordSet {
        /// The user has no key to set it on, and another user signs in with their name.
        NameTaken = Duplicate,
        /// There is no such user.
        NoUser = NoUser,
    }
}

outcome! {
    /// What became of a password that was to be changed by its owner.
    PasswordChanged {
        /// The user has no key to set it on, and another user signs in with their name.
        NameTaken = Duplicate,
        /// The user is gone or disabled, or their credentials have changed since the proof.
        ProofOutdated = NoUser,
    }
}

outcome! {
    /// What became of a session that was to start.
    SessionStarted {
        /// The user is gone or disabled, or their credentials have changed since the proof.
        ProofOutdated = NoUser,
    }
}

outcome! {
    /// What became of an access token that was to be added.
    AccessTokenAdded {
        /// The user has as many as they may have.
        TooMany = TooMany,
        /// The session in which it was made has ended.
        SessionEnded = NoUser,
    }
}

outcome! {
    /// What became of a one-time token that was to be added.
    OneTimeTokenAdded {
        /// There is no such user.
        NoUser = NoUser,
    }
}
