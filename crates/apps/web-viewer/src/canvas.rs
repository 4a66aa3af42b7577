//! Decoding into memory, and from there onto the canvas.

use gc_protocol::limits;
use gc_protocol::messages::{VideoCodec, VideoFrame};
use gc_screen::{Decoder, Rect, Size};
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{ImageData, OffscreenCanvas, OffscreenCanvasRenderingContext2d};

#[derive(Debug)]
pub(crate) struct Canvas {
    canvas: OffscreenCanvas,
    context: OffscreenCanvasRenderingContext2d,
    decoder: Decoder,
    rgba: Vec<u8>,
    display: u32,
}

impl Canvas {
    pub(crate) fn new(canvas: OffscreenCanvas) -> Result<Self, JsValue> {
        let context = canvas.get_context("2d")?.ok_or_else(|| JsValue::from_str("this browser draws no pictures"))?;
        let context = context.unchecked_into();
        Ok(Self { canvas, context, decoder: Decoder::default(), rgba: Vec::new(), display: 0 })
    }

    /// The display that is shown.
    pub(crate) fn display(&self) -> u32 {
        self.display
    }

    /// Decode and draw a frame; the new size where it has changed.
    pub(crate) fn show(&mut self, frame: &VideoFrame) -> Result<Option<(u32, u32)>, ()> {
        if frame.codec != i32::from(VideoCodec::Raw) {
            return Err(());
        }
        let mut resized = None;
        if frame.keyframe {
            let size = Size::new(frame.width, frame.height);
            let edges = 1..=limits::DISPLAY_EDGE;
            if !edges.contains(&size.width) || !edges.contains(&size.height) || size.area() > 64 << 20 {
                return Err(());
            }
            if self.decoder.framebuffer().size() != size || self.display != frame.display_id {
                self.display = frame.display_id;
                self.decoder = Decoder::new(size);
                self.rgba = vec![255; size.area() * 4];
                self.canvas.set_width(size.width);
                self.canvas.set_height(size.height);
                resized = Some((size.width, size.height));
            }
        }
        let rects = self.decoder.decode(&frame.payload).map_err(|_| ())?;
        for rect in &rects {
            self.swizzle(*rect);
        }
        self.draw(&rects).map_err(|_| ())?;
        Ok(resized)
    }

    /// Blue, green, red to red, green, blue.
    fn swizzle(&mut self, rect: Rect) {
        let framebuffer = self.decoder.framebuffer();
        let stride = framebuffer.size().width as usize * 4;
        for y in rect.y..rect.y + rect.height {
            let from = framebuffer.row(rect.x, y, rect.width);
            let start = y as usize * stride + rect.x as usize * 4;
            let to = self.rgba.get_mut(start..start + from.len()).unwrap_or_default();
            for (to, from) in to.chunks_exact_mut(4).zip(from.chunks_exact(4)) {
                if let ([r, g, b, _], [blue, green, red, _]) = (to, from) {
                    (*r, *g, *b) = (*red, *green, *blue);
                }
            }
        }
    }

    fn draw(&self, rects: &[Rect]) -> Result<(), JsValue> {
        let size = self.decoder.framebuffer().size();
        if rects.is_empty() || self.rgba.is_empty() {
            return Ok(());
        }
        let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&self.rgba), size.width, size.height)?;
        for rect in rects {
            self.context.put_image_data_with_dirty_x_and_dirty_y_and_dirty_width_and_dirty_height(
                &image,
                0.0,
                0.0,
                rect.x.into(),
                rect.y.into(),
                rect.width.into(),
                rect.height.into(),
            )?;
        }
        Ok(())
    }
}
