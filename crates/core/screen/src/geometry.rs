//! Sizes and rectangles in pixels.

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Size {
    /// A size.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Pixels in it.
    #[must_use]
    pub const fn area(self) -> usize {
        self.width as usize * self.height as usize
    }

    /// The rectangle of this size at the origin.
    #[must_use]
    pub const fn rect(self) -> Rect {
        Rect { x: 0, y: 0, width: self.width, height: self.height }
    }
}

/// A rectangle inside a framebuffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Rect {
    /// A rectangle.
    #[must_use]
    pub const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self { x, y, width, height }
    }

    /// Pixels in it.
    #[must_use]
    pub const fn area(self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Whether it lies wholly inside `size` and has pixels.
    #[must_use]
    pub fn fits(self, size: Size) -> bool {
        let right = self.x.checked_add(self.width);
        let bottom = self.y.checked_add(self.height);
        self.area() > 0
            && right.is_some_and(|right| right <= size.width)
            && bottom.is_some_and(|bottom| bottom <= size.height)
    }

    /// The part of it that lies inside `size`, from possibly negative corners.
    #[must_use]
    pub fn clipped(x: i64, y: i64, width: i64, height: i64, size: Size) -> Option<Self> {
        let left = x.max(0);
        let top = y.max(0);
        let right = x.saturating_add(width).min(i64::from(size.width));
        let bottom = y.saturating_add(height).min(i64::from(size.height));
        if right <= left || bottom <= top {
            return None;
        }
        let as_u32 = |value: i64| u32::try_from(value).ok();
        Some(Self::new(as_u32(left)?, as_u32(top)?, as_u32(right - left)?, as_u32(bottom - top)?))
    }

    /// The parts that lie outside of another rectangle.
    #[must_use]
    pub fn without(self, hole: Self) -> Vec<Self> {
        let (right, bottom) = (self.x + self.width, self.y + self.height);
        let left = hole.x.clamp(self.x, right);
        let hole_right = (hole.x + hole.width).clamp(self.x, right);
        let top = hole.y.clamp(self.y, bottom);
        let hole_bottom = (hole.y + hole.height).clamp(self.y, bottom);
        if left >= hole_right || top >= hole_bottom {
            return vec![self];
        }
        [
            Self::new(self.x, self.y, self.width, top - self.y),
            Self::new(self.x, hole_bottom, self.width, bottom - hole_bottom),
            Self::new(self.x, top, left - self.x, hole_bottom - top),
            Self::new(hole_right, top, right - hole_right, hole_bottom - top),
        ]
        .into_iter()
        .filter(|part| part.area() > 0)
        .collect()
    }

    /// What it has in common with another.
    #[must_use]
    pub fn common(self, other: Self) -> Option<Self> {
        let (left, top) = (self.x.max(other.x), self.y.max(other.y));
        let right = (self.x + self.width).min(other.x + other.width);
        let bottom = (self.y + self.height).min(other.y + other.height);
        (left < right && top < bottom).then(|| Self::new(left, top, right - left, bottom - top))
    }

    /// The smallest one that holds both.
    #[must_use]
    pub fn around(self, other: Self) -> Self {
        let (left, top) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Self::new(left, top, right - left, bottom - top)
    }

    /// Whether it holds all of another.
    #[must_use]
    pub fn holds(self, other: Self) -> bool {
        self.common(other) == Some(other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rect() -> impl Strategy<Value = Rect> {
        (0u32..50, 0u32..50, 1u32..20, 1u32..20).prop_map(|(x, y, width, height)| Rect::new(x, y, width, height))
    }

    fn holds(rect: &Rect, x: u32, y: u32) -> bool {
        (rect.x..rect.x + rect.width).contains(&x) && (rect.y..rect.y + rect.height).contains(&y)
    }

    proptest! {
        /// Every pixel outside of the hole once, none inside.
        #[test]
        fn a_hole_is_left_out(rect in rect(), hole in rect()) {
            let parts = rect.without(hole);
            for (x, y) in (0..70).flat_map(|y| (0..70).map(move |x| (x, y))) {
                let times = parts.iter().filter(|part| holds(part, x, y)).count();
                prop_assert_eq!(times, usize::from(holds(&rect, x, y) && !holds(&hole, x, y)));
            }
        }
    }
}
