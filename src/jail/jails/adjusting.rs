//! Settings that change while a jail runs. They last until the configuration is read again or the program starts anew.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Jail, Jails};
use crate::ip::Prefix;
use crate::jail::{Adjustment, Refusal, Settings};

/// The set is built anew with every entry; more than this would make that slow.
const MAX_IGNORED: usize = 10_000;

impl Jails {
    /// The settings in force of `jail`, those that were adjusted included; `None` for one that is not configured.
    pub fn settings_in_force(&self, jail: &str) -> Option<&Settings> {
        self.jail(jail)?.settings.as_ref()
    }

    /// The addresses and networks that never fail in `jail`, in the order in which they were added.
    pub fn ignored_by(&self, jail: &str) -> &[Prefix] {
        self.jail(jail).map_or(&[], |jail| &jail.ignoring)
    }

    /// Changes one setting of `jail`, and tells whether it is another now.
    pub(super) fn adjust(&mut self, name: &str, adjustment: &Adjustment) -> Result<usize, Refusal> {
        let unknown = self.unknown_jail(name);
        let jail = self.jail_mut(name).ok_or_else(|| unknown.clone())?;
        let settings = jail.settings.as_mut().ok_or(unknown)?;
        match adjustment {
            Adjustment::BanTime(time) => Ok(replace(&mut settings.bantime, *time)),
            Adjustment::FindTime(time) => {
                let changed = replace(&mut settings.findtime, *time);
                jail.recount();
                Ok(changed)
            }
            Adjustment::MaxRetry(failures) => Ok(replace(&mut settings.maxretry, failures.get())),
            Adjustment::MaxMatches(lines) => {
                let changed = replace(&mut settings.max_matches, *lines);
                jail.recount();
                Ok(changed)
            }
            Adjustment::IgnoreSelf(own) => Ok(replace(&mut settings.ignore_self, *own)),
            Adjustment::Ignore(prefixes) => jail.ignore(prefixes),
            Adjustment::Unignore(prefix) => jail.unignore(*prefix),
        }
    }
}

/// Puts `new` in the place of `old`: 1 if it is another value.
fn replace<T: PartialEq>(old: &mut T, new: T) -> usize {
    let changed = *old != new;
    *old = new;
    usize::from(changed)
}

impl Jail {
    /// Counts on with the settings in force.
    fn recount(&mut self) {
        if let Some(settings) = &self.settings {
            self.counters.reconfigure(settings.findtime, settings.max_matches);
        }
    }

    fn ignore(&mut self, prefixes: &[Prefix]) -> Result<usize, Refusal> {
        let mut known: HashSet<Prefix> = self.ignoring.iter().copied().collect();
        let added: Vec<Prefix> = prefixes.iter().copied().filter(|prefix| known.insert(*prefix)).collect();
        if self.ignoring.len() + added.len() > MAX_IGNORED {
            return Err(Refusal::IgnoresFull(Arc::clone(&self.name), self.ignoring.len()));
        }
        let count = added.len();
        self.ignoring.extend(added);
        self.put_ignored_together();
        Ok(count)
    }

    fn unignore(&mut self, prefix: Prefix) -> Result<usize, Refusal> {
        let not_ignored = || Refusal::NotIgnored { prefix, jail: Arc::clone(&self.name) };
        let place = self.ignoring.iter().position(|ignored| *ignored == prefix).ok_or_else(not_ignored)?;
        self.ignoring.remove(place);
        self.put_ignored_together();
        Ok(1)
    }
}
