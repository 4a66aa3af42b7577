//! Reading in large pieces without a large buffer for each connection: what
//! comes is read into one buffer of the thread, and only what the reader does
//! not take at once is kept for it. A connection that waits keeps nothing.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that are read at once.
const PIECE: usize = 64 << 10;
/// A reader with so much room is read for directly.
const ROOMY: usize = 16 << 10;

thread_local! {
    static PIECES: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// A stream that is read ahead.
#[derive(Debug)]
pub(crate) struct ReadAhead<S> {
    stream: S,
    /// Read and not taken yet, from `taken` on.
    kept: Vec<u8>,
    taken: usize,
}

impl<S> ReadAhead<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, kept: Vec::new(), taken: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(kept) = this.kept.get(this.taken..).filter(|kept| !kept.is_empty()) {
            let (now, later) = kept.split_at(kept.len().min(into.remaining()));
            into.put_slice(now);
            this.taken += now.len();
            if later.is_empty() {
                (this.kept, this.taken) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        if into.remaining() >= ROOMY {
            return Pin::new(&mut this.stream).poll_read(cx, into);
        }
        PIECES.with_borrow_mut(|piece| {
            let mut read = ReadBuf::new(piece);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            let (now, later) = read.filled().split_at(read.filled().len().min(into.remaining()));
            into.put_slice(now);
            this.kept.extend_from_slice(later);
            Poll::Ready(Ok(()))
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn everything_comes_in_order_and_nothing_stays() {
        let (ours, mut theirs) = tokio::io::duplex(PIECE * 2);
        let sent: Vec<u8> = (0..PIECE * 3 + 5).map(|at| (at * 7 % 251) as u8).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move { theirs.write_all(&sent).await });
        let (mut ahead, mut came) = (ReadAhead::new(ours), Vec::new());
        // Small readers and large ones by turns.
        for size in [1, 3, 1000, 4096, ROOMY, 7, PIECE].into_iter().cycle() {
            let mut part = vec![0; size];
            let count = ahead.read(&mut part).await.unwrap();
            if count == 0 {
                break;
            }
            came.extend_from_slice(&part[..count]);
        }
        writing.await.unwrap().unwrap();
        assert!(came == expected, "{} bytes of {}", came.len(), expected.len());
        assert_eq!(ahead.kept.capacity(), 0);
    }
}
