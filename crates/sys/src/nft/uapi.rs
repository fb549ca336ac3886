//! The numbers of `linux/netfilter/nf_tables.h` that are used here, in their width on the wire.

use crate::netlink::netfilter_type;

/// `NFPROTO_INET`: tables of family `inet`.
pub(super) const FAMILY_INET: u8 = 1;
/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u8 = 10;

/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`; their header's resource is the subsystem.
pub(super) const BATCH_BEGIN: u16 = 0x10;
pub(super) const BATCH_END: u16 = 0x11;
pub(super) const BATCH_RESOURCE: u16 = 10;

pub(super) const NEW_TABLE: u16 = netfilter_type(SUBSYSTEM, 0);
pub(super) const GET_TABLE: u16 = netfilter_type(SUBSYSTEM, 1);
pub(super) const DELETE_TABLE: u16 = netfilter_type(SUBSYSTEM, 2);
pub(super) const NEW_CHAIN: u16 = netfilter_type(SUBSYSTEM, 3);
pub(super) const GET_CHAIN: u16 = netfilter_type(SUBSYSTEM, 4);
pub(super) const NEW_RULE: u16 = netfilter_type(SUBSYSTEM, 6);
pub(super) const GET_RULE: u16 = netfilter_type(SUBSYSTEM, 7);
pub(super) const NEW_SET: u16 = netfilter_type(SUBSYSTEM, 9);
pub(super) const GET_SET: u16 = netfilter_type(SUBSYSTEM, 10);
pub(super) const NEW_ELEMENT: u16 = netfilter_type(SUBSYSTEM, 12);
pub(super) const GET_ELEMENT: u16 = netfilter_type(SUBSYSTEM, 13);
pub(super) const DELETE_ELEMENT: u16 = netfilter_type(SUBSYSTEM, 14);
pub(super) const NEW_GENERATION: u16 = netfilter_type(SUBSYSTEM, 15);
pub(super) const GET_GENERATION: u16 = netfilter_type(SUBSYSTEM, 16);
pub(super) const NEW_OBJECT: u16 = netfilter_type(SUBSYSTEM, 18);
pub(super) const GET_OBJECT: u16 = netfilter_type(SUBSYSTEM, 19);

/// `NFTA_TABLE_*`.
pub(super) mod table {
    pub(in super::super) const NAME: u16 = 1;
}

/// `NFTA_RULE_*`.
pub(super) mod rule {
    pub(in super::super) const TABLE: u16 = 1;
    pub(in super::super) const HANDLE: u16 = 3;
}

/// `NFTA_CHAIN_*`.
pub(super) mod chain {
    pub(in super::super) const TABLE: u16 = 1;
    pub(in super::super) const NAME: u16 = 3;
}

/// `NFTA_SET_*`.
pub(super) mod set {
    pub(in super::super) const TABLE: u16 = 1;
    pub(in super::super) const NAME: u16 = 2;
    pub(in super::super) const FLAGS: u16 = 3;
    pub(in super::super) const KEY_TYPE: u16 = 4;
    pub(in super::super) const KEY_LENGTH: u16 = 5;
    pub(in super::super) const DESCRIPTION: u16 = 9;
    pub(in super::super) const TIMEOUT: u16 = 11;
    /// `NFTA_SET_DESC_SIZE`, inside [`DESCRIPTION`].
    pub(in super::super) const SIZE: u16 = 1;
    /// `NFT_SET_ANONYMOUS`, a bit of [`FLAGS`]: written inside a rule, without a name.
    pub(in super::super) const ANONYMOUS: u32 = 1;
}

/// `NFTA_GEN_*`.
pub(super) mod generation {
    pub(in super::super) const ID: u16 = 1;
    pub(in super::super) const PROCESS: u16 = 2;
    pub(in super::super) const PROCESS_NAME: u16 = 3;
}

/// `NFTA_SET_ELEM_LIST_*`.
pub(super) mod list {
    pub(in super::super) const TABLE: u16 = 1;
    pub(in super::super) const SET: u16 = 2;
    pub(in super::super) const ELEMENTS: u16 = 3;
    /// `NFTA_LIST_ELEM`: one entry of any list.
    pub(in super::super) const ENTRY: u16 = 1;
}

/// `NFTA_SET_ELEM_*`.
pub(super) mod element {
    pub(in super::super) const KEY: u16 = 1;
    pub(in super::super) const FLAGS: u16 = 3;
    pub(in super::super) const TIMEOUT: u16 = 4;
    pub(in super::super) const EXPIRATION: u16 = 5;
    /// `NFT_SET_ELEM_INTERVAL_END`, a bit of [`FLAGS`].
    pub(in super::super) const INTERVAL_END: u32 = 1;
    /// `NFTA_DATA_VALUE`: what a key contains.
    pub(in super::super) const VALUE: u16 = 1;
}

/// `NFTA_OBJ_*` and `NFTA_COUNTER_*`.
pub(super) mod object {
    pub(in super::super) const TABLE: u16 = 1;
    pub(in super::super) const NAME: u16 = 2;
    pub(in super::super) const TYPE: u16 = 3;
    pub(in super::super) const DATA: u16 = 4;
    /// `NFT_OBJECT_COUNTER`, a value of [`TYPE`].
    pub(in super::super) const COUNTER: u32 = 1;
    pub(in super::super) const COUNTER_BYTES: u16 = 1;
    pub(in super::super) const COUNTER_PACKETS: u16 = 2;
}
