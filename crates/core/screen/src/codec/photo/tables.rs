//! How likely each residual is, by the unrest around its pixel.

use super::CHANNELS;

/// Levels of unrest.
pub(super) const LEVELS: usize = 8;
const TABLES: usize = CHANNELS * LEVELS;
/// From here on residuals are one symbol, and said in so many bits.
pub(super) const LARGE: usize = 48;
/// Room for the symbols of a table.
pub(super) const SYMBOLS: usize = 64;
const USED: usize = LARGE + 1;
/// Bits that likelihoods have.
pub(super) const SCALE: u32 = 12;
pub(super) const TOTAL: u32 = 1 << SCALE;
/// So many places share an entry of the table by which symbols are found.
const COARSE: u32 = 4;
/// What one more occurrence weighs.
const WEIGHT: u32 = 24;
/// Above it all counts are halved.
const FULL: u32 = 40_000;

/// A symbol's part of the whole.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    /// 2^44 divided by the size, rounded up: products with states below size *
    /// 2^20 have the quotient above bit 44 (the error is below size * 2^20 /
    /// 2^44 < 1 / size). States that are coded are below that, and no such
    /// product reaches 2^64.
    pub(super) inverse: u64,
    pub(super) start: u16,
    pub(super) size: u16,
}

/// What photographs were like so far.
#[derive(Debug, Clone)]
pub(in crate::codec) struct Photo {
    counts: Box<[u32; TABLES * SYMBOLS]>,
    shares: Box<[Share; TABLES * SYMBOLS]>,
    /// The first symbol that has any of these places.
    holders: Box<[[u8; (TOTAL / COARSE) as usize]; TABLES]>,
}

impl Photo {
    pub(in crate::codec) fn new() -> Self {
        let mut photo = Self {
            counts: Box::new([0; TABLES * SYMBOLS]),
            shares: Box::new([Share::default(); TABLES * SYMBOLS]),
            holders: Box::new([[0; (TOTAL / COARSE) as usize]; TABLES]),
        };
        // Before anything was seen: the larger the unrest, the wider.
        for (table, counts) in photo.counts.as_chunks_mut::<SYMBOLS>().0.iter_mut().enumerate() {
            let level = table % LEVELS;
            let width = 6 + 7 * level * level;
            for (symbol, count) in counts.iter_mut().take(USED).enumerate() {
                // Halved with every `width` fourteenths.
                let halvings = (symbol.div_ceil(2) * 14 / width).min(15);
                *count = 1 + ((3_000 / width) >> halvings) as u32;
            }
            counts[LARGE] = 1 + (level * level) as u32;
        }
        photo.renew();
        photo
    }

    /// Make likelihoods of the counts.
    pub(super) fn renew(&mut self) {
        let counts = self.counts.as_chunks_mut::<SYMBOLS>().0.iter_mut();
        let shares = self.shares.as_chunks_mut::<SYMBOLS>().0.iter_mut();
        for ((counts, shares), holder) in counts.zip(shares).zip(self.holders.iter_mut()) {
            let total: u32 = counts.iter().sum();
            let mut left = TOTAL;
            let mut most = 0;
            for symbol in 0..USED {
                let part = u64::from(counts[symbol]) * u64::from(TOTAL - USED as u32) / u64::from(total.max(1));
                shares[symbol].size = part as u16 + 1;
                left -= part as u32 + 1;
                if counts[symbol] > counts[most] {
                    most = symbol;
                }
            }
            shares[most].size += left as u16;
            let mut at = 0;
            for (symbol, share) in shares.iter_mut().take(USED).enumerate() {
                let end = at + share.size;
                let places = (u32::from(at).div_ceil(COARSE)) as usize..(u32::from(end).div_ceil(COARSE)) as usize;
                holder.get_mut(places).unwrap_or_default().fill(symbol as u8);
                share.start = at;
                share.inverse = (1_u64 << 44).div_ceil(u64::from(share.size));
                at = end;
            }
            if total > FULL {
                counts.iter_mut().for_each(|count| *count = count.div_ceil(2));
            }
        }
    }

    #[inline(always)]
    pub(super) fn seen(&mut self, index: u16) {
        if let Some(count) = self.counts.get_mut(usize::from(index)) {
            *count += WEIGHT;
        }
    }

    #[inline(always)]
    pub(super) fn share(&self, index: u16) -> Share {
        self.shares.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// The symbol that has this place, by the index of its table's first.
    #[inline(always)]
    pub(super) fn find(&self, first: u16, place: u32) -> (u16, Share) {
        let holder = self.holders.get(usize::from(first) / SYMBOLS);
        let coarse = holder.and_then(|holder| holder.get((place / COARSE) as usize)).copied().unwrap_or(0);
        let mut symbol = u16::from(coarse);
        loop {
            let share = self.share(first + symbol);
            if place < u32::from(share.start) + u32::from(share.size) || usize::from(symbol) >= LARGE {
                return (symbol, share);
            }
            symbol += 1;
        }
    }
}
