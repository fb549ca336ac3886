//! What this host's own answers look like, by its settings.
//!
//! It takes their texts from the caller: reading files is not this crate's matter. Settings that
//! are the caller's per packet (the interface's MTU) or that only an application makes (a receive
//! buffer of its own, another hop limit, TCP Fast Open) are not here, nor are `tcp_reflect_tos` and
//! `ip_no_pmtu_disc`, which are taken to be 0 as by default, nor `tcp_adv_win_scale`, which does
//! nothing since Linux 6.6. Accurate ECN (`tcp_ecn` of 3 and more) is taken for plain ECN, which is
//! all that Linux 6.18 does with it.

use alloc::string::String;

/// The largest receive space that a scaled window can express, in bytes (RFC 7323 section 2.3).
const LARGEST_SPACE: u32 = 0xffff << MAX_SHIFT;
/// The largest shift of a window, in bits (RFC 7323 section 2.3).
const MAX_SHIFT: u8 = 14;
/// Bytes that a timestamp and its padding take from each segment.
const TIMESTAMP_ROOM: u32 = 12;

/// The timestamps option (RFC 7323), `net/ipv4/tcp_timestamps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamps {
    /// Not answered (0).
    Off,
    /// The clock with an offset for each pair of addresses and ports (1).
    Shifted,
    /// The clock as it is (2).
    Plain,
}

/// Flow labels of IPv6 (RFC 6437), `net/ipv6/auto_flowlabels` and `flowlabel_state_ranges`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowLabels {
    /// Zero: no labels unless an application asks.
    Zero,
    /// A hash of 20 bits.
    Hash,
    /// A hash of 19 bits, the highest bit set: the other half of the labels is for applications.
    UpperHalf,
}

/// What the answers of this host's kernel have in common.
#[allow(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Time to live of IPv4.
    pub hop_limit_v4: u8,
    /// Hop limit of IPv6.
    pub hop_limit_v6: u8,
    /// The largest receive space that a connection may ever get, in bytes: windows are shifted far
    /// enough for it. `None`: window scaling is not answered.
    pub scaled_space: Option<u32>,
    /// The receive space of a new connection, in bytes.
    pub receive_space: u32,
    /// Whether windows stay below 2^15 for peers that read them as signed.
    pub signed_windows: bool,
    /// Whether and how timestamps are answered.
    pub timestamps: Timestamps,
    /// Whether selective acknowledgements (RFC 2018) are answered.
    pub sack: bool,
    /// Whether explicit congestion notification (RFC 3168) is answered.
    pub ecn: bool,
    /// Flow labels of IPv6.
    pub flow_labels: FlowLabels,
    /// Whether the kernel knows TCP-AO (RFC 5925), and so throws away what is signed with keys that
    /// nobody has. No setting tells; [`Look::from_sysctls`] says no.
    pub authentication: bool,
}

impl Look {
    /// By the settings of the kernel. `read` gives the text of one by its path below `/proc/sys`, as
    /// in `net/ipv4/tcp_sack`; where it gives none, or one that is no number, the default of Linux
    /// 6.18 is taken. See tcp(7), ip(7) and the kernel's `networking/ip-sysctl.rst`.
    ///
    /// The hop limit of IPv6 is the one for new interfaces; each may have another (a router can
    /// announce it, RFC 4861 section 4.2), which the caller may put in its place.
    #[must_use]
    pub fn from_sysctls(read: impl Fn(&str) -> Option<String>) -> Self {
        let word = |name: &str, index, default| {
            let text = read(name);
            let word = text.as_ref().and_then(|text| text.split_whitespace().nth(index));
            word.and_then(|word| word.parse::<u32>().ok()).unwrap_or(default)
        };
        let number = |name: &str, default| word(name, 0, default);
        let hops = |name: &str| u8::try_from(number(name, 64)).unwrap_or(64);
        let largest =
            word("net/ipv4/tcp_rmem", 2, 33_554_432).max(number("net/core/rmem_max", 4_194_304));
        Self {
            hop_limit_v4: hops("net/ipv4/ip_default_ttl"),
            hop_limit_v6: hops("net/ipv6/conf/default/hop_limit"),
            scaled_space: (number("net/ipv4/tcp_window_scaling", 1) != 0).then_some(largest),
            // Half of the buffer is taken for overhead (TCP_DEFAULT_SCALING_RATIO).
            receive_space: word("net/ipv4/tcp_rmem", 1, 131_072) / 2,
            signed_windows: number("net/ipv4/tcp_workaround_signed_windows", 0) != 0,
            timestamps: match number("net/ipv4/tcp_timestamps", 1) {
                0 => Timestamps::Off,
                1 => Timestamps::Shifted,
                _ => Timestamps::Plain,
            },
            sack: number("net/ipv4/tcp_sack", 1) != 0,
            ecn: number("net/ipv4/tcp_ecn", 2) != 0,
            flow_labels: match number("net/ipv6/auto_flowlabels", 1) {
                // 2: only sockets that ask.
                0 | 2 => FlowLabels::Zero,
                _ if number("net/ipv6/flowlabel_state_ranges", 0) != 0 => FlowLabels::UpperHalf,
                _ => FlowLabels::Hash,
            },
            authentication: false,
        }
    }

    /// The first window and the shift of later ones, when segments carry at most `mss` bytes, less
    /// with timestamps (`tcp_openreq_init_rwin`, `tcp_select_initial_window`).
    pub(super) fn window(&self, mss: u16, timestamps: bool) -> (u16, u8) {
        let mss = u32::from(mss).saturating_sub(if timestamps { TIMESTAMP_ROOM } else { 0 });
        let mut space = self.receive_space.min(LARGEST_SPACE);
        if space > mss {
            space -= space.checked_rem(mss).unwrap_or_default();
        }
        let limit = if self.signed_windows { 0x7fff } else { u16::MAX };
        let window = u16::try_from(space).map_or(limit, |space| space.min(limit));
        let scaled = self.scaled_space.unwrap_or_default().max(space).min(LARGEST_SPACE);
        let shift = scaled.checked_ilog2().unwrap_or_default().saturating_sub(15);
        (window, u8::try_from(shift).map_or(MAX_SHIFT, |shift| shift.min(MAX_SHIFT)))
    }
}
