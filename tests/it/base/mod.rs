//! Values of `base` whose tests need an actor of their own.

mod webauthn;
