//! `%(name)s`, `%(section/name)s`, `%(default/name)s`, `%(known/name)s` and `%%` in values: an option's name goes in,
//! its value with all of them filled in comes out.

use super::super::error::{Error, Errors};
use super::files::{KNOWN, Merged};
use super::parser::{DEFAULT, Options, option_name};
use super::text::{Builder, Reading, Text};

/// Python gives up beyond this.
const DEEPEST: usize = 10;

/// What stands for the name of the section in which a value is looked up.
const SECTION_NAME: &str = "__name__";

/// No value is longer in earnest; it bounds what values cost that name others again and again.
const LONGEST: usize = 1 << 20;

impl Merged {
    /// The value of `option` in `section`, which falls back to `[DEFAULT]`; `vars` win over both. `None` if there is no
    /// such section or option.
    pub(super) fn get(&self, section: &str, option: &str, vars: &Options) -> Result<Option<Text>, Errors> {
        let Some(scope) = self.scope(section, vars) else {
            return Ok(None);
        };
        let Some(value) = scope.option(&option_name(option)) else {
            return Ok(None);
        };
        self.used.borrow_mut().insert(value.place().clone());
        let mut expansion = Expansion { scope, option, built: Builder::default(), left: LONGEST };
        expansion.push(value, 1)?;
        Ok(Some(expansion.built.finish(value.place())))
    }

    /// The same where `option` may be `section/option`, `default/option` or `known/option`.
    pub(super) fn get_anywhere(
        &self,
        section: &str,
        option: &str,
        vars: &Options,
    ) -> Result<Option<Text>, Errors> {
        if let Some((other, name)) = option.split_once('/').filter(|(other, name)| is_reference(other, name))
        {
            let sections = match other.to_lowercase().as_str() {
                "known" => vec![format!("{KNOWN}{section}"), section.to_owned()],
                "default" => vec![DEFAULT.to_owned()],
                _ => vec![other.to_owned()],
            };
            for section in sections {
                if let Some(value) = self.get(&section, name, &Options::new())? {
                    return Ok(Some(value));
                }
            }
        }
        self.get(section, option, vars)
    }

    fn scope<'a>(&'a self, section: &'a str, vars: &'a Options) -> Option<Scope<'a>> {
        let own = self.own_options(section);
        let exists = own.is_some() || section == DEFAULT;
        exists.then_some(Scope { merged: self, section, vars, own })
    }
}

/// Whether a tag's name is that of an option of another section.
fn is_reference(section: &str, option: &str) -> bool {
    is_section(section) && !option.is_empty() && !option.contains(|c: char| c.is_whitespace() || c == '>')
}

fn is_section(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c))
}

/// Where names are looked up.
struct Scope<'a> {
    merged: &'a Merged,
    section: &'a str,
    vars: &'a Options,
    own: Option<&'a Options>,
}

impl<'a> Scope<'a> {
    fn option(&self, name: &str) -> Option<&'a Text> {
        let own = || self.own.and_then(|own| own.get(name));
        self.vars.get(name).or_else(own).or_else(|| self.merged.sections.defaults.get(name))
    }

    /// What `%(written)s` stands for.
    fn reference(&self, written: &str) -> Option<&'a Text> {
        let name = option_name(written);
        self.option(&name).or_else(|| {
            // fail2ban looks for what is written in the section, and for its lower case in what it found.
            let (section, option) = written.split_once('/').filter(|_| name == written)?;
            if is_section(section) && !option.is_empty() { self.elsewhere(section, option) } else { None }
        })
    }

    fn elsewhere(&self, section: &str, option: &str) -> Option<&'a Text> {
        let sections = &self.merged.sections;
        let own = match section {
            "default" => None,
            "known" => {
                let known = sections.named.get(&format!("{KNOWN}{}", self.section));
                known.and_then(|known| known.options.get(option))
            }
            other => sections.named.get(other)?.options.get(option),
        };
        own.or_else(|| sections.defaults.get(option))
    }
}

/// A value while names in it are replaced.
struct Expansion<'a> {
    scope: Scope<'a>,
    option: &'a str,
    built: Builder,
    /// How much longer the value may become.
    left: usize,
}

impl Expansion<'_> {
    fn push(&mut self, value: &Text, depth: usize) -> Result<(), Error> {
        let mut reading = Reading::new(value, depth == 1);
        if depth > DEEPEST && reading.rest().contains('%') {
            let problem = format!("names go on in names more than {DEEPEST} times: is it its own value?");
            return Err(self.error(&reading, &problem));
        }
        while let Some(length) = reading.rest().find('%') {
            self.push_part(&mut reading, length)?;
            match reading.rest().as_bytes().get(1) {
                Some(b'%') => {
                    reading.skip(1);
                    self.push_part(&mut reading, 1)?;
                }
                Some(b'(') => self.push_reference(&mut reading, depth)?,
                _ => {
                    let problem =
                        "`%` stands alone: write `%%` for a percent sign, or `%(name)s` for a value";
                    return Err(self.error(&reading, problem));
                }
            }
        }
        let length = reading.rest().len();
        self.push_part(&mut reading, length)
    }

    /// Pushes what the reference stands for that comes next.
    fn push_reference(&mut self, reading: &mut Reading<'_>, depth: usize) -> Result<(), Error> {
        let rest = &reading.rest()[2..];
        let name = rest.split(')').next().unwrap_or_default();
        if name.is_empty() || !rest[name.len()..].starts_with(")s") {
            let problem = "`%(` begins no name: write `%(name)s`, or `%%` for a percent sign";
            return Err(self.error(reading, problem));
        }
        if option_name(name) == SECTION_NAME {
            let section = Text::new(self.scope.section, reading.place());
            self.push_part(&mut Reading::new(&section, depth == 1), section.as_str().len())?;
        } else if let Some(found) = self.scope.reference(name) {
            self.scope.merged.used.borrow_mut().insert(found.place().clone());
            self.push(found, depth + 1)?;
        } else {
            let problem = format!("there is no option `{name}` for `%({name})s`: set it, or remove it here");
            return Err(self.error(reading, &problem));
        }
        reading.skip("%(".len() + name.len() + ")s".len());
        Ok(())
    }

    fn push_part(&mut self, reading: &mut Reading<'_>, length: usize) -> Result<(), Error> {
        // Every step costs, so that values that name nothing but each other end as well.
        match self.left.checked_sub(length + 1) {
            Some(left) => self.left = left,
            None => {
                return Err(self.error(reading, "becomes longer than a megabyte: name fewer other options"));
            }
        }
        self.built.push(reading, length);
        Ok(())
    }

    fn error(&self, reading: &Reading<'_>, problem: &str) -> Error {
        let place = reading.place().clone();
        Error { place, message: format!("[{}] {}: {problem}", self.scope.section, self.option) }
    }
}
