//! What is wrong with bytes or values, and where.

use thiserror::Error;

/// Bytes that are not what DL/T 645 says, or a value that can't be put into them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("byte {offset}: {fault}")]
pub struct Dlt645Error {
    /// The byte at which it showed, counted in the data that were given (in text: the character).
    pub offset: usize,
    /// What was expected and what came.
    pub fault: Fault,
}

impl Dlt645Error {
    pub(crate) fn new(offset: usize, fault: Fault) -> Self {
        Self { offset, fault }
    }
}

/// What was expected and what came.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// Too few or too many bytes.
    #[error("expected {expected} bytes for {what}, got {found}")]
    Length {
        /// Of what.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A block whose length is not a whole number of its elements.
    #[error("expected one or more elements of {element} bytes, got {found} bytes")]
    Block {
        /// The length of an element.
        element: usize,
        /// The length of the block.
        found: usize,
    },
    /// A nibble above 9 where decimal digits belong.
    #[error("expected two decimal digits (BCD), got {0:02X}H")]
    NotBcd(u8),
    /// A byte that is not printable ASCII where text belongs.
    #[error("expected printable ASCII padded with NUL at its end, got {0:02X}H")]
    NotAscii(u8),
    /// A control code that DL/T 645-2007 does not have.
    #[error("control code {control:02X}H: {reason}")]
    Control {
        /// The code.
        control: u8,
        /// Why it is refused.
        reason: &'static str,
    },
    /// A number outside its limits.
    #[error("expected {what} from {low} to {high}, got {found}")]
    Range {
        /// Of what.
        what: &'static str,
        /// Least.
        low: i64,
        /// Greatest.
        high: i64,
        /// What came.
        found: i64,
    },
    /// A decimal number with more decimals than the format holds.
    #[error("{mantissa} x 10^{exponent} has more than {decimals} decimals")]
    Finer {
        /// The digits.
        mantissa: i64,
        /// The power of ten they are multiplied by.
        exponent: i32,
        /// What the format holds.
        decimals: u8,
    },
    /// Anything else that is not what it should be.
    #[error("expected {expected}, got {found}")]
    Unexpected {
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
}
