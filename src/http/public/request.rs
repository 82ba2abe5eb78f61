//! Requests to take an address off by those who can't do it themselves. They wait for an operator; nothing happens by itself.

use std::net::IpAddr;

use serde::Deserialize;

use super::Public;
use crate::http::Failed;
use crate::ip::Prefix;
use crate::store::{self, NewRequest, Transaction};

/// So many may wait; more than this nobody works off.
const MOST_OPEN: u32 = 1000;

/// And so many from one network, or one joker fills the queue.
const MOST_OF_SOURCE: u32 = 5;

/// A mail address has at most so many octets (RFC 5321, section 4.5.3.1.3).
const LONGEST_CONTACT: usize = 254;

/// A page of text.
pub(super) const LONGEST_STATEMENT: usize = 3000;

/// The form as it is sent.
#[derive(Deserialize)]
pub(super) struct Form {
    contact: String,
    statement: String,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It waits.
    Waits,
    /// One for this address waits already.
    Twice,
    /// There is no room.
    TooMany,
}

impl Form {
    /// The request if it is one: a contact that can be answered, and a reason.
    pub(super) fn read(self) -> Option<(String, String)> {
        let (contact, statement) = (self.contact.trim(), self.statement.trim());
        let is_contact = contact.len() <= LONGEST_CONTACT
            && contact
                .split_once('@')
                .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
            && !contact.contains(|letter: char| letter.is_control() || letter.is_whitespace());
        let is_statement = !statement.is_empty() && statement.len() <= LONGEST_STATEMENT;
        (is_contact && is_statement).then(|| (contact.to_owned(), statement.to_owned()))
    }
}

/// Whom one joker can be.
fn network(client: IpAddr) -> Prefix {
    let length = if client.is_ipv4() { 24 } else { 64 };
    Prefix::new(client, length).expect("the lengths are within those of the families")
}

impl Public {
    /// Puts a request for `address` by `client` into the queue.
    pub(super) async fn request(
        &self,
        address: IpAddr,
        client: IpAddr,
        (contact, statement): (String, String),
    ) -> Result<Asked, Failed> {
        let (prefix, source, asked) = (Prefix::host(address), network(client), self.0.now());
        let request = NewRequest { prefix, contact, statement, source, asked };
        let keep = move |changes: &Transaction<'_>| {
            let (open, of_source) = changes.count_open_requests(source)?;
            if open >= MOST_OPEN || of_source >= MOST_OF_SOURCE {
                return Ok(Asked::TooMany);
            }
            Ok(if changes.insert_request(&request)? { Asked::Waits } else { Asked::Twice })
        };
        self.0.change::<_, store::Error>(keep).await?.map_err(Failed::Store)
    }

    /// Whether a request for `address` waits.
    pub(super) async fn waits(&self, address: IpAddr) -> Result<bool, Failed> {
        let prefix = Prefix::host(address);
        Ok(self.0.read(move |reader| reader.open_request(prefix)).await?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_a_contact_and_a_reason() {
        let long = "x".repeat(LONGEST_STATEMENT + 1);
        for (contact, statement, expected) in [
            (" postmaster@mail.example ", " mended\n", true),
            ("postmaster@mail.example", " ", false),
            ("postmaster", "mended", false),
            ("@mail.example", "mended", false),
            ("a@b.example\r\nBcc: c@d.example", "mended", false),
            ("postmaster@mail.example", &long, false),
        ] {
            let form = Form { contact: contact.to_owned(), statement: statement.to_owned() };
            assert_eq!(form.read().is_some(), expected, "{contact:?} {}", statement.len());
        }
    }
}
