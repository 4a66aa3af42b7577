//! Between a screen's pixels and what video codecs take.

use gc_screen::{Canvas, Rect};
use yuv::{YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

/// Luma and chroma of a picture, chroma at half the width and height.
#[derive(Debug, Default)]
pub(crate) struct Planes {
    pub(crate) width: usize,
    pub(crate) height: usize,
    luma: Vec<u8>,
    blue: Vec<u8>,
    red: Vec<u8>,
    /// Pixels of a region that cannot be read where they lie: its edges are odd,
    /// and the last pixels come again, or it touches the picture's lower edge.
    even: Vec<u32>,
}

impl Planes {
    /// Take over a region, made even by its last column and row.
    pub(crate) fn take(&mut self, picture: &Canvas, region: Rect) -> Option<()> {
        let (width, height) = (region.width.next_multiple_of(2), region.height.next_multiple_of(2));
        (self.width, self.height) = (width as usize, height as usize);
        let half = self.width / 2 * (self.height / 2);
        self.luma.resize(self.width * self.height, 0);
        self.blue.resize(half, 0);
        self.red.resize(half, 0);
        let in_place = picture.part(region).filter(|_| (width, height) == (region.width, region.height));
        let (pixels, stride) = if let Some(in_place) = in_place {
            in_place
        } else {
            self.even.clear();
            for y in region.y..region.y + height {
                let row = picture.row(region.x, y.min(region.y + region.height - 1), region.width);
                self.even.extend_from_slice(row);
                self.even.extend(row.last().filter(|_| width > region.width));
            }
            (self.even.as_slice(), self.width)
        };
        let mut image = YuvPlanarImageMut {
            y_plane: yuv::BufferStoreMut::Borrowed(&mut self.luma),
            y_stride: width,
            u_plane: yuv::BufferStoreMut::Borrowed(&mut self.blue),
            u_stride: width / 2,
            v_plane: yuv::BufferStoreMut::Borrowed(&mut self.red),
            v_stride: width / 2,
            width,
            height,
        };
        yuv::bgra_to_yuv420(
            &mut image,
            bytemuck::cast_slice(pixels),
            u32::try_from(stride * 4).ok()?,
            YuvRange::Limited,
            YuvStandardMatrix::Bt709,
            YuvConversionMode::Balanced,
        )
        .ok()
    }
}

impl Planes {
    /// The same with the two chroma planes as one, by turns (NV12): what
    /// encoders in hardware take.
    pub(crate) fn interleaved(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.luma.len() * 3 / 2);
        bytes.extend_from_slice(&self.luma);
        bytes.extend(self.blue.iter().zip(&self.red).flat_map(|(blue, red)| [*blue, *red]));
        bytes
    }
}

impl openh264::formats::YUVSource for Planes {
    fn dimensions(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.width, self.width / 2, self.width / 2)
    }

    fn y(&self) -> &[u8] {
        &self.luma
    }

    fn u(&self) -> &[u8] {
        &self.blue
    }

    fn v(&self) -> &[u8] {
        &self.red
    }
}
