//! Rectangles in the encoding Tight, as the RFB protocol's community
//! specification describes it, for 24 bits of colour in 32.

use anyhow::{Context, Result, bail, ensure};

use super::inflate::Inflate;
use super::wire::Wire;

/// The shortest data that is compressed.
const SHORTEST: usize = 12;

/// What the encoding remembers.
pub(super) struct Tight {
    streams: [Inflate; 4],
}

/// How the pixels of a rectangle are written.
enum Filter {
    Copy,
    Palette(Vec<[u8; 3]>),
}

impl Tight {
    pub(super) fn new() -> Self {
        Self { streams: std::array::from_fn(|_| Inflate::new()) }
    }

    /// A rectangle: what comes off the wire, and how pixels are made of it.
    /// `None` for JPEG, which nobody decodes here.
    pub(super) fn take(wire: &mut Wire, (width, height): (usize, usize)) -> Result<Option<Taken>> {
        let control = wire.byte()?;
        let reset = control & 15;
        let filled = |pixel| Taken { reset, stream: 0, filter: Filter::Palette(vec![pixel]), data: Data::None };
        match control >> 4 {
            8 => return Ok(Some(filled(wire.read()?))),
            9 => {
                let length = compact(wire)?;
                wire.bytes(length)?;
                return Ok(None);
            }
            0..8 => {}
            other => bail!("no such kind of Tight rectangle: {other}"),
        }
        let filter = match if control & 64 == 0 { 0 } else { wire.byte()? } {
            0 => Filter::Copy,
            1 => {
                let count = usize::from(wire.byte()?) + 1;
                Filter::Palette((0..count).map(|_| wire.read()).collect::<Result<_>>()?)
            }
            other => bail!("a filter that TigerVNC does not use: {other}"),
        };
        let length = match &filter {
            Filter::Copy => width * height * 3,
            Filter::Palette(colours) if colours.len() == 2 => width.div_ceil(8) * height,
            Filter::Palette(_) => width * height,
        };
        let data = if length < SHORTEST {
            Data::Plain(wire.bytes(length)?)
        } else {
            let compressed = compact(wire)?;
            Data::Compressed(wire.bytes(compressed)?, length)
        };
        Ok(Some(Taken { reset, stream: usize::from(control >> 4 & 3), filter, data }))
    }

    /// Its pixels: blue, green, red and nothing.
    pub(super) fn decode(&mut self, taken: Taken, (width, height): (usize, usize)) -> Result<Vec<u8>> {
        for (at, stream) in self.streams.iter_mut().enumerate() {
            if taken.reset >> at & 1 == 1 {
                *stream = Inflate::new();
            }
        }
        let data = match taken.data {
            Data::None => Vec::new(),
            Data::Plain(data) => data,
            Data::Compressed(piece, length) => {
                let stream = self.streams.get_mut(taken.stream).context("no such stream")?;
                let data = stream.piece(&piece, length)?;
                ensure!(data.len() == length, "a Tight rectangle is cut short");
                data
            }
        };
        let bgra = |[red, green, blue]: [u8; 3]| [blue, green, red, 0];
        match taken.filter {
            Filter::Copy => Ok(data.as_chunks::<3>().0.iter().copied().flat_map(bgra).collect()),
            Filter::Palette(colours) if colours.len() == 1 => {
                let pixel = bgra(colours.first().copied().unwrap_or_default());
                Ok(pixel.repeat(width * height))
            }
            Filter::Palette(colours) if colours.len() == 2 => {
                let mut pixels = Vec::with_capacity(width * height * 4);
                for row in data.chunks_exact(width.div_ceil(8)) {
                    for x in 0..width {
                        let lit = row.get(x / 8).is_some_and(|bits| bits >> (7 - x % 8) & 1 == 1);
                        pixels.extend(bgra(colours.get(usize::from(lit)).copied().unwrap_or_default()));
                    }
                }
                Ok(pixels)
            }
            Filter::Palette(colours) => {
                let mut pixels = Vec::with_capacity(width * height * 4);
                for index in data {
                    let colour = colours.get(usize::from(index)).copied();
                    pixels.extend(bgra(colour.context("a colour that is not in the palette")?));
                }
                Ok(pixels)
            }
        }
    }
}

/// A rectangle before it is decoded.
pub(super) struct Taken {
    /// Streams that begin anew.
    reset: u8,
    stream: usize,
    filter: Filter,
    data: Data,
}

enum Data {
    None,
    Plain(Vec<u8>),
    /// And the length of what is in it.
    Compressed(Vec<u8>, usize),
}

/// A length of one to three bytes, seven bits each and eight of the last.
fn compact(wire: &mut Wire) -> Result<usize> {
    let mut length = 0;
    for shift in [0, 7, 14] {
        let byte = usize::from(wire.byte()?);
        if shift == 14 {
            return Ok(length | byte << shift);
        }
        length |= (byte & 127) << shift;
        if byte < 128 {
            return Ok(length);
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn palettes_and_plain_pixels() -> Result<()> {
        let (a, b) = ([1, 2, 3], [4, 5, 6]);
        let decode = |filter, data: &[u8], size| {
            let taken = Taken { reset: 0, stream: 0, filter, data: Data::Plain(data.to_vec()) };
            Tight::new().decode(taken, size)
        };
        let (dark, lit) = ([3, 2, 1, 0], [6, 5, 4, 0]);
        assert_eq!(
            decode(Filter::Palette(vec![a, b]), &[0b0100_0000, 0b1000_0000], (2, 2))?,
            [dark, lit, lit, dark].as_flattened()
        );
        assert_eq!(decode(Filter::Palette(vec![a, b, a]), &[0, 1, 2], (3, 1))?, [dark, lit, dark].as_flattened());
        assert_eq!(decode(Filter::Copy, &[1, 2, 3, 4, 5, 6], (2, 1))?, [dark, lit].as_flattened());
        assert_eq!(decode(Filter::Palette(vec![b]), &[], (2, 1))?, [lit, lit].as_flattened());
        assert!(decode(Filter::Palette(vec![a, b, a]), &[3], (1, 1)).is_err());
        Ok(())
    }
}
