//! Whoever sent a request.

use std::sync::Arc;

use super::{Grant, Permission, Role};

/// Somebody who is known, and what they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    name: Arc<str>,
    grant: Arc<Grant>,
}

impl Principal {
    /// Somebody who may open the control socket, by the name the system knows.
    pub fn local(name: &str) -> Self {
        Self { name: name.into(), grant: Arc::new(Grant::of(Role::Admin)) }
    }

    /// A program with the token of this name.
    pub(super) fn token(name: &str, grant: Grant) -> Self {
        Self { name: format!("token {name}").into(), grant: Arc::new(grant) }
    }

    /// As history and audit name them; no two kinds of principals can have one name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they may.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Whether they may do what needs `permission`, on some jail or zone at least.
    pub fn may(&self, permission: Permission) -> bool {
        self.grant.role.has(permission)
    }

    /// For whom they report, if they are a reporter.
    pub fn organisation(&self) -> Option<&Arc<str>> {
        self.grant.organisation.as_ref()
    }
}
