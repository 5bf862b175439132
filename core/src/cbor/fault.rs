//! What can be wrong with a message.

use thiserror::Error;

use super::{MAX_BYTES, MAX_DEPTH};

/// Why bytes were refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("byte {offset}: {fault}")]
pub struct DecodeError {
    /// The byte at which it showed.
    pub offset: usize,
    /// What was wrong.
    pub fault: Fault,
}

/// What can be wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// More bytes than are read.
    #[error("expected at most {MAX_BYTES} bytes, got {0}")]
    TooLarge(usize),
    /// The message ends inside an item.
    #[error("the message ends inside an item")]
    Truncated,
    /// Bytes behind the end of the message.
    #[error("{0} bytes behind the end of the message")]
    Trailing(usize),
    /// An integer or length that has a shorter form.
    #[error("an integer or length is not in its shortest form")]
    NotShortest,
    /// An indefinite length, or a head RFC 8949 reserves.
    #[error("an indefinite length or reserved head (0x{0:02x})")]
    Head(u8),
    /// Map keys that don't ascend.
    #[error("map keys are not in ascending order, or one comes twice")]
    KeyOrder,
    /// Arrays and maps too deep in each other.
    #[error("arrays and maps lie more than {MAX_DEPTH} deep in each other")]
    TooDeep,
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
    /// An item of another kind than the schema has there.
    #[error("expected {expected}, got {found}")]
    Type {
        /// What the schema has there.
        expected: &'static str,
        /// What was found.
        found: &'static str,
    },
    /// A value outside its limits.
    #[error("{what}: expected {low} to {high}, got {found}")]
    Range {
        /// Which value.
        what: &'static str,
        /// The least value allowed.
        low: i64,
        /// The greatest value allowed.
        high: i64,
        /// The value found, as text since it may not fit 64 bits.
        found: i128,
    },
    /// A key the schema requires.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A message of a schema version this decoder does not know.
    #[error("schema version {0}: this decoder reads version 1")]
    Version(u64),
    /// A relation between fields that does not hold.
    #[error("{0}")]
    Inconsistent(&'static str),
}
