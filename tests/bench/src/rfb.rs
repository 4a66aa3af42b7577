//! A client of RFB (RFC 6143 and its community specification), as far as
//! measuring needs it: no security, and the encodings that are measured.

mod inflate;
mod tight;
pub mod watcher;
mod wire;
mod zrle;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gc_screen::{Canvas, Damage, Rect, Size};

use crate::figures::Samples;
use crate::latency::{Plan, pause};
use crate::process::timed;
use crate::scene::PROBE;
use tight::Tight;
use wire::Wire;
use zrle::Zrle;

/// Keysym of the key that is pressed.
const KEY: u32 = 'a' as u32;
/// Numbers of what is not pixels: the pointer's shape, a fence, updates that
/// come without being asked for.
const CURSOR: i32 = -239;
const FENCE: i32 = -312;
const CONTINUOUS: i32 = -313;
/// A fence's flags: what is asked, and what a client can keep.
const FENCE_ASKS: u32 = 1 << 31;
const FENCE_KEEPS: u32 = 7;

/// How pixels come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Raw,
    /// Runs and palettes, then zlib.
    Zrle,
    /// Palettes, then zlib.
    Tight,
    /// The same, with JPEG of this quality, from 0 to 9, where it pays.
    TightJpeg(u8),
}

impl Encoding {
    /// What is offered to the server, best first.
    fn offer(self) -> Vec<i32> {
        match self {
            Self::Raw => vec![0],
            Self::Zrle => vec![16],
            Self::Tight => vec![7],
            Self::TightJpeg(quality) => vec![7, i32::from(quality) - 32],
        }
    }
}

/// Who asks for updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The client, each time.
    Asked,
    /// Nobody: the server sends as the line takes it.
    Continuous,
}

/// What writes to the server, for several hands.
#[derive(Debug, Clone)]
pub struct Pen(Arc<Mutex<TcpStream>>);

impl Pen {
    /// Press and release the key.
    ///
    /// # Errors
    /// When the line breaks.
    pub fn key(&self) -> Result<()> {
        let [k3, k2, k1, k0] = KEY.to_be_bytes();
        self.write(&[4, 1, 0, 0, k3, k2, k1, k0, 4, 0, 0, 0, k3, k2, k1, k0])
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)?)
    }
}

/// A connected client.
pub struct Client {
    wire: Wire,
    pen: Pen,
    size: (u16, u16),
    picture: Canvas,
    tight: Tight,
    zrle: Zrle,
    flow: Flow,
    lossy: bool,
    decoding: Duration,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Client {
    /// Connect, shake hands (section 7.1 to 7.3), and take in a whole picture.
    ///
    /// # Errors
    /// When the server wants more than nothing, or the line breaks.
    pub fn connect(address: SocketAddr, encoding: Encoding, flow: Flow) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        let pen = Pen(Arc::new(Mutex::new(stream.try_clone()?)));
        let mut wire = Wire::new(stream)?;
        wire.read::<12>()?;
        pen.write(b"RFB 003.008\n")?;
        let kinds = wire.byte()?;
        ensure!(wire.bytes(kinds.into())?.contains(&1), "the server wants a password");
        pen.write(&[1])?;
        ensure!(wire.u32()? == 0, "the server refuses");
        pen.write(&[1])?;
        let size = (wire.u16()?, wire.u16()?);
        wire.read::<16>()?;
        let name = wire.u32()?;
        wire.bytes(name.try_into()?)?;
        // SetPixelFormat: 32 bits, depth 24, little-endian, true colour.
        pen.write(&[0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0])?;
        let mut offer = encoding.offer();
        offer.push(CURSOR);
        if flow == Flow::Continuous {
            offer.extend([FENCE, CONTINUOUS]);
        }
        // SetEncodings.
        let mut message = vec![2, 0, 0, u8::try_from(offer.len())?];
        message.extend(offer.iter().flat_map(|number| number.to_be_bytes()));
        pen.write(&message)?;
        let picture = Canvas::new(Size::new(size.0.into(), size.1.into()));
        let (tight, zrle) = (Tight::new(), Zrle::new());
        let mut client = Self { wire, pen, size, picture, tight, zrle, flow, lossy: false, decoding: Duration::ZERO };
        client.ask(false)?;
        client.update()?;
        Ok(client)
    }

    /// What writes to the server.
    #[must_use]
    pub fn pen(&self) -> Pen {
        self.pen.clone()
    }

    /// The picture as it stands; `None` where some of it was not decoded.
    #[must_use]
    pub fn picture(&self) -> Option<&Canvas> {
        (!self.lossy).then_some(&self.picture)
    }

