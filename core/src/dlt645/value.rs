//! What a field's bytes say.

use super::Moment;

/// An exact decimal number: `mantissa` x 10^`exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// The digits, with their sign.
    pub mantissa: i64,
    /// The power of ten; 0 or negative when it comes from a meter.
    pub exponent: i32,
}

/// The value of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A decimal number.
    Number(Number),
    /// A date or time.
    Moment(Moment),
    /// Digits whose leading zeros count, such as a meter number, or text.
    Text(String),
    /// A status word: bit 0 is bit 0 of the first byte on the wire.
    Bits(u64),
    /// Bytes whose layout is not known here, as on the wire.
    Raw(Vec<u8>),
}
