//! The octets of an IPv4 address as labels of a name. Every question is read by this, so that it is a matter of one look.

/// Two to the power of this are the places of [`LABELS`].
const PLACE_BITS: u32 = 9;

/// Gives each of the 256 labels a place of its own; found by trying.
const MULTIPLIER: u32 = 0x2d6d_8749;

/// What counts of a label with so many digits: its length and these.
const MEANT: [u32; 4] = [0xff, 0xffff, 0x00ff_ffff, 0xffff_ffff];

/// The label of each octet, and the octet, at the place of the label.
struct Labels {
    labels: [u32; 1 << PLACE_BITS],
    octets: [u8; 1 << PLACE_BITS],
}

static LABELS: Labels = labels();

/// The octet that is written in a label, which begins with its length; `None` if it is none, is over 255, or has leading zeros, which
/// would give an address many names. The first byte is the lowest; what stands behind a label of fewer digits is not looked at.
#[inline]
pub fn read_octet(label: u32) -> Option<u8> {
    let meant = label & MEANT.get((label & 0xff) as usize)?;
    let place = place(meant);
    (LABELS.labels[place] == meant).then_some(LABELS.octets[place])
}

#[inline]
const fn place(label: u32) -> usize {
    (label.wrapping_mul(MULTIPLIER) >> (u32::BITS - PLACE_BITS)) as usize
}

const fn labels() -> Labels {
    // No label looks like what stands at free places.
    let mut all = Labels { labels: [u32::MAX; _], octets: [0; _] };
    let mut octet = 0;
    while octet <= u8::MAX as usize {
        let label = label(octet as u8);
        all.labels[place(label)] = label;
        all.octets[place(label)] = octet as u8;
        octet += 1;
    }
    all
}

const fn label(octet: u8) -> u32 {
    let digits = [b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10];
    u32::from_le_bytes(match octet {
        0..10 => [1, digits[2], 0, 0],
        10..100 => [2, digits[1], digits[2], 0],
        100.. => [3, digits[0], digits[1], digits[2]],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is read from a name in which a label follows.
    fn read(digits: &str) -> Option<u8> {
        let mut name = vec![digits.len() as u8];
        name.extend_from_slice(digits.as_bytes());
        name.extend_from_slice(b"\x03255");
        read_octet(u32::from_le_bytes(*name.first_chunk().unwrap()))
    }

    #[test]
    fn every_octet_has_one_label() {
        for number in 0..2000 {
            assert_eq!(read(&number.to_string()), u8::try_from(number).ok(), "{number}");
        }
        for other in ["", "00", "01", "007", "1a", "a", "/", ":", "25:", "\0", "\u{7f}", "-1", "+1", "1 "] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }

    #[test]
    fn nothing_else_is_an_octet() {
        let octets = (0..=u32::MAX >> 8).filter_map(|digits| read_octet(digits << 8 | 3));
        assert_eq!(octets.count(), 156, "those from 100 to 255");
    }
}
