//! Who may do what: tokens in, principals out.
//!
//! A [`Principal`] is whoever sent a request, with the [`Grant`] that says what it may. Programs show an API token
//! ([`token`]); whoever may open the control socket may do everything. Secrets are kept as hashes only.

pub mod audit;
pub mod token;

mod error;
mod grant;
mod principal;

pub use error::Error;
pub use grant::{Grant, GrantError, Permission, Role};
pub use principal::Principal;
