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
}
