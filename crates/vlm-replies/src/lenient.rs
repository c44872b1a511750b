//! Reading JSON of foreign servers for what is of use: what has another type than it should says
//! nothing, and costs nothing that is beside it. Unknown fields are passed over unread, however
//! deep. Nothing in here does I/O.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What can be read of any JSON value; one of another type than it should have is the default.
pub trait Lenient<'de>: Sized + Default {
    /// A text.
    fn text(_: Cow<'de, str>) -> Self {
        Self::default()
    }

    /// A number.
    fn number(_: f64) -> Self {
        Self::default()
    }

    /// `true` or `false`.
    fn flag(_: bool) -> Self {
        Self::default()
    }

    /// A list.
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    /// An object.
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// Reads a [`Lenient`].
pub struct As<T>(PhantomData<T>);

impl<T> As<T> {
    /// Reads one value.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for As<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'de, T: Lenient<'de>> DeserializeSeed<'de> for As<T> {
    type Value = T;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Lenient<'de>> Visitor<'de> for As<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text)))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<T, E> {
        Ok(T::flag(flag))
    }

    #[expect(clippy::cast_precision_loss, reason = "who counts that far makes it up")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "who counts that far makes it up")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number))
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::object(object)
    }
}

/// A text, or nothing.
impl<'de> Lenient<'de> for Cow<'de, str> {
    fn text(text: Cow<'de, str>) -> Self {
        text
    }
}

/// A number, also one that is written as a text, or nothing.
impl<'de> Lenient<'de> for Option<f64> {
    fn text(text: Cow<'de, str>) -> Self {
        text.trim().parse().ok()
    }

    fn number(number: f64) -> Self {
        Some(number)
    }
}

/// Whether there is anything: not `null`, not `false`, nothing empty, not zero.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anything(pub(crate) bool);

impl<'de> Lenient<'de> for Anything {
    fn text(text: Cow<'de, str>) -> Self {
        Self(!text.trim().is_empty())
    }

    fn number(number: f64) -> Self {
        Self(number != 0.0)
    }

    fn flag(flag: bool) -> Self {
        Self(flag)
    }

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut any = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            any = true;
        }
        Ok(Self(any))
    }

    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut any = false;
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            any = true;
        }
        Ok(Self(any))
    }
}

/// A flag, if it is one.
#[derive(Default)]
pub(crate) struct Flag(pub(crate) Option<bool>);

impl<'de> Lenient<'de> for Flag {
    fn flag(flag: bool) -> Self {
        Self(Some(flag))
    }
}

/// The name of an object's next field; `None` at its end.
#[inline]
pub fn next_name<'de, A: MapAccess<'de>>(
    object: &mut A,
) -> Result<Option<Cow<'de, str>>, A::Error> {
    object.next_key_seed(As::<Cow<'de, str>>::new())
}

/// The value of the field whose name came last.
#[inline]
pub fn value<'de, T: Lenient<'de>, A: MapAccess<'de>>(object: &mut A) -> Result<T, A::Error> {
    object.next_value_seed(As::<T>::new())
}

/// Passes that value over.
#[inline]
pub fn pass_over<'de, A: MapAccess<'de>>(object: &mut A) -> Result<(), A::Error> {
    object.next_value::<IgnoredAny>().map(drop)
}
