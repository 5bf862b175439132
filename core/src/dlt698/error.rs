//! What can be wrong with a frame, a fragment or an APDU.

use thiserror::Error;

/// Why bytes are not a frame, or a frame can't be encoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Bytes that no frame begins in.
    #[error("expected the start byte 68H")]
    Start,
    /// The header check does not fit.
    #[error("header check HCS: expected {expected:04X}H, got {found:04X}H")]
    HeaderCheck {
        /// The CRC of the header.
        expected: u16,
        /// The check in the frame.
        found: u16,
    },
    /// A length that no frame with this header can have, or above the limit.
    #[error("length L: expected {least} to {most} bytes, got {found}")]
    Length {
        /// The least length the header allows.
        least: usize,
        /// The greatest length that is read.
        most: usize,
        /// The length in the frame.
        found: usize,
    },
    /// The frame check does not fit.
    #[error("frame check FCS: expected {expected:04X}H, got {found:04X}H")]
    FrameCheck {
        /// The CRC of the frame.
        expected: u16,
        /// The check in the frame.
        found: u16,
    },
    /// The last byte is another.
    #[error("expected the end byte 16H, got {0:02X}H")]
    End(u8),
    /// The bytes end inside a frame.
    #[error("the bytes end inside a frame")]
    Truncated,
    /// Bytes behind the frame.
    #[error("{0} bytes behind the frame")]
    Trailing(usize),
    /// An address that no frame can carry.
    #[error(
        "expected 1 to 16 address bytes and a logical address of 0 to 3, got {length} and {logical}"
    )]
    Address {
        /// The logical address.
        logical: u8,
        /// The number of bytes.
        length: usize,
    },
    /// Too much user data for the length field, or not a whole number of kilobytes where it counts these.
    #[error("a frame of {length} bytes can't be encoded with its length in {unit}")]
    TooLong {
        /// What L would have to be, in bytes.
        length: usize,
        /// The unit of the length field.
        unit: &'static str,
    },
}

/// Why a fragment was refused; the pieces collected so far are kept unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FragmentError {
    /// The frame's fragment bit is not set.
    #[error("not a fragment: control field {0:02X}H")]
    NotAFragment(u8),
    /// Too few bytes for the fragment header.
    #[error("expected the 2 bytes of the fragment header, got {0}")]
    Header(usize),
    /// A number above 4095.
    #[error("fragment number {0}: expected 0 to 4095")]
    Number(u16),
    /// A middle or last piece without a first one, or of another conversation.
    #[error("fragment {0} belongs to no message that was begun")]
    NotBegun(u16),
    /// Another number than the next one.
    #[error("expected fragment {expected}, got {found}")]
    Sequence {
        /// The next number.
        expected: u16,
        /// The number that came.
        found: u16,
    },
    /// More than is collected; the message was given up.
    #[error("expected a message of at most {most} bytes, got {found}")]
    TooLarge {
        /// The limit.
        most: usize,
        /// The bytes so far.
        found: usize,
    },
    /// Pieces too small to carry anything, or so small that their numbers would not suffice.
    #[error("{length} bytes can't be sent in pieces of {size} bytes")]
    Split {
        /// The bytes to be sent.
        length: usize,
        /// The size of a piece.
        size: usize,
    },
    /// A piece that makes no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Why bytes are not an APDU.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("byte {offset}: expected {expected}, got {found}")]
pub struct DecodeError {
    /// The byte at which it showed.
    pub offset: usize,
    /// What the grammar has there.
    pub expected: &'static str,
    /// What was found.
    pub found: String,
}

/// Why a value is not an APDU.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: expected {expected}, got {found}")]
pub struct EncodeError {
    /// Where, from the outside in.
    pub path: String,
    /// What the grammar has there.
    pub expected: String,
    /// What was found.
    pub found: String,
}
