//! Packed decimal digits, two in a byte.

use super::{Dlt645Error, Fault, Result};

/// The number 0..=99 in one byte.
pub(super) fn read(offset: usize, byte: u8) -> Result<u8> {
    match (byte >> 4, byte & 0x0f) {
        (high @ 0..=9, low @ 0..=9) => Ok(high * 10 + low),
        _ => Err(Dlt645Error::new(offset, Fault::NotBcd(byte))),
    }
}

/// The byte of a number 0..=99.
pub(super) fn write(offset: usize, what: &'static str, number: u8) -> Result<u8> {
    match number {
        0..=99 => Ok(((number / 10) << 4) | (number % 10)),
        _ => Err(Dlt645Error::new(
            offset,
            Fault::Range {
                what,
                low: 0,
                high: 99,
                found: i64::from(number),
            },
        )),
    }
}

/// The digits of bytes that come low byte first, high digit first.
pub(super) fn digits(start: usize, data: &[u8]) -> Result<String> {
    let mut text = String::with_capacity(data.len() * 2);
    for (index, byte) in data.iter().enumerate().rev() {
        read(start + index, *byte)?;
        text.push(char::from(b'0' + (byte >> 4)));
        text.push(char::from(b'0' + (byte & 0x0f)));
    }
    Ok(text)
}
