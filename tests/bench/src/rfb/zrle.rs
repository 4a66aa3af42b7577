//! Rectangles in the encoding ZRLE (RFC 6143, section 7.7.6), for 24 bits of
//! colour in 32.

use anyhow::{Context, Result, bail, ensure};

use super::inflate::Inflate;

/// Edge of a tile.
const TILE: usize = 64;

/// What the encoding remembers.
pub(super) struct Zrle(Inflate);

/// A colour: blue, green, red and nothing.
type Pixel = [u8; 4];

impl Zrle {
    pub(super) fn new() -> Self {
        Self(Inflate::new())
    }

    /// Pixels of a rectangle: blue, green, red and nothing.
    pub(super) fn decode(&mut self, piece: &[u8], (width, height): (usize, usize)) -> Result<Vec<u8>> {
        // A pixel takes four bytes at worst: a run of one. Palettes come on top.
        let tiles = width.div_ceil(TILE) * height.div_ceil(TILE);
        let data = self.0.piece(piece, width * height * 4 + tiles * 512)?;
        let mut data = Reader(&data);
        let mut pixels = vec![0; width * height * 4];
        for top in (0..height).step_by(TILE) {
            for left in (0..width).step_by(TILE) {
                let size = (TILE.min(width - left), TILE.min(height - top));
                let tile = data.tile(size)?;
                for (row, line) in tile.chunks_exact(size.0).enumerate() {
                    let start = ((top + row) * width + left) * 4;
                    let to = pixels.get_mut(start..start + size.0 * 4).context("outside")?;
                    to.copy_from_slice(line.as_flattened());
                }
            }
        }
        ensure!(data.0.is_empty(), "a ZRLE rectangle holds more than its tiles");
        Ok(pixels)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes(&mut self, length: usize) -> Result<&[u8]> {
        let (bytes, rest) = self.0.split_at_checked(length).context("a ZRLE rectangle is cut short")?;
        self.0 = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8> {
        self.bytes(1)?.first().copied().context("cut short")
    }

    fn pixel(&mut self) -> Result<Pixel> {
        let (pixel, rest) = self.0.split_first_chunk::<3>().context("a ZRLE rectangle is cut short")?;
        self.0 = rest;
        let [blue, green, red] = *pixel;
        Ok([blue, green, red, 0])
    }

    fn run(&mut self) -> Result<usize> {
        let mut length = 1;
        loop {
            let byte = self.byte()?;
            length += usize::from(byte);
            if byte < 255 {
                return Ok(length);
            }
        }
    }

    fn tile(&mut self, (width, height): (usize, usize)) -> Result<Vec<Pixel>> {
        let all = width * height;
        let mut tile = Vec::with_capacity(all);
        match self.byte()? {
            0 => {
                for _ in 0..all {
                    tile.push(self.pixel()?);
                }
            }
            1 => tile.resize(all, self.pixel()?),
            count @ 2..=16 => {
                let palette: Vec<Pixel> = (0..count).map(|_| self.pixel()).collect::<Result<_>>()?;
                let bits = match count {
                    2 => 1,
                    3..=4 => 2,
                    _ => 4,
                };
                for _ in 0..height {
                    let row = self.bytes((width * bits).div_ceil(8))?;
                    for x in 0..width {
                        let byte = row.get(x * bits / 8).copied().unwrap_or(0);
                        let index = byte >> (8 - bits - x * bits % 8) & ((1 << bits) - 1);
                        tile.push(*palette.get(usize::from(index)).context("not in the palette")?);
                    }
                }
            }
            128 => {
                while tile.len() < all {
                    let (pixel, run) = (self.pixel()?, self.run()?);
                    tile.resize(tile.len() + run.min(all + 1), pixel);
                }
            }
            count @ 130..=255 => {
                let palette: Vec<Pixel> = (0..count - 128).map(|_| self.pixel()).collect::<Result<_>>()?;
                while tile.len() < all {
                    let index = self.byte()?;
                    let run = if index & 128 == 0 { 1 } else { self.run()? };
                    let pixel = *palette.get(usize::from(index & 127)).context("not in the palette")?;
                    tile.resize(tile.len() + run.min(all + 1), pixel);
                }
            }
            other => bail!("no such kind of ZRLE tile: {other}"),
        }
        ensure!(tile.len() == all, "a ZRLE tile has too many pixels");
        Ok(tile)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What a server would send.
    fn deflated(data: &[u8]) -> Result<Vec<u8>> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data)?;
        encoder.flush()?;
        Ok(encoder.get_ref().clone())
    }

    #[test]
    fn every_kind_of_tile() -> Result<()> {
        let (a, b, c) = ([1, 2, 3, 0], [4, 5, 6, 0], [7, 8, 9, 0]);
        let tiles: [(&[u8], [Pixel; 4]); 7] = [
            (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3], [a, b, c, a]),
            (&[1, 4, 5, 6], [b; 4]),
            (&[2, 1, 2, 3, 4, 5, 6, 0b0100_0000, 0b1000_0000], [a, b, b, a]),
            (&[3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0b0010_0000, 0b0100_0000], [a, c, b, a]),
            (&[128, 1, 2, 3, 2, 7, 8, 9, 0], [a, a, a, c]),
            (&[130, 1, 2, 3, 4, 5, 6, 0, 129, 1, 0], [a, b, b, a]),
            (&[131, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130, 3], [c; 4]),
        ];
        for (tile, expected) in tiles {
            let pixels = Zrle::new().decode(&deflated(tile)?, (2, 2));
            assert_eq!(pixels.ok().as_deref(), Some(expected.as_flattened()), "{tile:?}");
        }
        // Too short, and too long.
        assert!(Zrle::new().decode(&deflated(&[0, 1, 2, 3])?, (2, 2)).is_err());
        assert!(Zrle::new().decode(&deflated(&[1, 1, 2, 3, 4])?, (2, 2)).is_err());
        Ok(())
    }
}
