//! What this kernel's TCP was built with.
//!
//! What it does not do: settings, which stand below /proc/sys.

use std::io;
use std::os::fd::AsFd as _;

use crate::socket;

/// `TCP_AO_INFO` (`linux/tcp.h`): how a socket uses TCP-AO.
const AUTHENTICATION_INFO: i32 = 40;

/// Whether the kernel knows TCP-AO (RFC 5925, `CONFIG_TCP_AO`).
///
/// # Errors
/// Those of socket(2).
pub fn knows_authentication() -> io::Result<bool> {
    let socket = socket::open(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    // One that knows the option says that this socket has no keys, or that a number is too short
    // an answer.
    let answer = socket::get_int(socket.as_fd(), libc::IPPROTO_TCP, AUTHENTICATION_INFO);
    Ok(answer.err().and_then(|error| error.raw_os_error()) != Some(libc::ENOPROTOOPT))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_says_one_or_the_other() {
        super::knows_authentication().unwrap();
    }
}
