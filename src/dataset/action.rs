//! What who asks gets, as lists of clients and of keys say it, and how the files of both are read.

use std::net::IpAddr;

use super::answer::{Records, Subject};
use super::builder::{Done, Problem, Reading};
use super::loading::{Error, Findings, Loaded, Source, read_lines};
use super::ranges::Id;
use super::syntax::{Line, ends_key};
use super::value::{Value, Written};
use super::{Header, Options};

/// What a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers, as if there were no list of clients.
    Pass,
    /// REFUSED, whatever it asks for.
    Refuse,
    /// Silence.
    Ignore,
    /// Answers as if nothing were listed.
    Empty,
    /// Every address is listed, with the records of this number.
    List(Id),
}

/// The words for actions; the Rspamd fork of rbldnsd has `accept`.
const ACTIONS: &[(&[u8], Action)] = &[
    (b"pass", Action::Pass),
    (b"accept", Action::Pass),
    (b"refuse", Action::Refuse),
    (b"ignore", Action::Ignore),
    (b"blackhole", Action::Ignore),
    (b"empty", Action::Empty),
];

/// What is wrong with anything else.
const UNKNOWN: &str = "it is none of :pass, :refuse, :ignore and :empty, and its code is neither an IPv4 address such as \
                       127.0.0.2 nor a number from 1 to 255";

/// The action whose name stands behind a colon or an equals sign; what stands behind it has no meaning.
fn named(text: &[u8]) -> Option<Action> {
    let [b':' | b'=', text @ ..] = text else { return None };
    let text = text.trim_ascii_start();
    let end = (0..text.len()).find(|at| ends_key(&text[*at..])).unwrap_or(text.len());
    let found = ACTIONS.iter().find(|(known, _)| text[..end].eq_ignore_ascii_case(known));
    found.map(|(_, action)| *action)
}

/// The actions of a list by their numbers, with all that belongs to them.
#[derive(Debug)]
pub struct Actions {
    all: Box<[Action]>,
    values: Box<[Value]>,
    /// Of the records of all values, if the list says so.
    ttl: Option<u32>,
}

impl Actions {
    pub(super) fn new(all: Vec<Action>, values: Vec<Value>) -> Self {
        Self { all: all.into(), values: values.into(), ttl: None }
    }

    /// The action of this number.
    #[inline]
    pub(super) fn get(&self, id: Id) -> Action {
        self.all[id as usize]
    }

    /// Adds the records that stand for every address where the action of `client` is [`Action::List`] with this number.
    pub fn records<'a>(&'a self, value: Id, client: IpAddr, records: &mut Records<'a>) {
        self.values[value as usize].add(self.ttl, Subject::Address(client), records);
    }
}

/// Reads the files of a list; `entry` takes in each entry. Out come the actions, and that of whom nothing is said at the end.
pub(super) fn load_actions(
    files: &[Source<'_>],
    options: &Options,
    mut entry: impl FnMut(&[u8], &mut Building) -> Result<(), Problem>,
) -> Result<Loaded<(Actions, Action)>, Error> {
    let mut building = Building {
        reading: Reading::new(options),
        header: Header::default(),
        default: Action::Ignore,
        actions: Vec::new(),
    };
    let mut findings = Findings::default();
    for file in files {
        building.default = Action::Ignore;
        building.reading.end_file();
        read_lines(file, &mut findings, |line| match line {
            Line::Special { name, rest } => building.special(name, rest),
            Line::Default(default) | Line::Entry(default @ [b'=', ..]) => building.set_default(default),
            Line::Entry(line) => entry(line, &mut building),
        })?;
    }
    let default = building.default;
    // The rest of the header is what a zone says of itself.
    Ok(Loaded { set: (building.finish(), default), header: Header::default(), findings })
}

/// The actions of a list on their way from files.
pub(super) struct Building {
    reading: Reading,
    header: Header,
    /// What is got where nothing else is said, up to the end of the file.
    default: Action,
    actions: Vec<Action>,
}

impl Building {
    /// The number of the action that stands behind a client or a key.
    pub(super) fn action(&mut self, rest: &[u8]) -> Result<Id, Problem> {
        let action = self.read(rest)?;
        let known = self.actions.iter().position(|known| *known == action);
        let place = known.unwrap_or_else(|| {
            self.actions.push(action);
            self.actions.len() - 1
        });
        Ok(Id::try_from(place).expect("a file has less than 4 G lines"))
    }

    fn read(&mut self, text: &[u8]) -> Result<Action, Problem> {
        let text = text.trim_ascii();
        if matches!(text, [] | [b'#' | b';', ..]) {
            return Ok(self.default);
        }
        if let Some(action) = named(text) {
            return Ok(action);
        }
        let value = self.value(text)?;
        Ok(Action::List(self.reading.values.id(value)))
    }

    fn value(&self, text: &[u8]) -> Result<Written, Problem> {
        match text {
            [b'=', ..] => Err(UNKNOWN.into()),
            text => Written::read(text, &self.reading.default).map_err(|_| UNKNOWN.into()),
        }
    }

    /// A value is the default of those too that have only a code or a text.
    fn set_default(&mut self, line: &[u8]) -> Result<(), Problem> {
        self.default = self.read(line)?;
        if named(line).is_none() {
            self.reading.set_default(self.value(line)?);
        }
        Ok(())
    }

    /// What may stand here beside the time to live says something of a zone, and this is none.
    fn special(&mut self, name: &[u8], rest: &[u8]) -> Result<(), Problem> {
        if !self.reading.special(name, rest)? {
            self.header.read(name, rest)?;
        }
        Ok(())
    }

    fn finish(self) -> Actions {
        let Done { values, ttl, .. } = self.reading.finish(self.header.ttl);
        Actions { all: self.actions.into(), values, ttl }
    }
}
