//! The name of a host by its address: a question to the system's resolver that the standard library does not ask.

#![expect(unsafe_code, reason = "getnameinfo takes pointers and lengths")]

use std::ffi::{CStr, c_char};
use std::net::{IpAddr, SocketAddr};

use nix::libc;
use nix::sys::socket::{SockaddrLike, SockaddrStorage};

/// The name that the system knows for `address`; it may take as long as the resolver waits.
pub fn host_name(address: IpAddr) -> Option<String> {
    let address = SockaddrStorage::from(SocketAddr::new(address, 0));
    let mut name = [0 as c_char; libc::NI_MAXHOST as usize];
    let length = libc::socklen_t::try_from(name.len()).ok()?;
    // SAFETY: the address is valid for its length, and the name for the length given; no service is asked for.
    let failed = unsafe {
        libc::getnameinfo(
            address.as_ptr(),
            address.len(),
            name.as_mut_ptr(),
            length,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if failed != 0 {
        return None;
    }
    // SAFETY: on success the name ends with a zero inside of the buffer.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    name.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_documentation_address_is_asked_without_harm() {
        // Some machine may have a name even for this.
        assert_ne!(host_name([127, 0, 0, 1].into()), Some(String::new()));
    }
}
