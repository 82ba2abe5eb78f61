//! What somebody may do, and to which jails and zones.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ip::Prefix;

/// More jails, zones or networks than this are not named in one grant.
const MOST: usize = 100;

/// No name of a jail, a zone or an organisation is longer (RFC 1035, section 2.3.4, for zones).
pub const LONGEST_NAME: usize = 255;

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// To see what there is.
    Read,
    /// To ban, unban and allow.
    Operate,
    /// To change how banzone works and who may do what.
    Administer,
    /// To send reports to a hub.
    Report,
    /// To have signed in.
    Own,
    /// Nothing.
    Nothing,
}

/// What kind of work somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything, changes nothing.
    Viewer,
    /// Bans, unbans and allows.
    Operator,
    /// Does everything.
    Admin,
    /// Sends reports, and nothing else.
    Reporter,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Admin, Self::Reporter];

    /// Whether the role has `permission`.
    pub fn has(self, permission: Permission) -> bool {
        match permission {
            Permission::Read => self != Self::Reporter,
            Permission::Operate => matches!(self, Self::Operator | Self::Admin),
            Permission::Administer => self == Self::Admin,
            Permission::Report => matches!(self, Self::Reporter | Self::Admin),
            Permission::Own | Permission::Nothing => true,
        }
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Reporter => "reporter",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was written is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role: write viewer, operator, admin or reporter")]
pub struct ParseRoleError(String);

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let role = Self::ALL.into_iter().find(|role| role.name() == written);
        role.ok_or_else(|| ParseRoleError(written.to_owned()))
    }
}

/// Whether both are the name of one zone, as people write it: with a dot at its end or without, in any case.
pub fn is_same_zone(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

/// Why a grant makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// A list that is too long, or a name in it.
    #[error(
        "more than {MOST} jails, zones or networks, or a name that is empty or longer than {LONGEST_NAME} bytes: leave some out"
    )]
    TooMuch,
    /// Nobody could count its reports.
    #[error("a reporter reports for an organisation: name it, such as with --organisation example.org")]
    NoOrganisation,
    /// It would be of no use.
    #[error("only a reporter reports for an organisation: leave it out, or take the role reporter")]
    UselessOrganisation,
    /// It would confine nothing.
    #[error("a reporter sees and changes no jails and zones: leave those out that it is confined to")]
    UselessConfinement,
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// What kind of work.
    pub role: Role,
    /// On these jails; `None`: on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jails: Option<Vec<Arc<str>>>,
    /// On these zones; `None`: on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<Arc<str>>>,
    /// From these networks; empty: from everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Prefix>,
    /// For whom a reporter reports: all reporters of one organisation have one vote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Arc<str>>,
}

impl Grant {
    /// Everything `role` can, everywhere.
    pub fn of(role: Role) -> Self {
        Self { role, jails: None, zones: None, sources: Vec::new(), organisation: None }
    }

    /// Takes the grant if it makes sense.
    pub fn checked(self) -> Result<Self, GrantError> {
        let organisation = self.organisation.map(|name| organisation(&name).into());
        Self { organisation, ..self }.in_bounds()
    }

    fn in_bounds(self) -> Result<Self, GrantError> {
        let is_name = |name: &Arc<str>| !name.is_empty() && name.len() <= LONGEST_NAME;
        let fits = |list: &Option<Vec<Arc<str>>>| {
            list.as_ref().is_none_or(|names| names.len() <= MOST && names.iter().all(is_name))
        };
        let is_short = self.sources.len() <= MOST && self.organisation.iter().all(is_name);
        match (self.role, &self.organisation) {
            _ if !is_short || !fits(&self.jails) || !fits(&self.zones) => Err(GrantError::TooMuch),
            (Role::Reporter, None) => Err(GrantError::NoOrganisation),
            (Role::Reporter, Some(_)) if self.is_confined() => Err(GrantError::UselessConfinement),
            (Role::Viewer | Role::Operator | Role::Admin, Some(_)) => Err(GrantError::UselessOrganisation),
            _ => Ok(self),
        }
    }

    /// Whether it is for this jail too.
    pub fn has_jail(&self, jail: &str) -> bool {
        self.jails.as_ref().is_none_or(|jails| jails.iter().any(|name| **name == *jail))
    }

    /// Whether it is for this zone too, with or without the dot at the end.
    pub fn has_zone(&self, origin: &str) -> bool {
        self.zones.as_ref().is_none_or(|zones| zones.iter().any(|name| is_same_zone(name, origin)))
    }

    /// Whether it is for some jails or zones only.
    pub fn is_confined(&self) -> bool {
        self.jails.is_some() || self.zones.is_some()
    }

    /// Whether it can be used from `address`.
    pub fn is_good_from(&self, address: IpAddr) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|source| source.contains(address))
    }
}

/// The name of an organisation in the one form that is kept, however it was typed: they are mostly those of domains.
pub fn organisation(typed: &str) -> String {
    typed.trim().trim_end_matches('.').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_its_permissions() {
        use Permission::{Administer, Operate, Read, Report};
        let all = [Read, Operate, Administer, Report];
        for (role, expected) in [
            (Role::Viewer, &[Read][..]),
            (Role::Operator, &[Read, Operate]),
            (Role::Admin, &all),
            (Role::Reporter, &[Report]),
        ] {
            let has: Vec<_> = all.into_iter().filter(|permission| role.has(*permission)).collect();
            assert_eq!(has, expected, "{role}");
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().unwrap_err().to_string().contains("`root` is no role"));
    }

    #[test]
    fn a_grant_is_for_what_it_names() {
        let grant: Grant = serde_json::from_str(
            r#"{"role":"operator","jails":["sasl"],"zones":["bl.example."],"sources":["192.0.2.0/24"]}"#,
        )
        .unwrap();
        assert!(grant.has_jail("sasl") && !grant.has_jail("sshd"));
        assert!(grant.has_zone("BL.example") && !grant.has_zone("example"));
        assert!(grant.is_good_from("192.0.2.9".parse().unwrap()));
        assert!(grant.is_good_from("::ffff:192.0.2.9".parse().unwrap()));
        assert!(!grant.is_good_from("198.51.100.9".parse().unwrap()));
        assert!(grant.is_confined() && !Grant::of(Role::Admin).is_confined());
        assert!(Grant::of(Role::Viewer).has_jail("any") && Grant::of(Role::Viewer).has_zone("any."));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let named = |name: &str| Some(Arc::from(name));
        let reporter = Grant { organisation: named("example.org"), ..Grant::of(Role::Reporter) };
        assert!(reporter.clone().checked().is_ok());
        let typed = Grant { organisation: named(" Example.ORG. "), ..reporter.clone() };
        assert_eq!(typed.checked(), Ok(reporter.clone()));
        for (grant, expected) in [
            (Grant::of(Role::Reporter), GrantError::NoOrganisation),
            (Grant { role: Role::Viewer, ..reporter.clone() }, GrantError::UselessOrganisation),
            (Grant { organisation: named(" . "), ..reporter.clone() }, GrantError::TooMuch),
            (Grant { jails: Some(vec!["j".into()]), ..reporter.clone() }, GrantError::UselessConfinement),
            (Grant { jails: Some(vec!["j".into(); MOST + 1]), ..reporter.clone() }, GrantError::TooMuch),
            (
                Grant { zones: Some(vec!["z".repeat(LONGEST_NAME + 1).into()]), ..reporter },
                GrantError::TooMuch,
            ),
        ] {
            assert_eq!(grant.checked(), Err(expected));
        }
    }
}
