/// What of a stream's caps matters for drawing text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// In pixels.
    pub width: i32,
    /// In pixels.
    pub height: i32,
    /// How wide a pixel is, for one that is 1 high.
    pub pixel_aspect: f64,
}

impl Frame {
    /// `None` if the caps name no size.
    pub fn of(caps: &gst::CapsRef) -> Option<Self> {
        let structure = caps.structure(0)?;
        let aspect = structure.get::<gst::Fraction>("pixel-aspect-ratio").ok();
        let pixel_aspect = match aspect.map(|aspect| (aspect.numer(), aspect.denom())) {
            Some((numer, denom)) if numer > 0 && denom > 0 => f64::from(numer) / f64::from(denom),
            _ => 1.0,
        };
        let frame = Self {
            width: structure.get("width").ok()?,
            height: structure.get("height").ok()?,
            pixel_aspect,
        };
        (frame.width > 0 && frame.height > 0).then_some(frame)
    }

    /// The width in pixels of the same height whose pixels are square.
    pub(super) fn square_width(self) -> f64 {
        f64::from(self.width) * self.pixel_aspect
    }
}
