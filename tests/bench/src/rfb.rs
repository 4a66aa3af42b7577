//! A client of RFB (RFC 6143), as far as measuring needs it: no security, raw
//! rectangles.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::figures::Samples;
use crate::latency::{Plan, pause};
use crate::scene::PROBE;

/// Keysym of the key that is pressed.
const KEY: u32 = 'a' as u32;

/// A connected client.
#[derive(Debug)]
pub struct Client {
    stream: std::io::BufReader<TcpStream>,
    size: (u16, u16),
    shown: [u8; 3],
}

impl Client {
    /// Connect, shake hands (section 7.1 to 7.3), ask for four bytes a pixel.
    ///
    /// # Errors
    /// When the server wants more than nothing, or the line breaks.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let stream = std::io::BufReader::with_capacity(1 << 18, stream);
        let mut client = Self { stream, size: (0, 0), shown: [0; 3] };
        client.read::<12>()?;
        client.write(b"RFB 003.008\n")?;
        let [kinds] = client.read()?;
        let mut offered = vec![0; kinds.into()];
        client.stream.read_exact(&mut offered)?;
        ensure!(offered.contains(&1), "the server wants a password");
        client.write(&[1])?;
        ensure!(client.read()? == [0; 4], "the server refuses");
        client.write(&[1])?;
        let [w1, w0, h1, h0] = client.read()?;
        client.size = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        client.read::<16>()?;
        let name = u32::from_be_bytes(client.read()?);
        client.skip(name.try_into()?)?;
        // SetPixelFormat: 32 bits, depth 24, little-endian, true colour.
        client.write(&[0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0])?;
        // SetEncodings: raw.
        client.write(&[2, 0, 0, 1, 0, 0, 0, 0])?;
        client.ask(false)?;
        client.update()?;
        client.ask(true)?;
        Ok(client)
    }

    /// Press the key again and again, and time the square.
    ///
    /// # Errors
    /// When nothing changes.
    pub fn measure(&mut self, plan: Plan) -> Result<Samples> {
        let mut samples = Samples::default();
        for number in 0..plan.warm_up + plan.samples {
            self.rest(pause())?;
            let before = self.shown;
            let begun = Instant::now();
            let [k3, k2, k1, k0] = KEY.to_be_bytes();
            self.write(&[4, 1, 0, 0, k3, k2, k1, k0, 4, 0, 0, 0, k3, k2, k1, k0])?;
            loop {
                self.update().context("nothing changes at a key press")?;
                let took = begun.elapsed();
                self.ask(true)?;
                if self.shown != before {
                    if number >= plan.warm_up {
                        samples.add(took);
                    }
                    break;
                }
            }
        }
        Ok(samples)
    }

    /// Take in what comes until this time has passed.
    fn rest(&mut self, during: Duration) -> Result<()> {
        let end = Instant::now() + during;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.stream.get_ref().set_read_timeout(Some(Duration::from_secs(5)))?;
                return Ok(());
            }
            self.stream.get_ref().set_read_timeout(Some(left))?;
            let waits = match std::io::BufRead::fill_buf(&mut self.stream) {
                Ok(bytes) => !bytes.is_empty(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
                Err(error) => return Err(error.into()),
            };
            if waits {
                self.stream.get_ref().set_read_timeout(Some(Duration::from_secs(5)))?;
                self.update()?;
                self.ask(true)?;
            }
        }
    }

    fn ask(&mut self, incremental: bool) -> Result<()> {
        let ([w1, w0], [h1, h0]) = (self.size.0.to_be_bytes(), self.size.1.to_be_bytes());
        self.write(&[3, incremental.into(), 0, 0, 0, 0, w1, w0, h1, h0])
    }

    /// Read until a whole update was taken in.
    fn update(&mut self) -> Result<()> {
        loop {
            match self.read::<1>()? {
                [0] => {
                    let [_, high, low] = self.read()?;
                    for _ in 0..u16::from_be_bytes([high, low]) {
                        self.rectangle()?;
                    }
                    return Ok(());
                }
                // A bell.
                [2] => {}
                // The clipboard.
                [3] => {
                    self.read::<3>()?;
                    let length = u32::from_be_bytes(self.read()?);
                    self.skip(length.try_into()?)?;
                }
                [other] => bail!("a message of kind {other}"),
            }
        }
    }

    fn rectangle(&mut self) -> Result<()> {
        let [x1, x0, y1, y0, w1, w0, h1, h0] = self.read()?;
        let edge = |high, low| u32::from(u16::from_be_bytes([high, low]));
        let (x, y, width, height) = (edge(x1, x0), edge(y1, y0), edge(w1, w0), edge(h1, h0));
        ensure!(self.read()? == [0; 4], "a rectangle that is not raw");
        let mut pixels = vec![0; width as usize * height as usize * 4];
        self.stream.read_exact(&mut pixels)?;
        let inside = x <= PROBE.0 && PROBE.0 < x + width && y <= PROBE.1 && PROBE.1 < y + height;
        if inside {
            let at = ((PROBE.1 - y) as usize * width as usize + (PROBE.0 - x) as usize) * 4;
            if let Some([blue, green, red]) = pixels.get(at..at + 3) {
                self.shown = [*blue, *green, *red];
            }
        }
        Ok(())
    }

    fn read<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, length: usize) -> Result<()> {
        let mut bytes = vec![0; length];
        Ok(self.stream.read_exact(&mut bytes)?)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }
}
