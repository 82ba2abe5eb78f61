//! Who may do what: passwords, codes and tokens in, principals out.
//!
//! A [`Principal`] is whoever sent a request, with the [`Grant`] that says what it may. Programs show an API token
//! ([`token`]); people sign in ([`user`], [`session`]) with a password and a second factor or with a [`passkey`], as
//! often as [`Attempts`] lets them; whoever may open the control socket may do everything. Secrets are kept as hashes only, but for those of second
//! factors, which must be known to check a code. What was done stands in the [`audit`] log.

pub mod audit;
pub mod passkey;
pub mod password;
pub mod second;
pub mod session;
pub mod token;
pub mod user;

mod attempts;
mod error;
mod grant;
mod origin;
mod principal;
mod refusals;

pub use attempts::Attempts;
pub use error::Error;
pub use grant::{Grant, GrantError, LONGEST_NAME, Permission, Role, is_same_zone, organisation};
pub use origin::{NoOrigin, Origin};
pub use principal::Principal;
pub use refusals::Refusals;
pub use session::{Session, Settings};

#[cfg(test)]
mod tests;
