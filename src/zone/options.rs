//! The options of EDNS (RFC 6891, section 6.1.2) that mean something here: cookies, the server's name, and how long a
//! connection may stay idle.

use super::cookie::{BOTH, Cookie};

/// RFC 5001.
const NSID: u16 = 3;

/// RFC 7873, section 4.
const COOKIE: u16 = 10;

/// RFC 7828, section 3.
const TCP_KEEPALIVE: u16 = 11;

/// Code and length of an option.
const HEAD: usize = 4;

/// What a query asks for by its options.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    pub(super) cookie: Option<Cookie<'a>>,
    /// Which of the servers behind one address this is (RFC 5001).
    pub(super) nsid: bool,
    /// How long the connection may stay idle (RFC 7828); an option that names a time is none of a query.
    pub(super) keepalive: bool,
}

impl<'a> Asked<'a> {
    /// Takes in an option; `None` if it is malformed. Of several cookies the first counts (RFC 7873, section 5.2).
    pub(super) fn add(&mut self, code: u16, data: &'a [u8]) -> Option<()> {
        match code {
            COOKIE if self.cookie.is_none() => self.cookie = Some(Cookie::read(data)?),
            NSID => self.nsid = true,
            TCP_KEEPALIVE => self.keepalive = data.is_empty(),
            _ => {}
        }
        Some(())
    }
}

/// What a reply says by its options.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told<'a> {
    pub(super) cookie: Option<[u8; BOTH]>,
    pub(super) nsid: Option<&'a [u8]>,
    /// In tenths of a second.
    pub(super) keepalive: Option<u16>,
}

impl Told<'_> {
    /// How many octets it takes.
    pub(super) fn len(&self) -> usize {
        let cookie = self.cookie.map_or(0, |_| HEAD + BOTH);
        let nsid = self.nsid.map_or(0, |nsid| HEAD + nsid.len());
        cookie + nsid + self.keepalive.map_or(0, |_| HEAD + size_of::<u16>())
    }

    /// Appends the options.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if let Some(cookie) = &self.cookie {
            write(COOKIE, cookie, out);
        }
        if let Some(nsid) = self.nsid {
            write(NSID, nsid, out);
        }
        if let Some(tenths) = self.keepalive {
            write(TCP_KEEPALIVE, &tenths.to_be_bytes(), out);
        }
    }
}

fn write(code: u16, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&(data.len() as u16).to_be_bytes());
    out.extend_from_slice(data);
}
