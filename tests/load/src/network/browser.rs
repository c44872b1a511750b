//! What a page is opened in.

use std::{fmt, str::FromStr};

/// A browser, and the codec that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Browser {
    Chromium,
    /// Chromium, which sends H.264.
    H264,
    Firefox,
}

impl Browser {
    pub(crate) const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::H264];

    /// Those of the script that drives it.
    pub(crate) fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Chromium => ["--browser", "chromium", "--codec", "VP8"],
            Self::H264 => ["--browser", "chromium", "--codec", "H264"],
            Self::Firefox => ["--browser", "firefox", "--codec", "VP8"],
        }
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chromium => "chromium",
            Self::H264 => "h264",
            Self::Firefox => "firefox",
        })
    }
}

impl FromStr for Browser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|browser| browser.to_string() == text);
        found.ok_or_else(|| format!("{text:?} is none of chromium, firefox, h264"))
    }
}
