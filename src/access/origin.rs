//! Where browsers find the pages, which is whom a passkey is for.

use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder};

/// The scheme, host and port that browsers show. Passkeys made for one host are of no use for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Url);

/// Why something is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin that has passkeys: write \"https://\", a host name and a port if it is not 443; \
     \"http://\" is for localhost only"
)]
pub struct NoOrigin(String);

impl Origin {
    /// Reads it as people write it.
    pub fn parse(text: &str) -> Result<Self, NoOrigin> {
        let is_good = |url: &Url| {
            let is_private =
                url.scheme() == "https" || (url.scheme(), url.domain()) == ("http", Some("localhost"));
            let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            is_private
                && is_bare
                && url.domain().is_some()
                && url.username().is_empty()
                && url.password().is_none()
        };
        let url = Url::parse(text).ok().filter(is_good);
        url.map(Self).ok_or_else(|| NoOrigin(text.chars().take(256).collect()))
    }

    /// What asks browsers for passkeys of this host.
    pub(super) fn webauthn(&self) -> Webauthn {
        let host = self.0.domain().expect("it was read with one");
        let builder = WebauthnBuilder::new(host, &self.0).expect("a host is its own");
        builder.rp_name("banzone").build().expect("it has a host and an origin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_browsers_trust_is_one() {
        for good in ["https://bl.example", "https://bl.example:8053/", "http://localhost:8053"] {
            Origin::parse(good).unwrap().webauthn();
        }
        for bad in [
            "",
            "bl.example",
            "http://bl.example",
            "https://192.0.2.1",
            "https://[2001:db8::1]",
            "https://bl.example/path",
            "https://user@bl.example",
            "ftp://localhost",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
