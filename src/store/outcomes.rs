//! The outcomes of operations: one closed enum for each. That the store itself failed is an error beside
//! it.

use super::{Error, Result};

/// Why a transaction was refused; its caller turns this into an outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// A row that must be unique exists already.
    Duplicate,
    /// The user does not exist, or does not meet the condition.
    NoUser,
    Resting,
    /// The invitation is not valid.
    NotInvited,
    /// The limit on their number is reached.
    TooMany,
    /// A code or a challenge was used before, or is none of the user's.
    UsedCode,
    /// Nothing else is left that the user's second factor could be given with.
    LastFactor,
}

impl From<Refused> for Error {
    /// For operations that do not expect this refusal.
    fn from(refused: Refused) -> Self {
        let cause = match refused {
            Refused::Duplicate => "a row that must be the only one exists",
            Refused::NoUser => "a row refers to a user that is not there",
            Refused::Resting => "a name rests",
            Refused::NotInvited => "an invitation is not good any more",
            Refused::TooMany => "there are too many rows",
            Refused::UsedCode => "a code was used before",
            Refused::LastFactor => "a user with a second factor has none",
        };
        Self::Broken(cause.to_owned())
    }
}

/// Why a transaction did not succeed, on any engine.
pub(super) enum TxFailure {
    Refused(Refused),
    Error(Error),
}

/// Generates an enum of outcomes, and the conversion from a transaction's result. Nothing was written
/// unless it is `Done`.
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
                    // Unreachable if an enum has all of them.
                    #[allow(unreachable_patterns, reason = "an enum may know every refusal")]
                    Err(TxFailure::Refused(refused)) => Err(refused.into()),
                    Err(TxFailure::Error(err)) => Err(err),
                }
            }
        }
    };
}

outcome! {
    /// The outcome of a sign-up.
    SignedUp {
        /// A user has that name or key already, or the name rests.
        NameTaken = Duplicate | Resting,
        /// The invitation is not valid.
        NotInvited = NotInvited,
    }
}

outcome! {
    /// The outcome of adding a user.
    UserAdded {
        /// A user has that name or key already, or signs in with the name.
        NameTaken = Duplicate,
        /// The name rests.
        NameReserved = Resting,
    }
}

outcome! {
    /// The outcome of renaming a user.
    UserRenamed {
        /// Another user has the name, or signs in with it.
        NameTaken = Duplicate,
        /// The name rests for another user.
        NameReserved = Resting,
        /// There is no such user.
        NoUser = NoUser,
    }
}

outcome! {
    /// The outcome of adding a key.
    KeyAdded {
        /// A key with this id exists, or it is another user's username.
        Taken = Duplicate,
        /// It is a sign-in name that another user had, and it is reserved.
        NameReserved = Resting,
        /// There is no such user.
        NoUser = NoUser,
    }
}

outcome! {
    /// The outcome of setting or removing a password.
    PasswordSet {
        /// The user has no key to set it on, and their username is another user's sign-in name.
        NameTaken = Duplicate,
        /// There is no such user.
        NoUser = NoUser,
    }
}

outcome! {
    /// The outcome of an owner's changing the password.
    PasswordChanged {
        /// The user has no key to set it on, and their username is another user's sign-in name.
        NameTaken = Duplicate,
        /// The user is gone or disabled, or their credentials have changed since the proof.
        ProofOutdated = NoUser,
    }
}

outcome! {
    /// The outcome of starting a session.
    SessionStarted {
        /// The user is gone or disabled, or their credentials have changed since the proof.
        ProofOutdated = NoUser,
    }
}

outcome! {
    /// The outcome of adding an access token.
    AccessTokenAdded {
        /// The user has as many as they may have.
        TooMany = TooMany,
        /// The session in which it was made has ended.
        SessionEnded = NoUser,
    }
}

outcome! {
    /// The outcome of adding a one-time token.
    OneTimeTokenAdded {
        /// There is no such user.
        NoUser = NoUser,
    }
}

outcome! {
    /// The outcome of a sign-in with both factors.
    SecondStepDone {
        /// The sign-in that waited is gone, or the user is gone or disabled, or their credentials have changed since the
        /// password was verified.
        Gone = NoUser,
        /// The code was used before, or is none of the user's; or the user has a second factor already.
        UsedCode = UsedCode | Duplicate,
    }
}

outcome! {
    /// The outcome of turning the second factor on.
    SecondFactorOn {
        /// The user has one already.
        AlreadyOn = Duplicate,
        /// The session has ended, or the user is gone or disabled.
        SessionEnded = NoUser,
        /// The passkey, or its challenge, was used or removed meanwhile.
        UsedPasskey = UsedCode,
    }
}

outcome! {
    /// The outcome of turning the second factor off, or of replacing recovery codes.
    SecondFactorSet {
        /// The user has none, or is gone.
        NotOn = NoUser,
        /// The code was used before, or is none of the user's.
        UsedCode = UsedCode,
    }
}

outcome! {
    /// The outcome of adding a passkey.
    PasskeyAdded {
        /// A passkey with this id exists, of this user or another.
        Taken = Duplicate,
        /// The user has as many as they may have.
        TooMany = TooMany,
        /// The challenge was answered before.
        UsedChallenge = UsedCode,
        /// The session in which it was made has ended.
        SessionEnded = NoUser,
    }
}

outcome! {
    /// The outcome of using a passkey.
    PasskeyAccepted {
        /// The challenge was answered before, or the passkey was used or removed since its signature was verified.
        Used = UsedCode,
        /// The user is gone or disabled, or the session has ended that it was to prove.
        Gone = NoUser,
    }
}

outcome! {
    /// The outcome of removing a passkey.
    PasskeyRemoved {
        /// The user has no such passkey.
        NotFound = NoUser,
        /// The user has a second factor, and it is the last thing to give it with.
        LastFactor = LastFactor,
    }
}
