//! Who may change a meter, and the baud rates: small parts of several messages.

use super::cursor::Cursor;
use super::{Dlt645Error, Fault, Result};

/// A password with its level (PA P0 P1 P2), as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Password {
    /// PA, the level; 0 is the highest.
    pub level: u8,
    /// P0 P1 P2.
    pub digits: [u8; 3],
}

/// Who may change something: password and operator code (C0..C3), as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority {
    /// The password.
    pub password: Password,
    /// The operator's code (操作者代码).
    pub operator: [u8; 4],
}

/// A baud rate that the protocol can name (通信速率特征字).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Baud(u8);

impl Baud {
    const RATES: [(u32, u8); 6] = [
        (600, 0x02),
        (1200, 0x04),
        (2400, 0x08),
        (4800, 0x10),
        (9600, 0x20),
        (19200, 0x40),
    ];

    /// From bits a second.
    ///
    /// # Errors
    /// Another rate than 600, 1200, 2400, 4800, 9600 or 19200.
    pub fn new(rate: u32) -> Result<Self> {
        let known = Self::RATES.iter().find(|(known, _)| *known == rate);
        known.map(|(_, word)| Self(*word)).ok_or_else(|| {
            unexpected(
                0,
                "600, 1200, 2400, 4800, 9600 or 19200 bits a second",
                rate.to_string(),
            )
        })
    }

    /// Bits a second.
    #[must_use]
    pub fn rate(self) -> u32 {
        let known = Self::RATES.iter().find(|(_, word)| *word == self.0);
        known.map_or(0, |(rate, _)| *rate)
    }

    /// The characteristic byte.
    #[must_use]
    pub fn word(self) -> u8 {
        self.0
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let offset = cursor.offset();
        let found = cursor.byte("the baud characteristic")?;
        if Self::RATES.iter().any(|(_, word)| *word == found) {
            return Ok(Self(found));
        }
        Err(unexpected(
            offset,
            "a baud characteristic with one of the bits 1 to 6",
            format!("{found:02X}H"),
        ))
    }
}

pub(super) fn authority(cursor: &mut Cursor<'_>) -> Result<Authority> {
    Ok(Authority {
        password: password(cursor)?,
        operator: cursor.array("the operator code")?,
    })
}

pub(super) fn password(cursor: &mut Cursor<'_>) -> Result<Password> {
    Ok(Password {
        level: cursor.byte("the password level")?,
        digits: cursor.array("the password")?,
    })
}

pub(super) fn put_authority(data: &mut Vec<u8>, authority: Authority) {
    put_password(data, authority.password);
    data.extend(authority.operator);
}

pub(super) fn put_password(data: &mut Vec<u8>, password: Password) {
    data.push(password.level);
    data.extend(password.digits);
}

pub(super) fn unexpected(offset: usize, expected: &'static str, found: String) -> Dlt645Error {
    Dlt645Error::new(offset, Fault::Unexpected { expected, found })
}
