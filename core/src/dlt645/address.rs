//! Meter addresses (地址域): six bytes of decimal digits, on the wire low byte first.

use std::fmt;

use super::{Dlt645Error, Fault, Result};

/// The byte that stands for any two digits.
const ANY: u8 = 0xaa;

/// An address, wildcard or broadcast; its text has 12 digits, the high ones first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address([u8; 6]);

impl Address {
    /// Any meter: for reading the address of the only meter on a line.
    pub const WILDCARD: Self = Self([ANY; 6]);
    /// All meters, none of which answers: time sync and freeze only.
    pub const BROADCAST: Self = Self([0x99; 6]);

    /// The address field as it is on the wire, whatever it holds.
    #[must_use]
    pub const fn from_wire(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The address field as it goes on the wire.
    #[must_use]
    pub const fn wire(self) -> [u8; 6] {
        self.0
    }

    /// Read up to 12 digits, the high ones first and 0 where they are missing; AA stands for any two digits.
    ///
    /// # Errors
    /// No or more than 12 characters, or other ones.
    pub fn parse(text: &str) -> Result<Self> {
        Self::padded(text, b'0')
    }

    /// A shortened address (缩位寻址): the low digits, in pairs, and any high ones.
    ///
    /// # Errors
    /// As [`Address::parse`], or an odd number of digits.
    pub fn shortened(text: &str) -> Result<Self> {
        if !text.len().is_multiple_of(2) {
            return Err(refused(0, "an even number of digits", text));
        }
        Self::padded(text, b'A')
    }

    fn padded(text: &str, padding: u8) -> Result<Self> {
        if !(1..=12).contains(&text.len()) {
            return Err(refused(0, "1 to 12 digits", text));
        }
        let mut digits = [padding; 12];
        for (digit, character) in digits.iter_mut().rev().zip(text.bytes().rev()) {
            *digit = character;
        }
        let mut wire = [0; 6];
        for (byte, pair) in wire.iter_mut().rev().zip(digits.chunks_exact(2)) {
            *byte = match pair {
                [high @ b'0'..=b'9', low @ b'0'..=b'9'] => (high - b'0') << 4 | (low - b'0'),
                [b'A' | b'a', b'A' | b'a'] => ANY,
                _ => return Err(refused(0, "decimal digits, or AA for any two", text)),
            };
        }
        Ok(Self(wire))
    }

    /// Whether this is the broadcast address.
    #[must_use]
    pub fn is_broadcast(self) -> bool {
        self == Self::BROADCAST
    }

    /// Whether any digit is open. A reply with such an address deviates: it has to carry the real one.
    #[must_use]
    pub fn has_wildcard(self) -> bool {
        self.0.contains(&ANY)
    }

    /// Whether all digits are decimal, as those of a real meter are.
    #[must_use]
    pub fn is_decimal(self) -> bool {
        self.0.iter().all(|byte| byte >> 4 <= 9 && byte & 0x0f <= 9)
    }

    /// Whether a request to this address is meant for a meter: its own, the broadcast address, or its low digits
    /// with AA in all bytes above them.
    #[must_use]
    pub fn matches(self, meter: Self) -> bool {
        if self.is_broadcast() {
            return true;
        }
        let real = self.0.iter().take_while(|byte| **byte != ANY).count();
        self.0.iter().skip(real).all(|byte| *byte == ANY)
            && self.0.iter().zip(&meter.0).take(real).all(|(a, b)| a == b)
    }
}

fn refused(offset: usize, expected: &'static str, found: &str) -> Dlt645Error {
    Dlt645Error::new(
        offset,
        Fault::Unexpected {
            expected,
            found: format!("{found:?}"),
        },
    )
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .rev()
            .try_for_each(|byte| write!(formatter, "{byte:02X}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}
