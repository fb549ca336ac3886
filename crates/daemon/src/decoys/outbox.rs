//! Packets that wait to be sent together: one system call for a burst.

use std::ops::Range;

use vauban_sys::network::{NetworkSender, Outgoing};
use vauban_sys::nflog::Copy;

/// Where an answer goes: back to where the packet came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The interface's index.
    pub interface: u32,
    /// The link address; empty where the link has none.
    address: [u8; 8],
    length: usize,
}

impl Way {
    /// Back to where this copy's packet came from; `None` if it came by no interface.
    pub(super) fn back(copy: &Copy<'_>) -> Option<Self> {
        let bytes = copy.hardware_address.unwrap_or_default();
        let mut address = [0; 8];
        // The kernel's own field holds eight bytes.
        address.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { interface: copy.in_interface?, address, length: bytes.len() })
    }

    #[cfg(test)]
    pub(super) fn nowhere() -> Self {
        Self { interface: 0, address: [0; 8], length: 0 }
    }

    fn address(&self) -> &[u8] {
        self.address.get(..self.length).unwrap_or_default()
    }
}

/// The packets, one behind the other.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    packets: Vec<(Way, Range<usize>)>,
}

impl Outbox {
    /// Puts a packet in.
    pub(super) fn put(&mut self, way: Way, packet: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(packet);
        self.packets.push((way, start..self.bytes.len()));
    }

    /// Sends them all; says how many could not be sent.
    pub(super) fn send(&mut self, sender: &NetworkSender) -> u64 {
        if self.packets.is_empty() {
            return 0;
        }
        let outgoing: Vec<Outgoing<'_>> = self
            .packets
            .iter()
            .map(|(way, range)| Outgoing {
                interface: way.interface,
                link_address: way.address(),
                packet: self.bytes.get(range.clone()).unwrap_or_default(),
            })
            .collect();
        let failed = outgoing.len().saturating_sub(sender.send(&outgoing));
        self.clear();
        failed as u64
    }

    /// Throws them away.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.packets.clear();
    }
}
