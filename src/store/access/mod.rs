//! The tables of `access`: rows as they stand, without a meaning.

pub(in crate::store) mod audit;
mod passkeys;
mod sessions;
mod tokens;
mod users;

pub use audit::AuditRow;
pub use passkeys::PasskeyRow;
pub use sessions::SessionRow;
pub use tokens::TokenRow;
pub use users::UserRow;
