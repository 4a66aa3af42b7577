//! What happens to packets, without sockets and clock: time and chance are
//! handed in.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Conditions;

/// What has happened to the packets so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that came out at the other end.
    pub passed: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that vanished by chance, or on a line that was cut.
    pub lost: u64,
    /// Packets that found the buffer full.
    pub dropped: u64,
    /// Most bytes that have waited.
    pub most_waiting: usize,
}

/// One direction: packets wait for their turn, are written at the rate, fly.
#[derive(Debug)]
pub struct Queue {
    conditions: Conditions,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    /// The packet being written, and until when.
    writing: Option<(Vec<u8>, Duration)>,
    flying: VecDeque<(Vec<u8>, Duration)>,
    counters: Counters,
    chance: u64,
}

impl Queue {
    /// An empty one; `seed` begins its chances.
    #[must_use]
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            writing: None,
            flying: VecDeque::new(),
            counters: Counters::default(),
            chance: seed,
        }
    }

    /// From now on it is so. What flies already arrives as it would have,
    /// unless the line is cut.
    pub fn set(&mut self, conditions: Conditions) {
        self.conditions = conditions;
        if conditions.cut {
            let gone = self.waiting.len() + self.flying.len() + usize::from(self.writing.is_some());
            self.counters.lost += gone as u64;
            self.waiting.clear();
            self.flying.clear();
            self.writing = None;
            self.waiting_bytes = 0;
        }
    }

    /// How it is.
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// What has happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// A packet comes in at this end.
    pub fn offer(&mut self, packet: Vec<u8>, now: Duration) {
        self.advance(now);
        if self.conditions.cut || self.draw(1000) < u64::from(self.conditions.loss) {
            self.counters.lost += 1;
            return;
        }
        if self.conditions.rate.is_some() && self.waiting_bytes + packet.len() > self.conditions.buffer {
            self.counters.dropped += 1;
            return;
        }
        self.waiting_bytes += packet.len();
        self.counters.most_waiting = self.counters.most_waiting.max(self.waiting_bytes);
        self.waiting.push_back(packet);
        self.advance(now);
    }

    /// The next packet that has come out at the other end by now.
    pub fn take(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.advance(now);
        if self.flying.front().is_none_or(|(_, due)| *due > now) {
            return None;
        }
        let (packet, _) = self.flying.pop_front()?;
        self.counters.passed += 1;
        self.counters.bytes += packet.len() as u64;
        Some(packet)
    }

    /// When to look again although nothing comes in.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let written = self.writing.as_ref().map(|(_, until)| *until);
        let arrives = self.flying.front().map(|(_, due)| *due);
        [written, arrives].into_iter().flatten().min()
    }

    fn advance(&mut self, now: Duration) {
        // When the wire became free: the next packet begins there, so that a
        // late look costs no rate.
        let mut free = now;
        loop {
            match self.writing.take() {
                Some((packet, until)) if until > now => {
                    self.writing = Some((packet, until));
                    return;
                }
                Some((packet, until)) => {
                    free = until;
                    self.fly(packet, until);
                }
                None => {}
            }
            let Some(packet) = self.waiting.pop_front() else { return };
            self.waiting_bytes -= packet.len();
            let nanos = match self.conditions.rate {
                Some(rate) => (packet.len() as u64 * 8).saturating_mul(1_000_000_000) / rate.max(1),
                None => 0,
            };
            self.writing = Some((packet, free + Duration::from_nanos(nanos)));
        }
    }

    fn fly(&mut self, packet: Vec<u8>, from: Duration) {
        let jitter = u64::try_from(self.conditions.jitter.as_nanos()).unwrap_or(u64::MAX - 1);
        let more = Duration::from_nanos(self.draw(jitter + 1));
        let due = from + self.conditions.delay + more;
        let after = self.flying.back().map_or(due, |(_, before)| due.max(*before));
        self.flying.push_back((packet, after));
    }

    /// A number below `bound`, by SplitMix64: the same seed gives the same line.
    fn draw(&mut self, bound: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Offer packets of 1000 bytes at these milliseconds, and say at which
    /// each came out.
    fn arrivals(conditions: Conditions, offered: &[u32]) -> Vec<u32> {
        let mut queue = Queue::new(conditions, 7);
        let mut out = Vec::new();
        for now in 0..2000 {
            for _ in offered.iter().filter(|at| **at == now) {
                queue.offer(vec![0; 1000], MS * now);
            }
            while queue.take(MS * now).is_some() {
                out.push(now);
            }
        }
        out
    }

    #[test]
    fn lines_of_all_kinds() {
        let plain = Conditions::default();
        let slow = Conditions { rate: Some(80_000), ..plain };
        for (what, conditions, offered, expected) in [
            ("nothing in between", plain, vec![0, 5, 5], vec![0, 5, 5]),
            ("delay", Conditions { delay: MS * 40, ..plain }, vec![0, 10], vec![40, 50]),
            ("rate", slow, vec![0, 0, 0, 500], vec![100, 200, 300, 600]),
            ("rate and delay", Conditions { delay: MS * 30, ..slow }, vec![0, 0], vec![130, 230]),
            ("buffer", Conditions { buffer: 2000, ..slow }, vec![0, 0, 0, 0, 0], vec![100, 200, 300]),
            ("loss", Conditions { loss: 1000, ..plain }, vec![0, 1], vec![]),
            ("cut", Conditions { cut: true, ..plain }, vec![0, 1], vec![]),
        ] {
            assert_eq!(arrivals(conditions, &offered), expected, "{what}");
        }
    }

    #[test]
    fn jitter_keeps_the_order_and_its_bounds() {
        let conditions = Conditions { delay: MS * 20, jitter: MS * 15, ..Conditions::default() };
        let mut queue = Queue::new(conditions, 3);
        for number in 0u32..200 {
            queue.offer(number.to_le_bytes().to_vec(), MS * number * 4);
        }
        let mut late = Vec::new();
        for tenths in 0..20_000u32 {
            let now = MS * tenths / 10;
            while let Some(packet) = queue.take(now) {
                let number = u32::from_le_bytes(packet.try_into().unwrap());
                assert_eq!(number as usize, late.len());
                late.push(now - MS * number * 4);
            }
        }
        assert_eq!(late.len(), 200);
        assert!(late.iter().all(|late| (MS * 20..=MS * 36).contains(late)), "{late:?}");
        assert!(late.iter().max() > late.iter().min().map(|least| *least + MS * 8).as_ref(), "no jitter");
    }

    #[test]
    fn loss_is_as_much_as_was_asked_for() {
        let mut queue = Queue::new(Conditions::default().losing(200), 11);
        for _ in 0..10_000 {
            queue.offer(vec![0], MS);
        }
        assert!((1_800..2_200).contains(&queue.counters().lost), "{:?}", queue.counters());
    }

    #[test]
    fn what_changes_holds_for_what_waits() {
        let slow = Conditions { rate: Some(8_000), ..Conditions::default() };
        let mut queue = Queue::new(slow, 1);
        for _ in 0..4 {
            queue.offer(vec![0; 1000], Duration::ZERO);
        }
        queue.set(Conditions { rate: Some(8_000_000), ..slow });
        // The first was begun at the old rate.
        assert!(queue.take(MS * 999).is_none());
        assert_eq!((0..4).filter(|_| queue.take(MS * 1010).is_some()).count(), 4);
        queue.offer(vec![0; 1000], MS * 1010);
        queue.set(Conditions { cut: true, ..slow });
        assert_eq!((queue.take(MS * 5000), queue.due()), (None, None));
        queue.set(Conditions::default());
        queue.offer(vec![0; 1000], MS * 5000);
        assert!(queue.take(MS * 5000).is_some());
    }
}
