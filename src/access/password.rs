//! Passwords: argon2id with 19 MiB and two passes, the crate's and OWASP's choice. Each takes some 20 ms of a core, on
//! purpose: whoever asks bounds how many are looked at at a time.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use super::Error;

/// Shorter ones are guessed.
const SHORTEST: usize = 12;

/// Longer ones are no passwords, but work to read.
const LONGEST: usize = 256;

/// A password that somebody has chosen, as it is kept (PHC string).
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed(String);

impl Hashed {
    /// Takes `password` if it is long enough. Takes its time.
    pub fn new(password: &str) -> Result<Self, Error> {
        let length = password.chars().count();
        if length < SHORTEST || password.len() > LONGEST {
            return Err(Error::Password { shortest: SHORTEST, longest: LONGEST });
        }
        Ok(Self(hash(password)))
    }

    /// As the database has it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn hash(password: &str) -> String {
    let hash: PasswordHash =
        Argon2::default().hash_password(password.as_bytes()).expect("the parameters are argon2's own");
    hash.to_string()
}

/// Whether `password` is the one of which `kept` is the hash. It takes as long where there is none, so that nobody learns who
/// has an account.
pub fn is_right(password: &str, kept: Option<&str>) -> bool {
    /// Nobody's.
    static DECOY: LazyLock<String> = LazyLock::new(|| hash(&rand::random::<u128>().to_string()));
    let hash = PasswordHash::new(kept.unwrap_or(&DECOY));
    let is_right = |hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    password.len() <= LONGEST && hash.is_ok_and(is_right) && kept.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_recognised_and_no_other() {
        let Hashed(kept) = Hashed::new("correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(is_right("correct horse battery", Some(&kept)));
        for wrong in ["", "correct horse batterx", "Correct horse battery"] {
            assert!(!is_right(wrong, Some(&kept)), "{wrong}");
        }
        assert!(!is_right("correct horse battery", None));
        assert!(!is_right("correct horse battery", Some("no hash")));
        assert!(Hashed::new("correct horse battery").unwrap().0 != kept, "each has a salt of its own");
    }

    #[test]
    fn passwords_have_a_length() {
        for (password, is_taken) in [
            ("eleven char", false),
            ("twelve chars", true),
            (&*"é".repeat(12), true),
            (&"x".repeat(257), false),
        ] {
            assert_eq!(Hashed::new(password).is_ok(), is_taken, "{password}");
        }
    }
}
