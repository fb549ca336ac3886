//! What is to be known of one network interface (rtnetlink(7)). No privilege needed.
//!
//! What it does not do: list interfaces, watch them, or change anything.

use std::io;

use crate::netlink::{ACK, Builder, Message, REQUEST, Socket};

/// The length of `struct ifinfomsg`: family, padding, type (2 bytes), then index, flags and
/// changed flags (4 bytes each).
const IFINFOMSG: usize = 16;

/// `IFLA_MTU` (linux/if_link.h).
const IFLA_MTU: u16 = 4;

/// The longest network-layer packet an interface carries, in bytes, its header included.
///
/// # Errors
/// `ENODEV`: the calling thread's network namespace has no interface of this index.
pub fn mtu(index: u32) -> io::Result<u32> {
    if index == 0 {
        // The kernel would look for a name instead, and find none.
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    let mut socket = Socket::open(libc::NETLINK_ROUTE)?;
    let sequence = socket.next_sequence();
    let mut header = [0; IFINFOMSG];
    if let Some(slot) = header.get_mut(4..8) {
        slot.copy_from_slice(&index.to_ne_bytes());
    }
    let mut request = Builder::new();
    request.message(libc::RTM_GETLINK, REQUEST | ACK, sequence, &header, |_| Ok(()))?;
    let mut found = None;
    socket.request(request.bytes(), sequence, |message| found = found.or(read(message)))?;
    found.ok_or_else(|| io::Error::from_raw_os_error(libc::EPROTO))
}

fn read(message: Message<'_>) -> Option<u32> {
    if message.kind != libc::RTM_NEWLINK {
        return None;
    }
    let attribute = message.attributes(IFINFOMSG).get(IFLA_MTU)?;
    attribute.value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Messages;
    use crate::netlink::mutilate::every_mutilation;

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        for index in [0, u32::from(u16::MAX) * 1000] {
            assert_eq!(mtu(index).unwrap_err().raw_os_error(), Some(libc::ENODEV));
        }
    }

    #[test]
    fn no_mutilation_panics() {
        let mut builder = Builder::new();
        builder
            .message(libc::RTM_NEWLINK, 0, 1, &[0; IFINFOMSG], |b| {
                b.string(3, "left")?; // IFLA_IFNAME
                b.attribute(IFLA_MTU, &1500u32.to_ne_bytes())
            })
            .unwrap();
        assert_eq!(read(Messages::new(builder.bytes()).next().unwrap()), Some(1500));
        every_mutilation(builder.bytes(), |bytes| {
            Messages::new(bytes).for_each(|message| {
                read(message);
            });
        });
    }
}
