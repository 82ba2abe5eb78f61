//! Whoever sent a request.

use std::sync::Arc;

use super::session::RECENT;
use super::{Grant, Permission, Role, Session};
use crate::clock::Timestamp;

/// Somebody who is known, and what they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    name: Arc<str>,
    grant: Arc<Grant>,
    session: Option<Arc<Session>>,
}

impl Principal {
    /// Somebody who may open the control socket, by the name the system knows.
    pub fn local(name: &str) -> Self {
        Self { name: name.into(), grant: Arc::new(Grant::of(Role::Admin)), session: None }
    }

    /// A program with the token of this name.
    pub(super) fn token(name: &str, grant: Grant) -> Self {
        Self { name: format!("token {name}").into(), grant: Arc::new(grant), session: None }
    }

    /// A user who has signed in.
    pub(super) fn user(session: Session, grant: Grant) -> Self {
        let name = format!("user {}", session.user).into();
        Self { name, grant: Arc::new(grant), session: Some(Arc::new(session)) }
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
        let must_enrol = self.session.as_ref().is_some_and(|session| session.must_enrol);
        let is_own = matches!(permission, Permission::Own | Permission::Nothing);
        self.grant.role.has(permission) && (is_own || !must_enrol)
    }

    /// Whether they see what is not of one jail or zone: who reports and what is held back, whose the entries of the allowlist
    /// are, how the daemon does.
    pub fn sees_all(&self) -> bool {
        self.may(Permission::Read) && !self.grant.is_confined()
    }

    /// The session of a user.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_deref()
    }

    /// Whether it is certain at `now` who this is: users have shown it a short time ago.
    pub fn is_certain(&self, now: Timestamp) -> bool {
        self.session.as_ref().is_none_or(|session| now < session.verified + RECENT)
    }

    /// For whom they report, if they are a reporter.
    pub fn organisation(&self) -> Option<&Arc<str>> {
        self.grant.organisation.as_ref()
    }
}
