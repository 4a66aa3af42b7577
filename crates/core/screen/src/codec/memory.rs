//! What both sides remember of tiles that were overwritten: a ring of slots.
//! Which slot holds what is said in so many words, so no side has to trust the
//! other's arithmetic.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::canvas::{Canvas, TILE};

/// Bytes of a remembered tile.
pub const TILE_BYTES: usize = TILE * TILE * size_of::<u32>();

/// By so many tiles the memory grows: doubling it would need twice as much.
const GROWTH: usize = 512;

/// A tile's name. 0 stands for none.
pub(super) type Name = u128;

/// A secret with which the encoder names tiles: nobody who draws on the screen
/// can make two that it takes for one.
///
/// A name is two sums of products of a tile's pixels with the key: NH of UMAC
/// (RFC 4418), over the whole tile, the second with the key moved by four words.
/// For any two tiles that differ, each sum is the same with a chance of at most
/// 2^-32 over the key, and both at once, by the Toeplitz construction, of 2^-64.
/// That holds for whoever chooses the tiles without knowing the key; names are
/// told to nobody, so nobody learns of it.
#[derive(Clone)]
pub struct TileKey(Box<[u32; WORDS]>);

/// How far the key is moved for the second sum.
const MOVED: usize = 4;
/// A word for each pixel, and those that the second sum goes beyond.
const WORDS: usize = TILE * TILE + MOVED;

impl std::fmt::Debug for TileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TileKey")
    }
}

impl TileKey {
    /// From random bytes.
    #[must_use]
    pub fn new(random: &[u8; 32]) -> Self {
        // Splitmix over the seed's words: as good as the seed where nobody
        // sees the outcome.
        let mut state = [0_u64; 4];
        for (word, bytes) in state.iter_mut().zip(random.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let mut next = 0;
        Self(Box::new(std::array::from_fn(|index| {
            let word = &mut state[index & 3];
            *word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *word ^ next;
            mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            next = mixed ^ mixed >> 31;
            (next >> 32) as u32
        })))
    }

    /// The name of the tile that begins here.
    #[inline(always)]
    pub(super) fn name(&self, canvas: &Canvas, x: usize, y: usize) -> Name {
        let (mut first, mut second) = (0_u64, 0_u64);
        for row in 0..TILE {
            let Some(pixels) = canvas.line(x, y + row, TILE).first_chunk::<TILE>() else { return 0 };
            let key = |moved: usize| self.0.get(row * TILE + moved..).and_then(|key| key.first_chunk::<TILE>());
            let (Some(key), Some(moved)) = (key(0), key(MOVED)) else { return 0 };
            first = first.wrapping_add(sum(pixels, key));
            second = second.wrapping_add(sum(pixels, moved));
        }
        u128::from(first) << 64 | u128::from(second)
    }
}

/// NH of a line.
#[inline(always)]
fn sum(pixels: &[u32; TILE], key: &[u32; TILE]) -> u64 {
    let pairs = pixels.as_chunks::<2>().0.iter().zip(key.as_chunks::<2>().0);
    pairs.fold(0, |sum: u64, (pixels, key)| {
        let (left, right) = (pixels[0].wrapping_add(key[0]), pixels[1].wrapping_add(key[1]));
        sum.wrapping_add(u64::from(left) * u64::from(right))
    })
}

/// Names are spread already, but for the lowest bits of products.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u128(&mut self, name: u128) {
        let (first, second) = ((name >> 64) as u64, name as u64);
        self.0 = (first ^ second.rotate_left(32)).wrapping_mul(0x9fb2_1c65_1e98_df25);
    }
}

/// The encoder's half: names.
#[derive(Debug, Clone)]
pub(super) struct Names {
    slots: Vec<Name>,
    places: HashMap<Name, u32, BuildHasherDefault<AsItIs>>,
    capacity: usize,
    next: usize,
}

impl Names {
    pub(super) fn new(capacity: usize) -> Self {
        Self { slots: Vec::new(), places: HashMap::default(), capacity, next: 0 }
    }

    pub(super) fn find(&self, name: Name) -> Option<u32> {
        self.places.get(&name).copied()
    }

    /// Remember a tile in the next slot; whatever was there is forgotten.
    pub(super) fn insert(&mut self, name: Name) {
        let slot = self.next;
        self.next = (self.next + 1) % self.capacity;
        match self.slots.get_mut(slot) {
            Some(place) => {
                self.places.remove(&std::mem::replace(place, name));
            }
            None => self.slots.push(name),
        }
        self.places.insert(name, slot as u32);
    }
}

/// The decoder's half: pixels.
#[derive(Debug, Clone)]
pub(super) struct Tiles {
    pixels: Vec<[u32; TILE * TILE]>,
    capacity: usize,
    next: usize,
}

impl Tiles {
    pub(super) fn new(capacity: usize) -> Self {
        Self { pixels: Vec::new(), capacity, next: 0 }
    }

    pub(super) fn get(&self, slot: u32) -> Option<&[u32; TILE * TILE]> {
        self.pixels.get(slot as usize)
    }

    pub(super) fn insert(&mut self, canvas: &Canvas, x: usize, y: usize) {
        let slot = self.next;
        self.next = (self.next + 1) % self.capacity;
        if slot >= self.pixels.len() {
            if self.pixels.len() == self.pixels.capacity() {
                self.pixels.reserve_exact(GROWTH);
            }
            self.pixels.push([0; TILE * TILE]);
        }
        let Some(place) = self.pixels.get_mut(slot) else { return };
        for (row, to) in place.as_chunks_mut::<TILE>().0.iter_mut().enumerate() {
            to.copy_from_slice(canvas.line(x, y + row, TILE));
        }
    }
}
