//! Passkeys: what browsers are asked, and what they answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

use super::rfc3339;
use crate::clock::Timestamp;

/// What a browser is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyChallenge {
    /// To be sent back with the answer, within five minutes.
    pub ticket: String,
    /// For `navigator.credentials`: `publicKey` is what `parseRequestOptionsFromJSON` or `parseCreationOptionsFromJSON` takes.
    pub options: Value,
}

/// Who signs in with a passkey, or shows once more who it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyAnswer {
    /// Of the challenge.
    pub ticket: String,
    /// What `navigator.credentials.get` gave, as its `toJSON()` writes it.
    #[schema(value_type = Object)]
    pub credential: PublicKeyCredential,
}

/// A new passkey.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    /// Of the challenge.
    pub ticket: String,
    /// For which device it is, as its owner calls it.
    pub label: String,
    /// What `navigator.credentials.create` gave, as its `toJSON()` writes it.
    #[schema(value_type = Object)]
    pub credential: RegisterPublicKeyCredential,
}

/// A passkey that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyAdded {
    /// It.
    pub passkey: PasskeyView,
    /// Codes for whoever has lost the device, each good once, shown once; absent where there are some already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery_codes: Vec<String>,
}

/// The passkeys of a user, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Passkeys {
    /// They.
    pub passkeys: Vec<PasskeyView>,
}

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyView {
    /// Which one.
    pub id: String,
    /// What its owner calls it.
    pub label: String,
    /// When it was added.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// When it was used last; null is never.
    #[serde(with = "rfc3339::option")]
    pub used: Option<Timestamp>,
}
