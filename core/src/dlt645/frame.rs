//! The link frame: `68 A0..A5 68 C L DATA CS 16` behind a preamble of FE bytes (前导字节).

use super::{Address, Dlt645Error, Fault, Result};

pub(super) const START: u8 = 0x68;
pub(super) const END: u8 = 0x16;
pub(super) const PREAMBLE: u8 = 0xfe;
/// Added to every byte of DATA by the sender.
const OFFSET: u8 = 0x33;
/// From the first start byte to the length.
pub(super) const HEADER: usize = 10;
/// The checksum and the end byte.
pub(super) const TAIL: usize = 2;
/// The most data bytes that the length byte can tell.
pub const MAX_LENGTH: usize = 255;

/// The control code (控制码).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Control(pub u8);

impl Control {
    const FROM_METER: u8 = 0x80;
    const ABNORMAL: u8 = 0x40;
    const MORE: u8 = 0x20;

    /// A request of a function.
    #[must_use]
    pub const fn request(function: u8) -> Self {
        Self(function & 0x1f)
    }

    /// A normal reply, with or without more frames to fetch by [`super::function::READ_NEXT`].
    #[must_use]
    pub const fn reply(function: u8, more: bool) -> Self {
        Self(Self::FROM_METER | (function & 0x1f) | if more { Self::MORE } else { 0 })
    }

    /// An abnormal reply.
    #[must_use]
    pub const fn refusal(function: u8) -> Self {
        Self(Self::FROM_METER | Self::ABNORMAL | (function & 0x1f))
    }

    /// D7: the meter sent it.
    #[must_use]
    pub const fn from_meter(self) -> bool {
        self.0 & Self::FROM_METER != 0
    }

    /// D6: an abnormal reply.
    #[must_use]
    pub const fn abnormal(self) -> bool {
        self.0 & Self::ABNORMAL != 0
    }

    /// D5: more frames follow.
    #[must_use]
    pub const fn more(self) -> bool {
        self.0 & Self::MORE != 0
    }

    /// D4..D0: the function.
    #[must_use]
    pub const fn function(self) -> u8 {
        self.0 & 0x1f
    }
}

/// A frame with its data as they are meant: the offset of 33H is removed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Whom it is to, or from.
    pub address: Address,
    /// Direction, kind and function.
    pub control: Control,
    /// At most [`MAX_LENGTH`] bytes.
    pub data: Vec<u8>,
}

impl Frame {
    /// The bytes on the wire. A master sends four preamble bytes.
    ///
    /// # Errors
    /// More than [`MAX_LENGTH`] data bytes.
    pub fn encode(&self, preamble: usize) -> Result<Vec<u8>> {
        let length = u8::try_from(self.data.len()).map_err(|_| {
            Dlt645Error::new(
                MAX_LENGTH,
                Fault::Length {
                    what: "the data of a frame, at most",
                    expected: MAX_LENGTH,
                    found: self.data.len(),
                },
            )
        })?;
        let mut bytes = Vec::with_capacity(preamble + HEADER + self.data.len() + TAIL);
        bytes.resize(preamble, PREAMBLE);
        bytes.push(START);
        bytes.extend_from_slice(&self.address.wire());
        bytes.extend_from_slice(&[START, self.control.0, length]);
        bytes.extend(self.data.iter().map(|byte| byte.wrapping_add(OFFSET)));
        let sum = bytes.get(preamble..).map_or(0, checksum);
        bytes.extend_from_slice(&[sum, END]);
        Ok(bytes)
    }

    /// The frame in bytes whose start bytes, length, checksum and end have been found right.
    pub(super) fn from_checked(header: [u8; HEADER], data: &[u8]) -> Self {
        let [_, a0, a1, a2, a3, a4, a5, _, control, _] = header;
        Self {
            address: Address::from_wire([a0, a1, a2, a3, a4, a5]),
            control: Control(control),
            data: data.iter().map(|byte| byte.wrapping_sub(OFFSET)).collect(),
        }
    }
}

/// The sum of bytes modulo 256.
pub(super) fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
