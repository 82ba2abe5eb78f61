//! The way through the steps of a [`Program`] and a text.

use smallvec::SmallVec;

use super::program::{At, Mark, Place, Program, Run, Step};

/// So many steps may be taken in a text, and so many more for each of its bytes.
const PATIENCE: (usize, usize) = (2048, 2);

/// So many bytes that are looked at in a row take as long as a step.
const BYTES_A_STEP: usize = 16;

/// So many decisions may be waiting for what comes of them: each has its place on the stack.
const DEEPEST: usize = 200;

/// Where nothing is.
const NOWHERE: u32 = u32::MAX;

/// Matching was given up, as it took too long: whether there is a match is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GaveUp;

/// The bytes where the groups of a match begin and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spans(Slots);

/// Where each group begins and ends. Few patterns have more groups than there is room for at once.
type Slots = SmallVec<[u32; ROOM]>;

/// So many places there is room for at once.
const ROOM: usize = 24;

impl Spans {
    /// How many groups there are, with the whole match.
    pub(super) fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// The bytes that the group of this number matched.
    pub(super) fn get(&self, group: usize) -> Option<std::ops::Range<usize>> {
        let (start, end) = (*self.0.get(2 * group)?, *self.0.get(2 * group + 1)?);
        (start != NOWHERE && end != NOWHERE).then_some(start as usize..end as usize)
    }
}

/// How far matching has come.
pub(super) struct Walk<'a> {
    steps: &'a [Step],
    entry: At,
    text: &'a [u8],
    slots: Slots,
    /// What stood in the slots before, to be put back where a way leads nowhere.
    trail: SmallVec<[(usize, u32); 16]>,
    /// The steps that are left.
    patience: usize,
    depth: usize,
}

/// What comes of a step: where to go on, and with which byte; or whether all of it fits.
enum Outcome {
    Next(At, usize),
    Done(bool),
}

use Outcome::{Done, Next};

impl<'a> Walk<'a> {
    /// Nothing is matched yet.
    pub(super) fn new(program: &'a Program, text: &'a [u8]) -> Self {
        let mut slots = Slots::from([NOWHERE; ROOM]);
        slots.resize(2 * program.groups, NOWHERE);
        Self {
            steps: &program.steps,
            entry: program.entry,
            text,
            slots,
            trail: SmallVec::new(),
            patience: PATIENCE.0 + PATIENCE.1 * text.len(),
            depth: 0,
        }
    }

    /// Whether a match begins at this byte.
    pub(super) fn succeeds(&mut self, start: usize) -> Result<bool, GaveUp> {
        self.slots[0] = narrow(start);
        let found = self.goes(self.entry, start);
        if self.patience == 0 { Err(GaveUp) } else { Ok(found) }
    }

    /// Where the groups matched.
    pub(super) fn into_spans(self) -> Spans {
        Spans(self.slots)
    }

    /// Whether there is a way from this step and byte to the end. Without patience there is none.
    fn goes(&mut self, step: At, at: usize) -> bool {
        let trail = self.trail.len();
        self.depth += 1;
        if self.depth > DEEPEST {
            self.give_up();
        }
        let (mut step, mut at) = (step, at);
        let done = loop {
            if self.patience == 0 {
                break false;
            }
            self.patience -= 1;
            match self.take(step, at) {
                Next(next, byte) => (step, at) = (next, byte),
                Done(done) => break done,
            }
        };
        self.depth -= 1;
        if !done {
            self.go_back(trail);
        }
        done
    }

    /// Takes no further step.
    fn give_up(&mut self) {
        self.patience = 0;
    }

    /// Leaves the slots as they were when the trail was so long.
    fn go_back(&mut self, trail: usize) {
        while self.trail.len() > trail
            && let Some((slot, before)) = self.trail.pop()
        {
            self.slots[slot] = before;
        }
    }

    #[inline]
    fn take(&mut self, step: At, at: usize) -> Outcome {
        let steps = self.steps;
        match &steps[step] {
            Step::Literal { bytes, next } => {
                let end = at + bytes.len();
                if self.text.get(at..end) == Some(bytes) { Next(*next, end) } else { Done(false) }
            }
            Step::One { set, next } => match self.text.get(at) {
                Some(byte) if set.has(*byte) => Next(*next, at + 1),
                _ => Done(false),
            },
            Step::Run { run, next } if run.lazy => self.run_lazily(run, *next, at),
            Step::Run { run, next } => self.run(run, *next, at),
            Step::Either { ways, firsts } => match firsts.map(|first| first.is_at(self.text, at)) {
                [true, true] if self.goes(ways[0], at) => Done(true),
                [_, true] => Next(ways[1], at),
                [true, false] => Next(ways[0], at),
                [false, false] => Done(false),
            },
            Step::Note { slot, next } => {
                self.trail.push((*slot, std::mem::replace(&mut self.slots[*slot], narrow(at))));
                Next(*next, at)
            }
            Step::Assert { place, next } if self.is_place(*place, at) => Next(*next, at),
            Step::Look { inner, back, wanted, next } => {
                let fits = at.checked_sub(*back).is_some_and(|from| self.goes(*inner, from));
                if fits == *wanted { Next(*next, at) } else { Done(false) }
            }
            Step::Assert { .. } => Done(false),
            Step::End => Done(true),
        }
    }