    /// Bytes that have come.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.wire.taken()
    }

    /// Processor time that decoding took.
    #[must_use]
    pub fn decoding(&self) -> Duration {
        self.decoding
    }

    /// Colour of the square's middle.
    #[must_use]
    pub fn probe(&self) -> u32 {
        self.picture.row(PROBE.0, PROBE.1, 1).first().copied().unwrap_or(0)
    }

    /// Press the key again and again, and time the square.
    ///
    /// # Errors
    /// When nothing changes.
    pub fn measure(&mut self, plan: Plan) -> Result<Samples> {
        let mut samples = Samples::default();
        self.ask(true)?;
        for number in 0..plan.warm_up + plan.samples {
            self.rest(pause())?;
            let before = self.probe();
            let begun = Instant::now();
            self.pen.key()?;
            while self.probe() == before {
                self.update().context("nothing changes at a key press")?;
                self.ask(true)?;
            }
            if number >= plan.warm_up {
                samples.add(begun.elapsed());
            }
        }
        Ok(samples)
    }

    /// Take in what comes until this time has passed.
    fn rest(&mut self, during: Duration) -> Result<()> {
        let end = Instant::now() + during;
        while self.wire.comes_before(end)? {
            self.update()?;
            self.ask(true)?;
        }
        Ok(())
    }

    /// Ask for an update: of what has changed, or of everything.
    ///
    /// # Errors
    /// When the line breaks.
    pub fn ask(&self, incremental: bool) -> Result<()> {
        let ([w1, w0], [h1, h0]) = (self.size.0.to_be_bytes(), self.size.1.to_be_bytes());
        self.pen.write(&[3, incremental.into(), 0, 0, 0, 0, w1, w0, h1, h0])
    }

    /// Read until a whole update was taken in.
    ///
    /// # Errors
    /// When the server sends what was not offered, or nothing for long.
    pub fn update(&mut self) -> Result<()> {
        loop {
            match self.wire.byte()? {
                0 => {
                    self.wire.byte()?;
                    for _ in 0..self.wire.u16()? {
                        self.rectangle()?;
                    }
                    return Ok(());
                }
                // A bell.
                2 => {}
                // The clipboard.
                3 => {
                    self.wire.read::<3>()?;
                    let length = self.wire.u32()?;
                    self.wire.bytes(length.try_into()?)?;
                }
                150 => {
                    let ([w1, w0], [h1, h0]) = (self.size.0.to_be_bytes(), self.size.1.to_be_bytes());
                    if self.flow == Flow::Continuous {
                        self.pen.write(&[150, 1, 0, 0, 0, 0, w1, w0, h1, h0])?;
                    }
                }
                248 => self.fence()?,
                other => bail!("a message of kind {other}"),
            }
        }
    }

    /// Say that everything before was taken in: the server measures the line
    /// by it.
    fn fence(&mut self) -> Result<()> {
        self.wire.read::<3>()?;
        let flags = self.wire.u32()?;
        let length = self.wire.byte()?;
        let payload = self.wire.bytes(length.into())?;
        if flags & FENCE_ASKS == 0 {
            return Ok(());
        }
        let mut answer = vec![248, 0, 0, 0];
        answer.extend((flags & FENCE_KEEPS).to_be_bytes());
        answer.push(length);
        answer.extend(payload);
        self.pen.write(&answer)
    }

    fn rectangle(&mut self) -> Result<()> {
        let [x, y, width, height] = [self.wire.u16()?, self.wire.u16()?, self.wire.u16()?, self.wire.u16()?];
        let size = (usize::from(width), usize::from(height));
        let encoding = i32::from_be_bytes(self.wire.read()?);
        let rect = Rect::new(x.into(), y.into(), width.into(), height.into());
        if encoding == CURSOR {
            // Its pixels, and a bit for each.
            self.wire.bytes(size.0 * size.1 * 4 + size.0.div_ceil(8) * size.1)?;
            return Ok(());
        }
        ensure!(rect.fits(self.picture.size()), "a rectangle outside of the picture");
        let (pixels, took) = match encoding {
            0 => (Ok(self.wire.bytes(size.0 * size.1 * 4)?), Duration::ZERO),
            7 => {
                let Some(taken) = Tight::take(&mut self.wire, size)? else {
                    self.lossy = true;
                    return Ok(());
                };
                timed(|| self.tight.decode(taken, size))
            }
            16 => {
                let length = self.wire.u32()?;
                let piece = self.wire.bytes(length.try_into()?)?;
                timed(|| self.zrle.decode(&piece, size))
            }
            other => bail!("a rectangle in the encoding {other}, which was not offered"),
        };
        let pixels = pixels?;
        let ((), painted) = timed(|| self.picture.absorb(rect, &pixels, &mut Damage::new(self.picture.size())));
        self.decoding += took + painted;
        Ok(())
    }
}
