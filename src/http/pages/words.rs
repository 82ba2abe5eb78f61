//! Times, spans and shares as people read them. Times are in UTC.

use std::time::Duration;

use crate::clock::Timestamp;

/// `2026-11-28 08:15`
pub(super) fn when(time: Timestamp) -> String {
    let written = time.to_string();
    match written.get(..16) {
        Some(minutes) => minutes.replace('T', " "),
        None => written,
    }
}

/// How long it is until `end`, or since when there is none: `3 h`, `for good`.
pub(super) fn left(end: Option<Timestamp>, now: Timestamp) -> String {
    end.map_or_else(|| "for good".to_owned(), |end| span(end.since(now)))
}

/// How long ago it was: `3 h ago`.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    format!("{} ago", span(now.since(time)))
}

/// A span in its largest unit.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (unit, length) = [("d", 86_400), ("h", 3600), ("min", 60)]
        .into_iter()
        .find(|(_, length)| seconds >= 2 * length)
        .unwrap_or(("s", 1));
    format!("{} {unit}", seconds / length)
}

/// Which part of the whole it is: `4.2 %`.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{:.1} %", part as f64 / whole as f64 * 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_said_in_percent() {
        for (part, whole, words) in [(0, 0, "–"), (0, 5, "0.0 %"), (1, 3, "33.3 %"), (7, 7, "100.0 %")] {
            assert_eq!(share(part, whole), words);
        }
    }

    #[test]
    fn spans_are_said_in_one_unit() {
        for (seconds, words) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7199, "119 min"),
            (7200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
            (31_536_000, "365 d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), words);
        }
        let now = Timestamp::from_secs(1_795_305_600);
        assert_eq!(when(now), "2026-11-22 00:00");
        assert_eq!(left(None, now), "for good");
        assert_eq!(left(Some(now + Duration::from_secs(3600)), now), "60 min");
    }
}
