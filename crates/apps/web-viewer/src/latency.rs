//! From the hand to the picture: how long an input takes to be seen.

use std::collections::VecDeque;
use std::time::Duration;

/// Inputs that may be on their way, and samples that are kept.
const MOST: usize = 256;
/// What is older says nothing about now.
const RECENT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Latency {
    on_their_way: VecDeque<(u32, Duration)>,
    /// When, and how long it took.
    samples: VecDeque<(Duration, Duration)>,
}

impl Latency {
    /// An input was sent.
    pub(crate) fn sent(&mut self, seq: u32, now: Duration) {
        if self.on_their_way.len() >= MOST {
            self.on_their_way.pop_front();
        }
        self.on_their_way.push_back((seq, now));
    }

    /// A picture is shown that was taken after this input was carried out.
    pub(crate) fn presented(&mut self, seq: u32, now: Duration) {
        let mut last = None;
        while let Some((sent, at)) = self.on_their_way.front().copied() {
            if seq == 0 || sent > seq {
                break;
            }
            last = Some(at);
            self.on_their_way.pop_front();
        }
        if let Some(at) = last {
            if self.samples.len() >= MOST {
                self.samples.pop_front();
            }
            self.samples.push_back((now, now.saturating_sub(at)));
        }
    }

    /// The middle of the latest samples; none where the last is not recent.
    pub(crate) fn median(&self, now: Duration) -> Option<Duration> {
        let recent = |when: Duration| now.saturating_sub(when) <= RECENT;
        let recent = self.samples.iter().rev().take(31).filter(|(when, _)| recent(*when));
        let mut sorted: Vec<Duration> = recent.map(|(_, took)| *took).collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_that_the_picture_answers_counts() {
        let ms = Duration::from_millis;
        let mut latency = Latency::default();
        latency.sent(1, ms(0));
        latency.sent(2, ms(10));
        latency.sent(3, ms(50));
        latency.presented(0, ms(55));
        assert_eq!(latency.median(ms(55)), None);
        latency.presented(2, ms(60));
        assert_eq!(latency.median(ms(60)), Some(ms(50)));
        assert_eq!(latency.median(ms(5061)), None, "old numbers say nothing");
    }
}
