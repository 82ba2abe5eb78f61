//! Questions about the server itself, in class CH: what it is called is told where the configuration says so, its version
//! never, which helps attackers only.

use super::Server;
use super::lookup::TYPE_TXT;
use super::query::Question;

/// RFC 1035, section 3.2.4.
pub(super) const CLASS: u16 = 3;

/// The names a server has for who asks (RFC 4892, section 2.2).
const NAMES: [&[u8]; 2] = [b"\x02id\x06server\0", b"\x08hostname\x04bind\0"];

/// What the server is called, if that is asked and told.
pub(super) fn find<'a>(server: &'a Server, question: &Question) -> Option<&'a [u8]> {
    let nsid = server.nsid.as_ref()?;
    let asked = question.kind == TYPE_TXT && NAMES.contains(&question.name_from(0));
    asked.then(|| nsid.as_bytes())
}
