//! One daemon per network namespace: two would take each other's table for a broken one.
//!
//! The lock is an abstract unix socket (unix(7)): its name is the network namespace's own, and it
//! goes with the process that holds it, however that ends.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The name in the abstract namespace.
const NAME: &[u8] = b"vauban table inet vauban";

/// While this lives, nobody else in this network namespace gets one.
pub struct Only {
    _held: UnixDatagram,
}

impl Only {
    /// Takes the lock.
    ///
    /// # Errors
    /// `AddrInUse`: somebody has it.
    pub fn take() -> io::Result<Self> {
        let name = SocketAddr::from_abstract_name(NAME)?;
        Ok(Self { _held: UnixDatagram::bind_addr(&name)? })
    }
}
