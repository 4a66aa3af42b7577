//! The reader's half: pixel by pixel, each from those before it.

use super::super::drawn::Pixels;
use super::super::range::Coder;
use super::tables::{LARGE, Photo, SCALE, TOTAL};
use super::writing::LEAST;
use super::{CHANNELS, Line, Place, ROOM, Residuals, Sizes, WIDTH, index, level, median, unfold, unrest_above};

/// Residuals as they are stored, read from the end of the bytes.
#[derive(Debug)]
pub(in crate::codec) struct Stored<'a> {
    lanes: [u32; CHANNELS],
    bytes: &'a [u8],
    /// Where the next ones end.
    at: usize,
    /// The states of the lanes were read.
    is_begun: bool,
    is_damaged: bool,
}

impl<'a> Stored<'a> {
    pub(in crate::codec) fn new(bytes: &'a [u8]) -> Self {
        Self { lanes: [LEAST; CHANNELS], bytes, at: bytes.len(), is_begun: false, is_damaged: false }
    }

    /// Whether some row did not end as it should.
    pub(in crate::codec) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// The sixteen bits that come next; zeros where there are none left.
    #[inline(always)]
    fn next(&self) -> u32 {
        match self.bytes.get(self.at.wrapping_sub(2)..).and_then(|rest| rest.first_chunk()) {
            Some(word) => u32::from(u16::from_le_bytes(*word)),
            None => 0,
        }
    }

    fn begin(&mut self) {
        for lane in 0..CHANNELS {
            let mut state = 0;
            for _ in 0..2 {
                state = state << 16 | self.next();
                self.at = self.at.saturating_sub(2);
            }
            self.lanes[lane] = state;
        }
        self.is_begun = true;
    }

    /// The residual of a channel, folded.
    #[inline(always)]
    fn symbol<C: Coder>(&mut self, photo: &mut Photo, coder: &mut C, channel: usize, level: i16) -> i16 {
        let first = index(channel, level, 0);
        let state = self.lanes[channel];
        let place = state & (TOTAL - 1);
        let (symbol, share) = photo.find(first, place);
        photo.seen(first + symbol);
        let state = (u32::from(share.size) * (state >> SCALE)).wrapping_add(place.wrapping_sub(u32::from(share.start)));
        let is_short = state < LEAST;
        let word = self.next();
        self.lanes[channel] = if is_short { state << 16 | word } else { state };
        self.at = self.at.saturating_sub(if is_short { 2 } else { 0 });
        if usize::from(symbol) == LARGE { coder.raw(0, 8) as i16 } else { symbol as i16 }
    }
}

impl Residuals for Stored<'_> {
    #[inline(always)]
    fn tile<C: Coder, P: Pixels>(&mut self, photo: &mut Photo, coder: &mut C, pixels: &mut P, place: Place) {
        let Place { stride, first, height, west_known } = place;
        if !self.is_begun {
            self.begin();
        }
        let mut lines = [Line::new(), Line::new()];
        let [mut north, mut line] = lines.each_mut();
        north.fill(pixels, first - stride);
        north.close(west_known);
        let mut sizes: Sizes = [[0; ROOM]; CHANNELS];
        let mut above = [[0; WIDTH]; CHANNELS];
        for y in 0..height {
            let at = first + y * stride;
            for (channel, above) in above.iter_mut().enumerate() {
                unrest_above(&north.0[channel], &sizes[channel], channel, above);
            }
            if west_known {
                line.fill(pixels, at);
            } else {
                line.begin_below(north);
            }
            for x in 0..WIDTH {
                let mut before = 0;
                for channel in 0..CHANNELS {
                    let (west, corner) = (line.0[channel][x], north.0[channel][x]);
                    let level = level(above[channel][x], west, corner, sizes[channel][x], before);
                    let residual = unfold(self.symbol(photo, coder, channel, level));
                    before = residual.abs();
                    sizes[channel][x + 1] = before;
                    let foretold = median(west, north.0[channel][x + 1], corner);
                    // Each is a byte, and what is less than green too once green
                    // is added again.
                    let green = if channel == 0 { 0 } else { line.0[0][x + 1] };
                    line.0[channel][x + 1] = ((green + foretold + residual) & 255) - green;
                }
                let [green, red, blue] = [0, 1, 2].map(|channel| line.0[channel][x + 1]);
                let pixel = i32::from(red + green) << 16 | i32::from(green) << 8 | i32::from(blue + green);
                pixels.put(at + x, pixel as u32);
            }
            std::mem::swap(&mut north, &mut line);
            north.close(west_known);
        }
    }

    fn row(&mut self, photo: &mut Photo) {
        self.is_damaged |= self.lanes != [LEAST; CHANNELS];
        self.is_begun = false;
        photo.renew();
    }
}
