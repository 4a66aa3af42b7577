//! Decoding into memory, and from there onto the canvas.

use gc_protocol::messages::VideoFrame;
use gc_screen::video::Overlay;
use gc_screen::{Decoder, Rect, Size};
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{ImageData, OffscreenCanvas, OffscreenCanvasRenderingContext2d};

/// Rectangles that are remembered for pictures that are late.
const MOST_REFINED: usize = 1 << 14;

#[derive(Debug)]
pub(crate) struct Canvas {
    canvas: OffscreenCanvas,
    context: OffscreenCanvasRenderingContext2d,
    /// None before the first picture.
    decoder: Option<Decoder>,
    overlay: Overlay,
    /// What was refined since the last picture of the video: it stays over those
    /// that are still being decoded.
    refined: Vec<Rect>,
    rgba: Vec<u8>,
    display: u32,
    /// Width, height and display that the page was told last.
    told: Option<(u32, u32, u32)>,
}

impl Canvas {
    pub(crate) fn new(canvas: OffscreenCanvas) -> Result<Self, JsValue> {
        let context = canvas.get_context("2d")?.ok_or_else(|| JsValue::from_str("this browser draws no pictures"))?;
        let context = context.unchecked_into();
        Ok(Self {
            canvas,
            context,
            decoder: None,
            overlay: Overlay::default(),
            refined: Vec::new(),
            rgba: Vec::new(),
            display: 0,
            told: None,
        })
    }

    /// The display that is shown.
    pub(crate) fn display(&self) -> u32 {
        self.display
    }

    /// Decode and draw a frame; the new size where it has changed. `is_decoding`:
    /// pictures of a video are still to come.
    pub(crate) fn show(&mut self, frame: &VideoFrame, is_decoding: bool) -> Result<Option<(u32, u32)>, ()> {
        let mut resized = None;
        if frame.keyframe {
            let size = Size::new(frame.width, frame.height);
            let same = self.size() == size;
            // The old one goes first: two would be twice the memory.
            self.decoder = None;
            self.overlay.clear();
            self.decoder = Some(Decoder::new(size, frame.remembered_tiles as usize).ok_or(())?);
            if !same {
                self.rgba = Vec::new();
                self.rgba = vec![0; size.area() * 4];
                self.canvas.set_width(size.width);
                self.canvas.set_height(size.height);
            }
            self.display = frame.display_id;
            let shows = (size.width, size.height, self.display);
            if self.told != Some(shows) {
                resized = Some(shows);
            }
        }
        let decoder = self.decoder.as_mut().ok_or(())?;
        decoder.decode(&frame.payload).map_err(|_| ())?;
        // What an epoch leaves black is as much part of the picture.
        let size = decoder.picture().size();
        let changed = if frame.keyframe { vec![size.rect()] } else { decoder.changed() };
        let rects = self.overlay.tiles(region(frame), frame.video_rests, changed, size).map_err(|_| ())?;
        for rect in &rects {
            self.swizzle(*rect);
        }
        self.draw(&rects).map_err(|_| ())?;
        match self.overlay.region().filter(|_| frame.video_rests && is_decoding) {
            Some(video) if self.refined.len() < MOST_REFINED => {
                self.refined.extend(rects.into_iter().filter_map(|rect| rect.common(video)));
            }
            // A decoder that takes so long has nothing to add.
            Some(video) => self.refined = vec![video],
            None => self.refined.clear(),
        }
        // Only now: what failed has to be told with the next one.
        self.told = resized.or(self.told);
        Ok(resized.map(|(width, height, _)| (width, height)))
    }

    /// A picture of a video is on its way through the browser's decoder: where
    /// it will be drawn. What the video leaves shows the lossless picture again.
    pub(crate) fn film(&mut self, frame: &VideoFrame) -> Result<Rect, ()> {
        let region = region(frame).ok_or(())?;
        let rects = self.overlay.tiles(Some(region), false, Vec::new(), self.size()).map_err(|_| ())?;
        self.refined.clear();
        for rect in &rects {
            self.swizzle(*rect);
        }
        self.draw(&rects).map_err(|_| ())?;
        Ok(region)
    }

    /// Whether a picture of the video in this region is still to be drawn.
    pub(crate) fn shows_film(&self, region: Rect) -> bool {
        self.overlay.region() == Some(region)
    }

    /// A picture of the video was drawn: what is exact already lies over it.
    pub(crate) fn film_drawn(&self) {
        // Where this fails the next frame does, and is told.
        let _drawn: Result<(), JsValue> = self.draw(&self.refined);
    }

    /// The video that lies over the picture.
    pub(crate) fn region(&self) -> Option<Rect> {
        self.overlay.region()
    }

    fn size(&self) -> Size {
        self.decoder.as_ref().map_or(Size::default(), |decoder| decoder.picture().size())
    }

    /// Numbers to red, green, blue.
    fn swizzle(&mut self, rect: Rect) {
        let Some(decoder) = &self.decoder else { return };
        let picture = decoder.picture();
        let stride = picture.size().width as usize * 4;
        for y in rect.y..rect.y + rect.height {
            let from = picture.row(rect.x, y, rect.width);
            let start = y as usize * stride + rect.x as usize * 4;
            let to = self.rgba.get_mut(start..start + from.len() * 4).unwrap_or_default();
            for (to, pixel) in to.as_chunks_mut::<4>().0.iter_mut().zip(from) {
                let [blue, green, red, _] = pixel.to_le_bytes();
                *to = [red, green, blue, 255];
            }
        }
    }

    fn draw(&self, rects: &[Rect]) -> Result<(), JsValue> {
        let size = self.size();
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

/// Where a frame says that video lies.
fn region(frame: &VideoFrame) -> Option<Rect> {
    let region = Rect::new(frame.video_x, frame.video_y, frame.video_width, frame.video_height);
    (region.area() > 0).then_some(region)
}
