//! The tables of `access`: rows as they stand, without a meaning.

pub(in crate::store) mod audit;
mod tokens;

pub use audit::AuditRow;
pub use tokens::TokenRow;
