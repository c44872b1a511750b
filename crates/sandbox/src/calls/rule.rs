//! When a call is meant by its arguments.

use libc::c_long;

/// Some calls and what they are for.
pub(super) struct Group {
    /// What needs them, or why nothing does.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/security.md has it"))]
    pub(super) why: &'static str,
    /// Which.
    pub(super) calls: &'static [Call],
}

/// A call, with any arguments or with some.
pub(super) struct Call {
    /// Its name, as the C library's header has it.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/security.md names them"))]
    pub(super) name: &'static str,
    /// Its number.
    pub(super) number: c_long,
    /// Any of these is enough; none at all means any arguments.
    pub(super) when: &'static [&'static [Argument]],
}

/// What is demanded of an argument.
#[derive(Clone, Copy)]
pub(super) struct Argument {
    /// Its index, from 0.
    pub(super) index: u8,
    /// Which of its bits count.
    pub(super) bits: u64,
    /// What they must be.
    pub(super) value: Value,
}

#[derive(Clone, Copy)]
pub(super) enum Value {
    Is(u64),
    OwnProcess,
}

/// The call with any arguments.
macro_rules! any {
    ($name:ident) => {
        $crate::calls::rule::only!($name, &[])
    };
}

/// The call where one of these lists of arguments is met.
macro_rules! only {
    ($name:ident, $when:expr $(,)?) => {
        $crate::calls::rule::Call { name: stringify!($name), number: libc::$name, when: $when }
    };
}

pub(super) use {any, only};

/// The argument is this `int`.
pub(super) const fn is(index: u8, value: i32) -> Argument {
    Argument { index, bits: 0xFFFF_FFFF, value: Value::Is(value.cast_unsigned() as u64) }
}

/// These bits of an `int` argument are those.
pub(super) const fn has(index: u8, bits: i32, value: i32) -> Argument {
    let (bits, value) = (bits.cast_unsigned() as u64, value.cast_unsigned() as u64);
    Argument { index, bits, value: Value::Is(value) }
}

/// The argument is a null pointer.
pub(super) const fn null(index: u8) -> Argument {
    Argument { index, bits: u64::MAX, value: Value::Is(0) }
}

/// The argument is the number of this process.
pub(super) const fn own(index: u8) -> Argument {
    Argument { index, bits: 0xFFFF_FFFF, value: Value::OwnProcess }
}
