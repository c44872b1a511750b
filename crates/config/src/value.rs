//! Values that flags, environment and file share. Each says what is allowed.

use std::{fmt, marker::PhantomData, net::IpAddr, num::NonZeroU16, str::FromStr, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};
use vlm_client::{Allowed, Endpoint};

/// live-vlm-webui counts its interval in frames; we count them at this rate, per second.
pub const NOMINAL_FRAME_RATE: f64 = 30.0;
/// The longest prompt, in characters.
pub const MAX_PROMPT: usize = 8000;

/// A value that is not allowed, and what is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct NotAllowed(String);

/// A value with a way to write it, and words for what is allowed.
trait Written: Sized {
    fn read(text: &str) -> Option<Self>;
    fn allowed() -> String;
}

/// How a file may write a value.
struct Visitor<T> {
    is_number: bool,
    value: PhantomData<T>,
}

impl<T: Written> Visitor<T> {
    const TEXT: Self = Self { is_number: false, value: PhantomData };
    const NUMBER: Self = Self { is_number: true, value: PhantomData };

    fn read<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::read(text).ok_or_else(|| E::custom(NotAllowed(T::allowed())))
    }

    fn number<E: de::Error>(self, given: de::Unexpected, text: &str) -> Result<T, E> {
        if self.is_number { self.read(text) } else { Err(E::invalid_type(given, &self)) }
    }
}

impl<T: Written> de::Visitor<'_> for Visitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&T::allowed())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        if self.is_number && text.parse::<f64>().is_ok() {
            return Err(E::invalid_type(de::Unexpected::Str(text), &self));
        }
        self.read(text)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        self.number(de::Unexpected::Signed(value), &value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        self.number(de::Unexpected::Unsigned(value), &value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        self.number(de::Unexpected::Float(value), &value.to_string())
    }
}

/// Gives a [`Written`] type its place on the command line and in the file.
macro_rules! value {
    ($type:ty, $visitor:ident $(, const $name:ident: $of:ty)*) => {
        impl<$(const $name: $of),*> FromStr for $type {
            type Err = NotAllowed;

            fn from_str(text: &str) -> Result<Self, NotAllowed> {
                <Self as Written>::read(text).ok_or_else(|| NotAllowed(Self::allowed()))
            }
        }

        impl<'de, $(const $name: $of),*> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Visitor::<Self>::$visitor)
            }
        }
    };
}

/// A whole number in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Whole<const LOW: u64, const HIGH: u64>(u64);

impl<const LOW: u64, const HIGH: u64> Whole<LOW, HIGH> {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl<const LOW: u64, const HIGH: u64> Written for Whole<LOW, HIGH> {
    fn read(text: &str) -> Option<Self> {
        text.trim().parse().ok().filter(|number| (LOW..=HIGH).contains(number)).map(Self)
    }

    fn allowed() -> String {
        format!("a whole number, {LOW} to {HIGH}")
    }
}

value!(Whole<LOW, HIGH>, NUMBER, const LOW: u64, const HIGH: u64);

/// A time between two questions, 0.1 to 3600 seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval(Duration);

impl Interval {
    /// The time.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl Written for Interval {
    fn read(text: &str) -> Option<Self> {
        let seconds: f64 = text.trim().parse().ok()?;
        (0.1..=3600.0).contains(&seconds).then(|| Self(Duration::from_secs_f64(seconds)))
    }

    fn allowed() -> String {
        "seconds, 0.1 to 3600".to_owned()
    }
}

value!(Interval, NUMBER);

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.0.as_secs_f64())
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prompt(String);

impl Prompt {
    /// The text.
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl Written for Prompt {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        (1..=MAX_PROMPT).contains(&text.chars().count()).then(|| Self(text.to_owned()))
    }

    fn allowed() -> String {
        format!("a text of 1 to {MAX_PROMPT} characters")
    }
}

value!(Prompt, TEXT);

/// A name, such as a model's: 1 to 256 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Name(String);

impl Name {
    /// The name.
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl Written for Name {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        (1..=256).contains(&text.chars().count()).then(|| Self(text.to_owned()))
    }

    fn allowed() -> String {
        "a text of 1 to 256 characters".to_owned()
    }
}

value!(Name, TEXT);

/// What an HTTP header can carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderText(String);

