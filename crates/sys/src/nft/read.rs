//! Asking `nf_tables` for lists, and reading its answers.
//!
//! What it does not do: send; or understand what a key means.

use std::io;
use std::time::Duration;

use super::HEADER;
use super::uapi::{self, element, list, object};
use crate::netlink::{ACK, Attributes, Builder, DUMP, Message, REQUEST, netfilter_header};

/// An element of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its key as the kernel compares it (see [the module](crate::nft)); empty for the catch-all
    /// element `*`.
    pub key: Vec<u8>,
    /// How much of its timeout is left, in whole milliseconds. `None`: it stays.
    pub expires_in: Option<Duration>,
    /// In a set of intervals: this is the first key *after* an interval. Intervals that reach the
    /// last key have no such element, and `nft` adds one at key zero that ends nothing.
    pub interval_end: bool,
}

/// A named counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Its name.
    pub name: String,
    /// Packets since it was made or reset.
    pub packets: u64,
    /// Bytes of those packets, network header included.
    pub bytes: u64,
}

pub(super) fn request_elements(
    request: &mut Builder,
    sequence: u32,
    table: &str,
    set: &str,
) -> io::Result<()> {
    let header = netfilter_header(uapi::FAMILY_INET, 0);
    request.message(uapi::GET_ELEMENT, REQUEST | DUMP, sequence, &header, |b| {
        b.string(list::TABLE, table)?;
        b.string(list::SET, set)
    })
}

pub(super) fn request_counters(
    request: &mut Builder,
    sequence: u32,
    table: &str,
) -> io::Result<()> {
    let header = netfilter_header(uapi::FAMILY_INET, 0);
    request.message(uapi::GET_OBJECT, REQUEST | DUMP, sequence, &header, |b| {
        b.string(object::TABLE, table)?;
        b.be32(object::TYPE, object::COUNTER)
    })
}

pub(super) fn request_rules(request: &mut Builder, sequence: u32, table: &str) -> io::Result<()> {
    let header = netfilter_header(uapi::FAMILY_INET, 0);
    request.message(uapi::GET_RULE, REQUEST | DUMP, sequence, &header, |b| {
        b.string(uapi::rule::TABLE, table)
    })
}

/// Adds the handle of the rule that one message describes.
pub(super) fn rule(message: Message<'_>, into: &mut Vec<u64>) {
    if message.kind == uapi::NEW_RULE {
        into.extend(message.attributes(HEADER).get(uapi::rule::HANDLE).and_then(|a| a.be64()));
    }
}

pub(super) fn request_table(request: &mut Builder, sequence: u32, table: &str) -> io::Result<()> {
    let header = netfilter_header(uapi::FAMILY_INET, 0);
    request.message(uapi::GET_TABLE, REQUEST | ACK, sequence, &header, |b| {
        b.string(uapi::table::NAME, table)
    })
}

pub(super) fn request_generation(request: &mut Builder, sequence: u32) -> io::Result<()> {
    let header = netfilter_header(0, 0);
    request.message(uapi::GET_GENERATION, REQUEST | ACK, sequence, &header, |_| Ok(()))
}

/// The number of the last commit in the network namespace.
pub(super) fn generation(message: Message<'_>) -> Option<u32> {
    message.attributes(HEADER).get(uapi::generation::ID)?.be32()
}

/// Adds the elements of one message.
pub(super) fn elements(message: Message<'_>, into: &mut Vec<Element>) {
    if message.kind != uapi::NEW_ELEMENT {
        return;
    }
    // A set without elements is listed as a message without a list.
    if let Some(all) = message.attributes(HEADER).get(list::ELEMENTS) {
        into.extend(all.nested().filter(|a| a.kind == list::ENTRY).map(|a| one(a.nested())));
    }
}

