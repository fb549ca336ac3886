//! Netlink: the kernel's datagram protocol for configuration (netlink(7), RFC 3549).
//!
//! [`Builder`] writes requests, [`Socket`] carries them, [`Messages`] and [`Attributes`] read the
//! answers. The readers take any bytes at all: what does not parse ends the iteration, and nothing
//! here panics.
//!
//! What it does not do: know a subsystem. Those are [`nft`](crate::nft), [`nflog`](crate::nflog),
//! [`route`](crate::route), [`interface`](crate::interface) and [`diag`](crate::diag).

mod build;
#[cfg(test)]
pub(crate) mod mutilate;
mod parse;
mod socket;

pub use build::Builder;
pub use parse::{Attribute, Attributes, Message, Messages};
pub use socket::{Dump, REPLY_LIMIT, Socket};

// linux/netlink.h, in the width they have on the wire.

/// `NLM_F_REQUEST`: set on everything sent to the kernel.
pub const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`: answer even when all went well.
pub const ACK: u16 = 0x4;
/// `NLM_F_DUMP`: answer with a list.
pub const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`: make it if it is not there.
pub const CREATE: u16 = 0x400;
/// `NLM_F_DUMP_INTR`: the list changed while it was being written down.
pub const DUMP_INTERRUPTED: u16 = 0x10;
/// `NLMSG_ERROR`: an answer with an error number; zero is an acknowledgement.
pub const ERROR: u16 = 0x2;
/// `NLMSG_DONE`: the end of a list.
pub const DONE: u16 = 0x3;

/// The header every message to a netfilter subsystem begins with (`struct nfgenmsg`,
/// linux/netfilter/nfnetlink.h). `resource` means something different to each subsystem.
pub fn netfilter_header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low] // 0: NFNETLINK_V0
}

/// The type of a message to a netfilter subsystem (linux/netfilter/nfnetlink.h).
pub const fn netfilter_type(subsystem: u8, message: u8) -> u16 {
    u16::from_be_bytes([subsystem, message])
}
