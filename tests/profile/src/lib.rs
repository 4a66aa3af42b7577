//! Recordings of screens, and where the codec's instructions go on them.

pub mod counts;
pub mod recording;
