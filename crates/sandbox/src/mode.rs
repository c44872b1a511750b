use std::{fmt, str::FromStr};

/// Whether there is a sandbox, as `--sandbox` has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// `on`: all that the kernel can do, which the report tells. The default.
    #[default]
    On,
    /// `strict`: all of it or nothing.
    Strict,
    /// `off`: none, for debuggers.
    Off,
}

/// A text that is no [`Mode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is {0:?} and must be on, strict or off")]
pub struct UnknownMode(String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on" => Ok(Self::On),
            "strict" => Ok(Self::Strict),
            "off" => Ok(Self::Off),
            other => Err(UnknownMode(other.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Strict => "strict",
            Self::Off => "off",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_is_read_as_it_is_written() {
        for mode in [Mode::On, Mode::Strict, Mode::Off] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        let error = "On".parse::<Mode>().unwrap_err();
        assert_eq!(error.to_string(), "it is \"On\" and must be on, strict or off");
    }
}