    /// As many bytes as possible, and fewer of them as long as it does not go on behind them.
    fn run(&mut self, run: &Run, next: At, from: usize) -> Outcome {
        let longest = self.longest(run, from);
        if longest < run.least {
            return Done(false);
        }
        let (least, mut end) = (from + run.least, from + longest);
        if run.ends_surely {
            return if run.behind.is_at(self.text, end) { Next(next, end) } else { Done(false) };
        }
        while let Some(place) = self.last_end(run, least, end) {
            if place == least {
                return Next(next, least);
            }
            if self.goes(next, place) {
                return Done(true);
            }
            end = place - 1;
        }
        Done(false)
    }

    /// The last byte from `least` to `end` where it can go on behind a run.
    fn last_end(&mut self, run: &Run, least: usize, end: usize) -> Option<usize> {
        let place = match run.mark {
            Some(mark) => {
                memchr::memrchr(mark.byte, self.marked(mark, least, end)?).map(|found| least + found)
            }
            None => (least..=end).rev().find(|&place| run.behind.is_at(self.text, place)),
        };
        self.spend(end - place.unwrap_or(least));
        place
    }

    /// As few bytes as possible.
    fn run_lazily(&mut self, run: &Run, next: At, from: usize) -> Outcome {
        let end = from + self.longest(run, from);
        let mut least = from + run.least;
        while let Some(place) = self.first_end(run, least, end) {
            if place == end {
                return Next(next, end);
            }
            if self.goes(next, place) {
                return Done(true);
            }
            least = place + 1;
        }
        Done(false)
    }

    /// The first byte from `least` to `end` where it can go on behind a run.
    fn first_end(&mut self, run: &Run, least: usize, end: usize) -> Option<usize> {
        let place = match run.mark {
            Some(mark) => {
                memchr::memchr(mark.byte, self.marked(mark, least, end)?).map(|found| least + found)
            }
            None => (least..=end).find(|&place| run.behind.is_at(self.text, place)),
        };
        self.spend(place.unwrap_or(end).saturating_sub(least));
        place
    }

    /// Where the mark of a literal can be that begins from `least` to `end`.
    fn marked(&self, mark: Mark, least: usize, end: usize) -> Option<&'a [u8]> {
        self.text.get(least + mark.offset..self.text.len().min(end + mark.offset + 1))
    }

    /// How many bytes from `from` on are in the run's set.
    fn longest(&mut self, run: &Run, from: usize) -> usize {
        let rest = &self.text[from..];
        let rest = &rest[..rest.len().min(run.most)];
        let end = match run.to_line_end {
            true => memchr::memchr(b'\n', rest),
            false => rest.iter().position(|&byte| !run.table[usize::from(byte)]),
        };
        let length = end.unwrap_or(rest.len());
        self.spend(length);
        length
    }

    /// Takes down that so many bytes were looked at.
    fn spend(&mut self, bytes: usize) {
        self.patience = self.patience.saturating_sub(bytes / BYTES_A_STEP);
    }

    fn is_place(&self, place: Place, at: usize) -> bool {
        let (before, behind) = (at.checked_sub(1).map(|at| self.text[at]), self.text.get(at).copied());
        let is_word =
            |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match place {
            Place::TextStart => before.is_none(),
            Place::TextEnd => behind.is_none(),
            Place::LineStart => before.is_none_or(|byte| byte == b'\n'),
            Place::LineEnd => behind.is_none_or(|byte| byte == b'\n'),
            Place::LastLineEnd => at + usize::from(behind == Some(b'\n')) == self.text.len(),
            Place::WordBoundary => is_word(before) != is_word(behind),
            Place::NoWordBoundary => is_word(before) == is_word(behind),
        }
    }
}

/// A place in a text in the width of a slot.
fn narrow(at: usize) -> u32 {
    u32::try_from(at).expect("a text is far below 4 GiB")
}
