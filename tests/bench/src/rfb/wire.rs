//! Bytes of a connection, counted.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// The longest run of bytes that is taken in at once: a whole 4K picture.
const LONGEST: usize = 64 << 20;
/// How long what has begun may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// What comes in.
#[derive(Debug)]
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
    taken: u64,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::with_capacity(1 << 18, stream), taken: 0 })
    }

    /// Bytes that were taken in.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn read<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        self.taken += N as u64;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let [byte] = self.read()?;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.read()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.read()?))
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        ensure!(length <= LONGEST, "{length} bytes at once");
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        self.taken += length as u64;
        Ok(bytes)
    }

    /// Whether something comes before this time.
    pub(super) fn comes_before(&mut self, end: Instant) -> Result<bool> {
        if !self.stream.buffer().is_empty() {
            return Ok(true);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        self.stream.get_ref().set_read_timeout(Some(left))?;
        let comes = match self.stream.fill_buf() {
            Ok(bytes) => !bytes.is_empty(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
            Err(error) => return Err(error.into()),
        };
        self.stream.get_ref().set_read_timeout(Some(PATIENCE))?;
        Ok(comes)
    }
}
