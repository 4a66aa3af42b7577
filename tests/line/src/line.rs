//! The line itself.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::pump::Pump;
use crate::queue::{Counters, Queue};
use crate::{Conditions, LineError, Side};

/// Addresses of the two sides, the same for every line: nobody but the two
/// knows them.
const A: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From side A to side B.
    AToB,
    /// From side B to side A.
    BToA,
}

/// Two sides and what is between them. Dropped, everything is gone as soon as
/// no process is left in it.
#[derive(Debug)]
pub struct Line {
    a: Side,
    b: Side,
    a_to_b: Pump,
    b_to_a: Pump,
}

impl Line {
    /// A line with these two directions.
    ///
    /// # Errors
    /// When the system does not allow it, in words.
    pub fn open(a_to_b: Conditions, b_to_a: Conditions) -> Result<Self, LineError> {
        let (a, at_a) = Side::new(A, B)?;
        let (b, at_b) = Side::new(B, A)?;
        let (at_a, at_b) = (Arc::new(at_a), Arc::new(at_b));
        Ok(Self {
            a_to_b: Pump::start(Queue::new(a_to_b, 1), at_a.clone(), at_b.clone())?,
            b_to_a: Pump::start(Queue::new(b_to_a, 2), at_b, at_a)?,
            a,
            b,
        })
    }

    /// A line that is the same both ways.
    ///
    /// # Errors
    /// When the system does not allow it, in words.
    pub fn even(both: Conditions) -> Result<Self, LineError> {
        Self::open(both, both)
    }

    /// Side A.
    #[must_use]
    pub fn a(&self) -> &Side {
        &self.a
    }

    /// Side B.
    #[must_use]
    pub fn b(&self) -> &Side {
        &self.b
    }

    /// From now on this direction is so.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.pump(direction).with_queue(|queue| queue.set(conditions));
    }

    /// Nothing comes through any more, and nobody is told.
    pub fn cut(&self) {
        self.set_cut(true);
    }

    /// It goes on as it was.
    pub fn mend(&self) {
        self.set_cut(false);
    }

    /// What has happened to the packets of this direction.
    #[must_use]
    pub fn counters(&self, direction: Direction) -> Counters {
        self.pump(direction).with_queue(|queue| queue.counters())
    }

    fn set_cut(&self, cut: bool) {
        for pump in [&self.a_to_b, &self.b_to_a] {
            pump.with_queue(|queue| queue.set(Conditions { cut, ..queue.conditions() }));
        }
    }

    fn pump(&self, direction: Direction) -> &Pump {
        match direction {
            Direction::AToB => &self.a_to_b,
            Direction::BToA => &self.b_to_a,
        }
    }
}
