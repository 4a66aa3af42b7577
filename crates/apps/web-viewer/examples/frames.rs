//! The decoder as the browser runs it, without a browser: tests compare it with
//! the one that runs natively, bit by bit.

use gc_screen::{Decoder, Size};
use wasm_bindgen::prelude::*;

/// A decoder of frames.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Frames(Decoder);

#[wasm_bindgen]
impl Frames {
    /// For a picture of this size, black yet.
    ///
    /// # Errors
    /// When it is larger than what is decoded.
    #[wasm_bindgen(constructor)]
    pub fn new(width: u32, height: u32, slots: usize) -> Result<Frames, JsValue> {
        Decoder::new(Size::new(width, height), slots).map(Frames).ok_or_else(|| JsValue::from_str("too large"))
    }

    /// Whether it takes a frame.
    pub fn decode(&mut self, frame: &[u8]) -> bool {
        self.0.decode(frame).is_ok()
    }

    /// All pixels, row by row.
    pub fn pixels(&self) -> Vec<u32> {
        let picture = self.0.picture();
        let size = picture.size();
        (0..size.height).flat_map(|y| picture.row(0, y, size.width)).copied().collect()
    }
}
