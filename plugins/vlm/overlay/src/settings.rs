use gst::glib;

/// Whether and how answers are put over the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstVlmOverlay")]
#[repr(i32)]
pub enum OverlayMode {
    /// Buffers are left as they are.
    #[default]
    #[enum_value(name = "Off: no text over the picture", nick = "off")]
    Off = 0,
    /// As metadata, for a sink or converter downstream to draw.
    #[enum_value(name = "Attach: as overlay composition, for downstream to draw", nick = "attach")]
    Attach = 1,
    /// Into the picture's own pixels.
    #[enum_value(name = "Blend: into the picture", nick = "blend")]
    Blend = 2,
    /// Attached where downstream draws it, else blended.
    #[enum_value(name = "Auto: attached when downstream draws it, else blended", nick = "auto")]
    Auto = 3,
}

impl OverlayMode {
    /// Whether downstream may have to draw, which caps must say.
    pub fn may_attach(self) -> bool {
        matches!(self, Self::Attach | Self::Auto)
    }
}

/// Where in the picture the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstVlmOverlayPosition")]
#[repr(i32)]
#[allow(missing_docs, reason = "the names say it")]
pub enum OverlayPosition {
    #[enum_value(name = "Top left", nick = "top-left")]
    TopLeft = 0,
    #[enum_value(name = "Top", nick = "top")]
    Top = 1,
    #[enum_value(name = "Top right", nick = "top-right")]
    TopRight = 2,
    #[enum_value(name = "Left", nick = "left")]
    Left = 3,
    #[enum_value(name = "Center", nick = "center")]
    Center = 4,
    #[enum_value(name = "Right", nick = "right")]
    Right = 5,
    #[enum_value(name = "Bottom left", nick = "bottom-left")]
    BottomLeft = 6,
    #[default]
    #[enum_value(name = "Bottom", nick = "bottom")]
    Bottom = 7,
    #[enum_value(name = "Bottom right", nick = "bottom-right")]
    BottomRight = 8,
}

impl OverlayPosition {
    /// Which share of the room beside the text is to its left, and which above it.
    pub(super) fn shares(self) -> (f64, f64) {
        let left = match self {
            Self::TopLeft | Self::Left | Self::BottomLeft => 0.0,
            Self::Top | Self::Center | Self::Bottom => 0.5,
            Self::TopRight | Self::Right | Self::BottomRight => 1.0,
        };
        let above = match self {
            Self::TopLeft | Self::Top | Self::TopRight => 0.0,
            Self::Left | Self::Center | Self::Right => 0.5,
            Self::BottomLeft | Self::Bottom | Self::BottomRight => 1.0,
        };
        (left, above)
    }
}

/// What is drawn with unless somebody says otherwise.
pub mod defaults {
    /// Whatever the system has.
    pub const FONT: &str = "Sans";
    /// Subtitles' usual size, and 12 pixels at 240 lines.
    pub const TEXT_SIZE: f64 = 0.05;
    /// So many lines of text.
    pub const MAX_LINES: u32 = 4;
    /// A margin of 5% on each side.
    pub const WIDTH: f64 = 0.9;
    /// White.
    pub const COLOR: u32 = 0xffff_ffff;
    /// Dark enough that white text keeps a contrast of 4.5 to 1 on a white picture.
    pub const BACKGROUND: u32 = 0x9900_0000;
}

/// Whether text is drawn, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct OverlaySettings {
    /// Default: off.
    pub mode: OverlayMode,
    /// Default: [`defaults`].
    pub look: Look,
}

impl Default for OverlaySettings {
    fn default() -> Self {
        Self {
            mode: OverlayMode::default(),
            look: Look {
                position: OverlayPosition::default(),
                font: defaults::FONT.into(),
                text_size: defaults::TEXT_SIZE,
                max_lines: defaults::MAX_LINES,
                width: defaults::WIDTH,
                color: defaults::COLOR,
                background: defaults::BACKGROUND,
            },
        }
    }
}

impl OverlaySettings {
    /// How text is drawn, if it is.
    pub fn look(&self) -> Option<Look> {
        (self.mode != OverlayMode::Off).then(|| self.look.clone())
    }
}

/// How text is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Where the text is.
    pub position: OverlayPosition,
    /// A pango font description; a size in it goes before `text_size`.
    pub font: String,
    /// The font's size as a share of the picture's shorter edge.
    pub text_size: f64,
    /// 0 = as many as fit.
    pub max_lines: u32,
    /// The widest that the text may be, as a share of the picture's width.
    pub width: f64,
    /// 0xAARRGGBB, as the next one.
    pub color: u32,
    /// Behind the text.
    pub background: u32,
}
