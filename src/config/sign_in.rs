//! `[sign_in]`: how users are let in.

use std::time::Duration;

use super::document::Section;
use crate::access::{Origin, Role, Settings};

/// A working day, with a rest.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// No session lasts longer; what is older is deleted.
const LONGEST: Duration = Duration::from_secs(90 * 24 * 3600);

/// `[sign_in]`
pub(super) struct SignIn {
    pub second_factor: Option<Vec<Role>>,
    pub idle_timeout: Option<Duration>,
    pub lifetime: Option<Duration>,
    pub origin: Option<Origin>,
}

impl SignIn {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let span = |key| section.get(key).and_then(|span| sensible(section, key, span));
        Self {
            second_factor: section.get("second_factor"),
            idle_timeout: span("idle_timeout"),
            lifetime: span("lifetime"),
            origin: section.get("origin"),
        }
    }

    /// The settings.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            idle_timeout: self.idle_timeout.unwrap_or(IDLE_TIMEOUT),
            lifetime: self.lifetime.unwrap_or(LIFETIME),
            second_factor: self.second_factor.clone().unwrap_or_else(|| vec![Role::Admin]),
            origin: self.origin.clone(),
        }
    }
}

/// A session that ends at once would let nobody in.
fn sensible(section: &Section<'_>, key: &str, span: Duration) -> Option<Duration> {
    if (Duration::from_secs(60)..=LONGEST).contains(&span) {
        return Some(span);
    }
    section.raw(key)?.error("write a duration from \"1m\" to \"90d\"")
}
