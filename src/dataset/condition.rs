//! When an entry is listed, if not always: `@ key=value;key=value` behind it, as the Rspamd fork of rbldnsd has it.
//!
//! `ts=SECONDS;delay=SPAN`: from so long after that time on. `key=require`: for who asks with a key only. `key=nodelay`: for
//! those at once. `delay` alone lets that server wait with its answer; here it has no effect, as a reply that waits would have to be
//! kept meanwhile.

use std::time::Duration;

use super::answer::Asked;
use super::syntax::seconds;
use crate::clock::Timestamp;

/// When an entry is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Condition {
    from: Option<Timestamp>,
    key: Key,
}

/// What a key changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Key {
    #[default]
    Nothing,
    Required,
    NoDelay,
}

impl Condition {
    /// Whether the entry is there for who asks.
    pub(super) fn holds(self, asked: &Asked<'_>) -> bool {
        let has_begun = self.from.is_none_or(|from| from <= asked.now());
        match self.key {
            Key::Nothing => has_begun,
            Key::Required => has_begun && asked.has_key(),
            Key::NoDelay => has_begun || asked.has_key(),
        }
    }
}

/// Splits what stands behind the key of an entry into its value and its condition. What follows an `@` and is none belongs
/// to the text, in which it may stand as well.
pub(super) fn split(text: &[u8]) -> (&[u8], Condition) {
    let is_mark = |at: &usize| text[*at] == b'@' && (*at == 0 || text[at - 1].is_ascii_whitespace());
    let whole = (text, Condition::default());
    let Some(at) = (0..text.len()).rev().find(is_mark) else {
        return whole;
    };
    read(&text[at + 1..]).map_or(whole, |condition| (&text[..at], condition))
}

fn read(written: &[u8]) -> Option<Condition> {
    let (mut since, mut delay, mut key) = (None, None, Key::Nothing);
    for pair in written.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        match (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii()) {
            (b"ts", time) => since = Some(time_of(time)?),
            (b"delay", span) => delay = Some(Duration::from_secs(seconds(span)?.into())),
            (b"key", b"require") => key = Key::Required,
            (b"key", b"nodelay") => key = Key::NoDelay,
            _ => return None,
        }
    }
    let is_any = since.is_some() || delay.is_some() || key != Key::Nothing;
    is_any.then_some(Condition { from: since.zip(delay).map(|(since, delay)| since + delay), key })
}

/// A number of seconds since 1970, of up to 32 bits.
fn time_of(written: &[u8]) -> Option<Timestamp> {
    super::syntax::number(written).map(|seconds| Timestamp::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_told_from_texts() {
        for (text, value, is_condition) in [
            (" @ key=require", " ", true),
            (" :9:text @ ts=5;delay=1h", " :9:text ", true),
            (" text @ ts = 5 ; delay = 1h ; key=nodelay;", " text ", true),
            ("@ delay=10s", "", true),
            (" mail me@ key=require", " mail me@ key=require", false),
            (" me @ home", " me @ home", false),
            (" at @ ts=soon", " at @ ts=soon", false),
            (" at @ key=other", " at @ key=other", false),
            (" at @ ", " at @ ", false),
            ("", "", false),
        ] {
            let (rest, condition) = split(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(rest), value, "{text}");
            let delay_only = text.contains("@ delay=10s");
            assert_eq!(condition != Condition::default(), is_condition && !delay_only, "{text}");
        }
    }
}
