//! Names for colours.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Hue {
    Black,
    Grey,
    White,
    Red,
    Orange,
    Yellow,
    Green,
    Cyan,
    Blue,
    Purple,
    Pink,
    Brown,
}

impl Hue {
    pub(crate) const ALL: [Self; 12] = [
        Self::Black,
        Self::Grey,
        Self::White,
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Cyan,
        Self::Blue,
        Self::Purple,
        Self::Pink,
        Self::Brown,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Grey => "grey",
            Self::White => "white",
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Cyan => "cyan",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
            Self::Brown => "brown",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Shade {
    Plain,
    Dark,
    Light,
}

impl Shade {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Dark, Self::Light];
}

/// A colour as a person would name it, such as "dark blue".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour {
    pub(crate) hue: Hue,
    pub(crate) shade: Shade,
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.shade {
            Shade::Plain => "",
            Shade::Dark => "dark ",
            Shade::Light => "light ",
        })?;
        f.write_str(self.hue.word())
    }
}

/// Names an sRGB colour by its hue, saturation and lightness.
pub(crate) fn name([r, g, b]: [u8; 3]) -> Colour {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let chroma = f32::from(max - min);
    let lightness = (f32::from(max) + f32::from(min)) / 510.0;
    if max < 40 {
        return Colour { hue: Hue::Black, shade: Shade::Plain };
    }
    // Camera white balance is rarely exact, so nearly grey is grey.
    if chroma < 20.0 || chroma / f32::from(max) < 0.12 {
        return grey(lightness);
    }
    let degrees = degrees([r, g, b], max, chroma);
    let hue = hue(degrees, lightness, chroma);
    let (dark, light) = match hue {
        Hue::Brown => (0.2, 0.5),
        Hue::Pink => (0.4, 0.85),
        _ => (0.3, 0.72),
    };
    let shade = if lightness < dark {
        Shade::Dark
    } else if lightness > light {
        Shade::Light
    } else {
        Shade::Plain
    };
    Colour { hue, shade }
}

fn grey(lightness: f32) -> Colour {
    let (hue, shade) = match lightness {
        l if l < 0.18 => (Hue::Black, Shade::Plain),
        l if l < 0.38 => (Hue::Grey, Shade::Dark),
        l if l < 0.66 => (Hue::Grey, Shade::Plain),
        l if l < 0.88 => (Hue::Grey, Shade::Light),
        _ => (Hue::White, Shade::Plain),
    };
    Colour { hue, shade }
}

fn degrees([r, g, b]: [u8; 3], max: u8, chroma: f32) -> f32 {
    let [red, green, blue] = [r, g, b].map(f32::from);
    let sixth = if max == r {
        (green - blue) / chroma
    } else if max == g {
        (blue - red) / chroma + 2.0
    } else {
        (red - green) / chroma + 4.0
    };
    (sixth * 60.0).rem_euclid(360.0)
}

fn hue(degrees: f32, lightness: f32, chroma: f32) -> Hue {
    let muted = lightness < 0.36 || (chroma < 110.0 && lightness < 0.6);
    match degrees {
        d if !(15.0..345.0).contains(&d) && lightness > 0.72 => Hue::Pink,
        d if d < 15.0 => Hue::Red,
        d if d < 42.0 && muted => Hue::Brown,
        d if d < 42.0 => Hue::Orange,
        d if d < 68.0 => Hue::Yellow,
        d if d < 165.0 => Hue::Green,
        d if d < 192.0 => Hue::Cyan,
        d if d < 255.0 => Hue::Blue,
        d if d < 310.0 => Hue::Purple,
        d if d < 345.0 && lightness < 0.3 => Hue::Purple,
        d if d < 345.0 => Hue::Pink,
        _ => Hue::Red,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_colours_get_their_everyday_names() {
        for (rgb, expected) in [
            ([0, 0, 0], "black"),
            ([255, 255, 255], "white"),
            ([60, 60, 60], "dark grey"),
            ([128, 128, 128], "grey"),
            ([200, 200, 200], "light grey"),
            ([255, 0, 0], "red"),
            ([139, 0, 0], "dark red"),
            ([220, 20, 60], "red"),
            ([255, 165, 0], "orange"),
            ([255, 255, 0], "yellow"),
            ([255, 255, 160], "light yellow"),
            ([0, 255, 0], "green"),
            ([0, 100, 0], "dark green"),
            ([144, 238, 144], "light green"),
            ([0, 255, 255], "cyan"),
            ([0, 0, 255], "blue"),
            ([0, 0, 128], "dark blue"),
            ([135, 206, 235], "light blue"),
            ([128, 0, 128], "dark purple"),
            ([150, 50, 200], "purple"),
            ([255, 192, 203], "light pink"),
            ([255, 105, 180], "pink"),
            ([139, 69, 19], "brown"),
            ([70, 40, 15], "dark brown"),
        ] {
            assert_eq!(name(rgb).to_string(), expected, "{rgb:?}");
        }
    }

    #[test]
    fn every_colour_has_a_name() {
        for r in (0..=255).step_by(5) {
            for g in (0..=255).step_by(5) {
                for b in (0..=255).step_by(5) {
                    assert!(!name([r, g, b]).to_string().is_empty());
                }
            }
        }
    }
}