impl HeaderText {
    /// The text.
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl Written for HeaderText {
    fn read(text: &str) -> Option<Self> {
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    fn allowed() -> String {
        "1 to 256 visible ASCII characters without spaces".to_owned()
    }
}

value!(HeaderText, TEXT);

/// An address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(IpAddr);

impl Address {
    /// The address.
    pub fn get(self) -> IpAddr {
        self.0
    }
}

impl Written for Address {
    fn read(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Self)
    }

    fn allowed() -> String {
        "an IP address such as 0.0.0.0 or 127.0.0.1".to_owned()
    }
}

value!(Address, TEXT);

/// A network, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    /// The network.
    pub fn get(self) -> IpNet {
        self.0
    }
}

impl Written for Cidr {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let network = text.parse().ok();
        network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(Self)
    }

    fn allowed() -> String {
        "an address or a network such as 10.0.0.0/8".to_owned()
    }
}

value!(Cidr, TEXT);

/// VLM servers that people may bring themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedBase(Allowed);

impl AllowedBase {
    /// The servers.
    pub fn get(&self) -> &Allowed {
        &self.0
    }
}

impl Written for AllowedBase {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    fn allowed() -> String {
        "an address, a network, a host name or a wildcard, such as 10.0.0.0/8, 192.168.1.7:8000, \
         [fd00::7]:8000, vlm.example:8000 or *.example"
            .to_owned()
    }
}

value!(AllowedBase, TEXT);

/// How many questions a VLM server takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slots {
    /// Found out by watching it.
    Auto,
    /// As many.
    Fixed(NonZeroU16),
}

impl Written for Slots {
    fn read(text: &str) -> Option<Self> {
        match text.trim() {
            "auto" => Some(Self::Auto),
            number => number.parse().ok().map(Self::Fixed),
        }
    }

    fn allowed() -> String {
        "\"auto\" or a whole number, 1 to 65535".to_owned()
    }
}

value!(Slots, NUMBER);

impl Serialize for Slots {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::Fixed(slots) => to.serialize_u16(slots.get()),
        }
    }
}

/// What is logged: a level, or a filter such as `live_vlm=debug`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogFilter(String);

impl LogFilter {
    /// What is logged unless somebody says otherwise.
    pub fn info() -> Self {
        Self("info".to_owned())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// As the logger takes it.
    ///
    /// # Errors
    /// Never for one that was read.
    pub fn to_env_filter(&self) -> Result<EnvFilter, NotAllowed> {
        env_filter(&self.0).ok_or_else(|| NotAllowed(Self::allowed()))
    }
}

fn env_filter(text: &str) -> Option<EnvFilter> {
    EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(text).ok()
}

impl Written for LogFilter {
    fn read(text: &str) -> Option<Self> {
        env_filter(text).map(|_| Self(text.to_owned()))
    }

    fn allowed() -> String {
        "error, warn, info, debug or trace, or a filter such as live_vlm=debug".to_owned()
    }
}

value!(LogFilter, TEXT);

/// The base address of a VLM server as it was given; blank ones are none.
///
/// On the command line it is checked later, as `clap` repeats what it refuses, and people put
/// passwords into addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    /// The address, if it is not blank.
    pub fn get(&self) -> Option<&str> {
        Some(self.0.trim()).filter(|base| !base.is_empty())
    }
}

impl FromStr for Base {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Endpoint::new(&text, None).map_err(de::Error::custom)?;
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_its_range_is_refused_with_the_range() {
        assert_eq!("30".parse::<Whole<1, 3600>>().unwrap().get(), 30);
        for text in ["0", "3601", "-1", "1.5", "x", ""] {
            let refused = text.parse::<Whole<1, 3600>>().unwrap_err();
            assert_eq!(refused.to_string(), "must be a whole number, 1 to 3600", "{text}");
        }
    }

    #[test]
    fn slots_are_a_number_or_auto() {
        assert_eq!("auto".parse(), Ok(Slots::Auto));
        assert_eq!("8".parse(), Ok(Slots::Fixed(NonZeroU16::new(8).unwrap())));
        assert!("0".parse::<Slots>().is_err() && "many".parse::<Slots>().is_err());
    }

    #[test]
    fn a_network_may_be_a_single_address() {
        assert_eq!("10.0.0.7".parse::<Cidr>().unwrap().0.to_string(), "10.0.0.7/32");
        assert_eq!("2001:db8::/48".parse::<Cidr>().unwrap().0.to_string(), "2001:db8::/48");
        assert!("10.0.0.0/33".parse::<Cidr>().is_err() && "proxy".parse::<Cidr>().is_err());
    }

    #[test]
    fn a_filter_that_the_logger_does_not_take_is_refused() {
        assert!("live_vlm=debug,warn".parse::<LogFilter>().is_ok());
        assert!("live_vlm=loud".parse::<LogFilter>().is_err());
    }
}
