//! Suspects' packets to ports with a listener, until it is seen whether they reach it.
//!
//! A SYN that the host's own filter drops or refuses is not answered by the listener. The kernel
//! hands over the SYN's copy before that filter, and the copy of the listener's answer behind it.
//! Both are made by the same processor, one right after the other, so an answer that has not come
//! soon does not come. A stray acknowledgement waits too: a SYN cookie's makes a connection.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use vauban_engine::Timestamp;
use vauban_packet::TcpSegment;

use super::outbox::Way;

/// How long an answer is waited for: the filter's rules and the stack's work take some 50
/// microseconds, and longer would itself tell a decoy from a listener. When a busy processor takes
/// longer, the connection that the listener has begun by then is found before a decoy goes.
const WAIT: Duration = Duration::from_micros(60);

/// After this time a visit is settled even though copies are still waiting to be read.
const AT_LAST: Duration = Duration::from_millis(20);

/// Visits that wait at most; at some 200 bytes each, 200 KiB. The oldest make room: they get no
/// decoy.
const MOST: usize = 1_024;

/// Pairs of a source and a port that are remembered because that port has answered: some 400 KiB.
const MOST_ANSWERED: usize = 4_096;

/// A visit.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// When the packet came.
    pub since: Timestamp,
    /// Whose it is.
    pub peer: SocketAddr,
    /// Where it goes.
    pub local: SocketAddr,
    /// Its sequence number.
    pub sequence: u32,
    /// Whether it is a SYN; otherwise a stray acknowledgement.
    pub opening: bool,
    /// What is to be sent if nothing else is.
    pub answer: Vec<u8>,
    /// Where to.
    pub way: Way,
}

/// Those that wait, oldest first.
#[derive(Default)]
pub(super) struct Visits {
    waiting: VecDeque<Visit>,
    answered: BTreeSet<(IpAddr, u16)>,
    answered_first: VecDeque<(IpAddr, u16)>,
}

impl Visits {
    /// One more.
    pub(super) fn add(&mut self, visit: Visit) {
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back(visit);
    }

    /// A listener has answered. (One whose port is translated on the way out is not known again here;
    /// but it has a connection by now, and so gets no decoy either.)
    pub(super) fn passed(&mut self, answer: &TcpSegment<'_>) {
        let peer = SocketAddr::new(answer.destination, answer.port);
        let local = SocketAddr::new(answer.source, answer.source_port);
        let sequence = answer.acknowledgment.wrapping_sub(1);
        // Scanners send all their SYNs from one port, with one sequence number.
        let found = |visit: &Visit| {
            visit.opening
                && (visit.peer, visit.local) == (peer, local)
                && visit.sequence == sequence
        };
        for visit in self.waiting.iter().filter(|visit| found(visit)) {
            let pair = (visit.peer.ip(), visit.local.port());
            if self.answered.insert(pair) {
                self.answered_first.push_back(pair);
            }
        }
        self.waiting.retain(|visit| !found(visit));
        while self.answered_first.len() > MOST_ANSWERED {
            let Some(oldest) = self.answered_first.pop_front() else { return };
            self.answered.remove(&oldest);
        }
    }

    /// Whether this port has ever answered this visitor: then nobody hides it from him, and when
    /// it is silent for once, it is busy.
    pub(super) fn has_answered(&self, visit: &Visit) -> bool {
        self.answered.contains(&(visit.peer.ip(), visit.local.port()))
    }

    /// Those whose answer has not come.
    pub(super) fn due(&mut self, now: Timestamp, drained: bool) -> Vec<Visit> {
        let wait = if drained { WAIT } else { AT_LAST };
        let count = self.waiting.partition_point(|visit| now.since(visit.since) >= wait);
        self.waiting.drain(..count).collect()
    }

    /// How long until the next is due.
    pub(super) fn next(&self, now: Timestamp) -> Option<Duration> {
        let first = self.waiting.front()?;
        Some(first.since.plus(WAIT).since(now))
    }
}

#[cfg(test)]
mod tests {
    use vauban_engine::event::Checksum;
    use vauban_engine::flags::TcpFlags;

    use super::*;

    fn visit(number: u32, since: Timestamp) -> Visit {
        Visit {
            since,
            peer: SocketAddr::new([192, 0, 2, 2].into(), 4000),
            local: SocketAddr::new([192, 0, 2, 1].into(), 22),
            sequence: number,
            opening: true,
            answer: Vec::new(),
            way: Way::nowhere(),
        }
    }

    #[test]
    fn a_visit_is_due_when_its_answer_has_not_come() {
        let start = Timestamp::from_secs(1);
        let mut visits = Visits::default();
        visits.add(visit(1, start));
        assert!(visits.due(start.plus(WAIT / 2), true).is_empty());
        assert_eq!(visits.next(start.plus(WAIT / 2)), Some(WAIT / 2));
        // As long as copies are waiting, the answer may be among them.
        assert!(visits.due(start.plus(WAIT), false).is_empty());
        assert_eq!(visits.due(start.plus(WAIT), true).len(), 1);
        assert_eq!(visits.next(start), None);
        visits.add(visit(2, start));
        assert_eq!(visits.due(start.plus(AT_LAST), false).len(), 1);
    }

    /// A listener's answer to [`visit`] number `number`, from `port`.
    fn answer(number: u32, port: u16) -> TcpSegment<'static> {
        TcpSegment {
            source: [192, 0, 2, 1].into(),
            destination: [192, 0, 2, 2].into(),
            source_port: port,
            port: 4000,
            sequence: 7,
            acknowledgment: number + 1,
            flags: TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0),
            reserved: 0,
            options: &[],
            payload: &[],
            checksum: Checksum::Good,
            traffic_class: 0,
            ip_options: false,
        }
    }

    #[test]
    fn a_listener_answers_for_itself_alone() {
        let start = Timestamp::from_secs(1);
        let mut visits = Visits::default();
        // As nmap does: all from one port, with one sequence number.
        let hidden =
            Visit { local: SocketAddr::new([192, 0, 2, 1].into(), 3306), ..visit(9, start) };
        visits.add(hidden.clone());
        visits.add(visit(9, start));
        visits.passed(&answer(9, 22));
        assert!(visits.has_answered(&visit(9, start)) && !visits.has_answered(&hidden));
        let due = visits.due(start.plus(WAIT), true);
        assert_eq!(due.iter().map(|visit| visit.local.port()).collect::<Vec<_>>(), [3306]);
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let start = Timestamp::from_secs(1);
        let mut visits = Visits::default();
        for number in 0..5_000 {
            visits.add(visit(number, start));
        }
        assert_eq!(visits.due(start.plus(WAIT), true).len(), MOST);
    }
}