fn one(attributes: Attributes<'_>) -> Element {
    let mut element = Element { key: Vec::new(), expires_in: None, interval_end: false };
    for attribute in attributes {
        match attribute.kind {
            element::KEY => {
                let value = attribute.nested().get(element::VALUE);
                element.key = value.map(|value| value.value.to_vec()).unwrap_or_default();
            }
            element::EXPIRATION => {
                element.expires_in = attribute.be64().map(Duration::from_millis);
            }
            element::FLAGS => {
                let flags = attribute.be32().unwrap_or(0);
                element.interval_end = flags & element::INTERVAL_END != 0;
            }
            _ => {}
        }
    }
    element
}

/// Adds the counter that one message describes.
pub(super) fn counter(message: Message<'_>, into: &mut Vec<Counter>) {
    if message.kind == uapi::NEW_OBJECT {
        into.extend(one_counter(&message.attributes(HEADER)));
    }
}

fn one_counter(attributes: &Attributes<'_>) -> Option<Counter> {
    let find = |kind| attributes.clone().get(kind);
    // The filter in the request is younger than the list, so its result is checked.
    if find(object::TYPE)?.be32()? != object::COUNTER {
        return None;
    }
    let number = |kind| find(object::DATA)?.nested().get(kind)?.be64();
    Some(Counter {
        name: find(object::NAME)?.text().to_owned(),
        packets: number(object::COUNTER_PACKETS)?,
        bytes: number(object::COUNTER_BYTES)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Messages;
    use crate::netlink::mutilate::every_mutilation;

    fn element_reply() -> Vec<u8> {
        let mut builder = Builder::new();
        builder
            .message(uapi::NEW_ELEMENT, 2, 1, &[1, 0, 0, 0], |b| {
                b.string(list::TABLE, "t")?;
                b.string(list::SET, "s")?;
                b.nest(list::ELEMENTS, |b| {
                    b.nest(list::ENTRY, |b| {
                        b.nest(element::KEY, |b| b.attribute(element::VALUE, &[192, 0, 2, 1]))?;
                        b.be64(element::TIMEOUT, 60_000)?;
                        b.be64(element::EXPIRATION, 59_000)
                    })?;
                    b.nest(list::ENTRY, |b| {
                        b.nest(element::KEY, |b| b.attribute(element::VALUE, &[192, 0, 2, 9]))?;
                        b.be32(element::FLAGS, element::INTERVAL_END)
                    })
                })
            })
            .unwrap();
        builder.bytes().to_vec()
    }

    fn counter_reply(kind: u32) -> Vec<u8> {
        let mut builder = Builder::new();
        builder
            .message(uapi::NEW_OBJECT, 2, 1, &[1, 0, 0, 0], |b| {
                b.string(object::TABLE, "t")?;
                b.string(object::NAME, "hits")?;
                b.be32(object::TYPE, kind)?;
                b.nest(object::DATA, |b| {
                    b.be64(object::COUNTER_BYTES, 800)?;
                    b.be64(object::COUNTER_PACKETS, 20)
                })
            })
            .unwrap();
        builder.bytes().to_vec()
    }

    fn read<T>(bytes: &[u8], one: fn(Message<'_>, &mut Vec<T>)) -> Vec<T> {
        let mut found = Vec::new();
        Messages::new(bytes).for_each(|message| one(message, &mut found));
        found
    }

    #[test]
    fn elements_are_read() {
        let seconds = Duration::from_secs;
        assert_eq!(
            read(&element_reply(), elements),
            [
                Element {
                    key: vec![192, 0, 2, 1],
                    expires_in: Some(seconds(59)),
                    interval_end: false
                },
                Element { key: vec![192, 0, 2, 9], expires_in: None, interval_end: true },
            ]
        );
    }

    #[test]
    fn counters_are_read_and_other_objects_left_out() {
        let hits = Counter { name: "hits".to_owned(), packets: 20, bytes: 800 };
        assert_eq!(read(&counter_reply(object::COUNTER), counter), [hits]);
        assert!(read(&counter_reply(4), counter).is_empty()); // NFT_OBJECT_LIMIT
    }

    #[test]
    fn no_mutilation_panics() {
        every_mutilation(&element_reply(), |bytes| {
            read(bytes, elements);
        });
        every_mutilation(&counter_reply(object::COUNTER), |bytes| {
            read(bytes, counter);
        });
    }
}
