//! Second factors: codes that a telephone shows (TOTP, RFC 6238: six digits, 30 seconds, SHA-1, which every app knows), and
//! recovery codes for whoever has lost it, each good once.

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::QrCode;
use qrcode::render::{svg, unicode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Totp};

use crate::clock::Timestamp;

/// Octets of a secret, as RFC 4226 recommends (section 4, R6).
const SECRET: usize = 20;

/// So many recovery codes are handed out.
const RECOVERY: usize = 10;

/// Random octets of a recovery code, 16 characters: nobody guesses 80 bits, so that a fast hash is enough.
const CODE: usize = 10;

/// What a telephone and we know.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A new one.
    pub(super) fn new() -> Self {
        Self(rand::random::<[u8; SECRET]>().into())
    }

    /// As the database has it.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// For the database.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// To be typed where there is no camera.
    pub fn in_words(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// What the picture says: the URL that apps know, for the account of `user`.
    pub fn url(&self, user: &str) -> String {
        let user = utf8_percent_encode(user, NON_ALPHANUMERIC);
        format!("otpauth://totp/banzone:{user}?secret={}&issuer=banzone", self.in_words())
    }

    /// The step of time whose code this is: the present one, or a neighbour, since no two clocks are alike. A step that was
    /// used must not be used again, nor one before it.
    pub(super) fn step(&self, code: &str, now: Timestamp) -> Option<u64> {
        self.totp().check(code.trim(), u64::try_from(now.as_secs()).ok()?)
    }

    fn totp(&self) -> Totp {
        Builder::new().with_secret(self.0.clone()).build_noncompliant()
    }
}

/// `url` as a picture for a terminal.
pub fn qr_text(url: &str) -> String {
    let code = qr(url);
    // Dark on light, whatever the colours of the terminal: what is printed is the light part.
    code.render::<unicode::Dense1x2>()
        .dark_color(unicode::Dense1x2::Light)
        .light_color(unicode::Dense1x2::Dark)
        .build()
}

/// `url` as an SVG document.
pub fn qr_svg(url: &str) -> String {
    qr(url).render::<svg::Color<'_>>().min_dimensions(200, 200).build()
}

fn qr(url: &str) -> QrCode {
    QrCode::new(url).expect("a name and a secret are far shorter than the 2953 octets of the largest code")
}

/// New recovery codes as they are shown once, and the hashes to keep.
pub(super) fn recovery_codes() -> (Vec<String>, Vec<String>) {
    let code = || BASE32_NOPAD.encode(&rand::random::<[u8; CODE]>()).to_ascii_lowercase();
    let codes: Vec<String> = (0..RECOVERY).map(|_| code()).collect();
    let hashes = codes.iter().map(|code| hash(code)).collect();
    (codes.iter().map(|code| grouped(code)).collect(), hashes)
}

fn grouped(code: &str) -> String {
    let groups: Vec<_> = code.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    groups.join("-")
}

fn hash(code: &str) -> String {
    BASE32_NOPAD.encode(&Sha256::digest(code))
}

/// Whether a code is short enough to be guessed: one that a telephone shows, not one for recovery.
pub fn is_guessable(typed: &str) -> bool {
    typed.trim().len() <= 8
}

/// Which of `kept` has the hash of what was typed, if any.
pub(super) fn recovery_index(typed: &str, kept: &[String]) -> Option<usize> {
    let plain: String =
        typed.chars().filter(|c| !"- ".contains(*c)).map(|c| c.to_ascii_lowercase()).collect();
    BASE32_NOPAD_NOCASE.decode(plain.as_bytes()).ok().filter(|octets| octets.len() == CODE)?;
    let hash = hash(&plain);
    // All are looked at, so that the time tells nothing.
    let matching = kept.iter().enumerate().filter(|(_, kept)| kept.as_bytes().ct_eq(hash.as_bytes()).into());
    matching.fold(None, |_, (index, _)| Some(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, the last six of eight digits.
        let secret = Secret(b"12345678901234567890".to_vec());
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = |seconds| secret.step(code, Timestamp::from_secs(seconds));
            let expected = u64::try_from(seconds).unwrap() / 30;
            assert_eq!(step(seconds), Some(expected), "{code}");
            assert_eq!(step(seconds + 30), Some(expected), "one late");
            assert_eq!(step(seconds + 60), None, "too late");
            assert_eq!(step(seconds - 60), None, "too early");
        }
        for wrong in ["", "28708", "2870822", "abcdef", "２８７０８２"] {
            assert_eq!(secret.step(wrong, Timestamp::from_secs(59)), None, "{wrong}");
        }
    }

    #[test]
    fn the_secret_can_be_read_by_a_telephone() {
        let secret = Secret(b"12345678901234567890".to_vec());
        let url = secret.url("a/b");
        assert_eq!(
            url,
            "otpauth://totp/banzone:a%2Fb?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=banzone"
        );
        assert!(qr_svg(&url).contains("<svg ") && qr_text(&url).lines().count() > 20);
    }

    #[test]
    fn recovery_codes_are_recognised() {
        let (codes, kept) = recovery_codes();
        assert_eq!((codes.len(), kept.len(), codes[0].len()), (RECOVERY, RECOVERY, 19));
        for (index, code) in codes.iter().enumerate() {
            assert_eq!(recovery_index(code, &kept), Some(index));
            assert_eq!(recovery_index(&code.to_uppercase().replace('-', " "), &kept), Some(index));
            assert!(!kept.contains(code));
        }
        for wrong in ["", "123456", "aaaa-aaaa-aaaa-aaaa", &codes[0][1..]] {
            assert_eq!(recovery_index(wrong, &kept), None);
        }
    }
}
