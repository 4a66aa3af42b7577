//! The viewer's side of a region: which parts of the lossless picture are to be
//! drawn where video may lie over it.

use crate::geometry::{Rect, Size};

/// A region that is not within the picture.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a region of video outside of the picture")]
pub struct NoSuchRegion;

/// Where video lies over the lossless picture.
#[derive(Debug, Default)]
pub struct Overlay {
    region: Option<Rect>,
}

impl Overlay {
    /// Where video lies by now.
    #[must_use]
    pub fn region(&self) -> Option<Rect> {
        self.region
    }

    /// A picture is shown whole, without video.
    pub fn clear(&mut self) {
        self.region = None;
    }

    /// A frame says where video lies from now on, and that the lossless codec
    /// changed these rectangles: what is to be drawn of the lossless picture.
    /// `rests`: also within the region.
    ///
    /// # Errors
    /// When the region is not within the picture.
    pub fn tiles(
        &mut self,
        region: Option<Rect>,
        rests: bool,
        changed: Vec<Rect>,
        size: Size,
    ) -> Result<Vec<Rect>, NoSuchRegion> {
        if region.is_some_and(|region| !region.fits(size)) {
            return Err(NoSuchRegion);
        }
        let mut draw = match region.filter(|_| !rests) {
            Some(video) => changed.into_iter().flat_map(|rect| rect.without(video)).collect(),
            None => changed,
        };
        // What video leaves shows the lossless picture again.
        if let Some(before) = self.region.filter(|before| Some(*before) != region) {
            draw.extend(match region {
                Some(video) => before.without(video),
                None => vec![before],
            });
        }
        self.region = region;
        Ok(draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_video_leaves_is_drawn() {
        let size = Size::new(100, 100);
        let (small, large) = (Rect::new(10, 10, 20, 20), Rect::new(10, 10, 40, 20));
        let mut overlay = Overlay::default();
        let mut tiles = |region, rests, changed| overlay.tiles(region, rests, changed, size);
        let tile = Rect::new(0, 0, 32, 32);
        assert_eq!(tiles(Some(large), false, vec![]), Ok(vec![]));
        assert!(tiles(Some(large), false, vec![tile]).unwrap().iter().all(|rect| *rect != tile));
        assert_eq!(tiles(Some(large), true, vec![tile]), Ok(vec![tile]));
        assert_eq!(tiles(Some(small), false, vec![]), Ok(vec![Rect::new(30, 10, 20, 20)]));
        assert_eq!(tiles(None, false, vec![tile]), Ok(vec![tile, small]));
        assert_eq!(tiles(None, false, vec![]), Ok(vec![]));
        assert_eq!(tiles(Some(Rect::new(90, 90, 20, 20)), false, vec![]), Err(NoSuchRegion));
        assert_eq!(tiles(Some(Rect::new(u32::MAX, 0, 2, 2)), false, vec![]), Err(NoSuchRegion));
    }
}
