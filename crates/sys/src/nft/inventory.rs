//! What a table is made of: its chains and its sets, as the kernel has them.
//!
//! What it does not do: read rules or elements, or objects that are neither (those are in
//! `read`).

use std::io;
use std::time::Duration;

use super::HEADER;
use super::uapi::{self, chain, set};
use crate::netlink::{Builder, DUMP, Message, REQUEST, netfilter_header};

/// A named set or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetInfo {
    /// Its name.
    pub name: String,
    /// `NFT_SET_*`: [`CONSTANT`](Self::CONSTANT) and its neighbours, ored.
    pub flags: u32,
    /// What its keys are, in the numbers of `nft` (7 is `ipv4_addr`, 8 `ipv6_addr`, 13
    /// `inet_service`; of a concatenation, six bits for each). The kernel keeps it for others
    /// and makes no use of it.
    pub key_type: u32,
    /// How long its keys are, in bytes.
    pub key_len: u32,
    /// How many elements it takes at most. `None`: the declaration names no limit.
    pub size: Option<u32>,
    /// When elements expire that name no time of their own. `None`: never.
    pub timeout: Option<Duration>,
}

impl SetInfo {
    /// Elements cannot be added or removed once a rule uses it.
    pub const CONSTANT: u32 = 0x2;
    /// Its elements are intervals.
    pub const INTERVAL: u32 = 0x4;
    /// It is a map.
    pub const MAP: u32 = 0x8;
    /// Its elements may expire.
    pub const TIMEOUT: u32 = 0x10;
    /// Rules may add elements.
    pub const DYNAMIC: u32 = 0x20;
}

pub(super) fn request_chains(request: &mut Builder, sequence: u32, table: &str) -> io::Result<()> {
    let header = netfilter_header(uapi::FAMILY_INET, 0);
    request.message(uapi::GET_CHAIN, REQUEST | DUMP, sequence, &header, |b| {
        b.string(chain::TABLE, table)
    })
}

pub(super) fn request_sets(request: &mut Builder, sequence: u32, table: &str) -> io::Result<()> {
    let header = netfilter_header(uapi::FAMILY_INET, 0);
    request
        .message(uapi::GET_SET, REQUEST | DUMP, sequence, &header, |b| b.string(set::TABLE, table))
}

/// Adds the name of the chain that one message describes, if it is of this table: kernels list
/// the chains of all (6.18 does), whatever the request says.
pub(super) fn chain(message: Message<'_>, table: &str, into: &mut Vec<String>) {
    if message.kind != uapi::NEW_CHAIN || !is_of(message, chain::TABLE, table) {
        return;
    }
    into.extend(message.attributes(HEADER).get(chain::NAME).map(|name| name.text().to_owned()));
}

/// Adds the set that one message describes, if it is of this table and has a name of its own.
pub(super) fn set(message: Message<'_>, table: &str, into: &mut Vec<SetInfo>) {
    if message.kind == uapi::NEW_SET && is_of(message, set::TABLE, table) {
        into.extend(one_set(message));
    }
}

fn is_of(message: Message<'_>, kind: u16, table: &str) -> bool {
    message.attributes(HEADER).get(kind).is_some_and(|name| name.text() == table)
}

fn one_set(message: Message<'_>) -> Option<SetInfo> {
    let find = |kind| message.attributes(HEADER).get(kind);
    let number = |kind| find(kind).and_then(|a| a.be32());
    let flags = number(set::FLAGS).unwrap_or(0);
    if flags & set::ANONYMOUS != 0 {
        return None;
    }
    Some(SetInfo {
        name: find(set::NAME)?.text().to_owned(),
        flags,
        key_type: number(set::KEY_TYPE)?,
        key_len: number(set::KEY_LENGTH)?,
        size: find(set::DESCRIPTION).and_then(|d| d.nested().get(set::SIZE)?.be32()),
        timeout: find(set::TIMEOUT).and_then(|a| a.be64()).map(Duration::from_millis),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Messages;
    use crate::netlink::mutilate::every_mutilation;

    fn chain_reply() -> Vec<u8> {
        let mut builder = Builder::new();
        for (table, name) in [("t", "in"), ("other", "out"), ("t", "")] {
            builder
                .message(uapi::NEW_CHAIN, 2, 1, &[1, 0, 0, 0], |b| {
                    b.string(chain::TABLE, table)?;
                    b.be64(2, 5)?; // NFTA_CHAIN_HANDLE
                    b.string(chain::NAME, name)
                })
                .unwrap();
        }
        builder.bytes().to_vec()
    }

    fn set_reply() -> Vec<u8> {
        let mut builder = Builder::new();
        for (table, name, flags) in
            [("t", "hosts", SetInfo::TIMEOUT), ("t", "__set0", set::ANONYMOUS | 2), ("u", "x", 0)]
        {
            builder
                .message(uapi::NEW_SET, 2, 1, &[1, 0, 0, 0], |b| {
                    b.string(set::TABLE, table)?;
                    b.string(set::NAME, name)?;
                    b.be32(set::FLAGS, flags)?;
                    b.be32(set::KEY_TYPE, 7)?;
                    b.be32(set::KEY_LENGTH, 4)?;
                    b.be64(set::TIMEOUT, 90_000)?;
                    b.nest(set::DESCRIPTION, |b| b.be32(set::SIZE, 512))
                })
                .unwrap();
        }
        builder.bytes().to_vec()
    }

    fn read<T>(bytes: &[u8], one: fn(Message<'_>, &str, &mut Vec<T>)) -> Vec<T> {
        let mut found = Vec::new();
        Messages::new(bytes).for_each(|message| one(message, "t", &mut found));
        found
    }

    #[test]
    fn chains_of_the_table_are_read_and_no_others() {
        assert_eq!(read(&chain_reply(), chain), ["in", ""]);
    }

    #[test]
    fn named_sets_of_the_table_are_read_and_no_others() {
        let hosts = SetInfo {
            name: "hosts".into(),
            flags: SetInfo::TIMEOUT,
            key_type: 7,
            key_len: 4,
            size: Some(512),
            timeout: Some(Duration::from_secs(90)),
        };
        assert_eq!(read(&set_reply(), set), [hosts]);
    }

    #[test]
    fn no_mutilation_panics() {
        every_mutilation(&chain_reply(), |bytes| {
            read(bytes, chain);
        });
        every_mutilation(&set_reply(), |bytes| {
            read(bytes, set);
        });
    }
}
