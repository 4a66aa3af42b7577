//! A zlib stream that is flushed after each piece.

use anyhow::{Result, ensure};
use flate2::{Decompress, FlushDecompress, Status};

/// One stream, over all pieces.
pub(super) struct Inflate(Decompress);

impl Inflate {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// What a piece holds, at most `most` bytes.
    pub(super) fn piece(&mut self, piece: &[u8], most: usize) -> Result<Vec<u8>> {
        // Room for one byte more, so that too much shows as well.
        let mut out = vec![0; most + 1];
        let (mut taken, mut given) = (0, 0);
        loop {
            let before = (self.0.total_in(), self.0.total_out());
            let rest = (piece.get(taken..).unwrap_or_default(), out.get_mut(given..).unwrap_or_default());
            let status = self.0.decompress(rest.0, rest.1, FlushDecompress::Sync)?;
            let moved = (self.0.total_in() - before.0, self.0.total_out() - before.1);
            taken += usize::try_from(moved.0)?;
            given += usize::try_from(moved.1)?;
            if status == Status::StreamEnd || moved == (0, 0) {
                break;
            }
        }
        ensure!(taken == piece.len() && given <= most, "a piece of a zlib stream holds more than it should");
        out.truncate(given);
        Ok(out)
    }
}
