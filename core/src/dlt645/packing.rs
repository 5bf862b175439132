//! Numbers, digits, text and status words in bytes. Lengths have been checked by `Format`.

use super::{Dlt645Error, Fault, Number, Result, bcd};

/// The top bit of a signed number's highest byte.
const SIGN: u8 = 0x80;

pub(super) fn decimal(offset: usize, data: &[u8], decimals: u8, signed: bool) -> Result<Number> {
    let mut mantissa = 0_i64;
    let mut negative = false;
    for (index, byte) in data.iter().enumerate().rev() {
        let mut digits = *byte;
        if signed && index + 1 == data.len() {
            negative = digits & SIGN != 0;
            digits &= !SIGN;
        }
        let pair = bcd::read(offset + index, digits)
            .map_err(|_| Dlt645Error::new(offset + index, Fault::NotBcd(*byte)))?;
        mantissa = mantissa * 100 + i64::from(pair);
    }
    Ok(Number {
        mantissa: if negative { -mantissa } else { mantissa },
        exponent: -i32::from(decimals),
    })
}

pub(super) fn put_decimal(
    offset: usize,
    number: Number,
    bytes: u8,
    decimals: u8,
    signed: bool,
) -> Result<Vec<u8>> {
    let mantissa = scaled(offset, number, decimals)?;
    let digits = u32::from(bytes) * 2;
    let capacity = if signed { 8 } else { 10 } * 10_i64.pow(digits.saturating_sub(1));
    let low = if signed { 1 - capacity } else { 0 };
    if !(low..capacity).contains(&mantissa) {
        return Err(Dlt645Error::new(
            offset,
            Fault::Range {
                what: "a number in units of its last digit",
                low,
                high: capacity - 1,
                found: mantissa,
            },
        ));
    }
    let mut rest = mantissa.unsigned_abs();
    let mut data = Vec::with_capacity(usize::from(bytes));
    for _ in 0..bytes {
        let pair = u8::try_from(rest % 100).unwrap_or_default();
        data.push(((pair / 10) << 4) | (pair % 10));
        rest /= 100;
    }
    if mantissa < 0
        && let Some(top) = data.last_mut()
    {
        *top |= SIGN;
    }
    Ok(data)
}

/// The number in units of 10^-`decimals`, exactly.
fn scaled(offset: usize, number: Number, decimals: u8) -> Result<i64> {
    let Number { mantissa, exponent } = number;
    let shift = exponent.saturating_add(i32::from(decimals));
    let power = 10_i64.checked_pow(shift.unsigned_abs());
    if mantissa == 0 {
        return Ok(0);
    }
    if shift >= 0 {
        return power
            .and_then(|power| mantissa.checked_mul(power))
            .ok_or_else(|| {
                Dlt645Error::new(
                    offset,
                    Fault::Unexpected {
                        expected: "a number of at most 16 digits",
                        found: format!("{mantissa} x 10^{exponent}"),
                    },
                )
            });
    }
    power
        .filter(|power| mantissa % power == 0)
        .map(|power| mantissa / power)
        .ok_or_else(|| {
            Dlt645Error::new(
                offset,
                Fault::Finer {
                    mantissa,
                    exponent,
                    decimals,
                },
            )
        })
}

pub(super) fn put_digits(offset: usize, text: &str, bytes: u8) -> Result<Vec<u8>> {
    let expected = usize::from(bytes) * 2;
    if text.len() != expected || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Dlt645Error::new(
            offset,
            Fault::Unexpected {
                expected: "twice as many decimal digits as bytes",
                found: format!("{text:?} for {bytes} bytes"),
            },
        ));
    }
    let digits: Vec<u8> = text.bytes().map(|digit| digit - b'0').collect();
    let pairs = digits.chunks_exact(2).rev();
    Ok(pairs
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect())
}

pub(super) fn text(offset: usize, data: &[u8]) -> Result<String> {
    let padding = data.iter().take_while(|byte| **byte == 0).count();
    let mut text = String::with_capacity(data.len());
    for (index, byte) in data.iter().enumerate().skip(padding).rev() {
        if !matches!(byte, b' '..=b'~') {
            return Err(Dlt645Error::new(offset + index, Fault::NotAscii(*byte)));
        }
        text.push(char::from(*byte));
    }
    Ok(text)
}

pub(super) fn put_text(offset: usize, text: &str, bytes: u8) -> Result<Vec<u8>> {
    let length = usize::from(bytes);
    let padding = length.checked_sub(text.len()).ok_or_else(|| {
        Dlt645Error::new(
            offset,
            Fault::Length {
                what: "a text, at most",
                expected: length,
                found: text.len(),
            },
        )
    })?;
    let mut data = vec![0; padding];
    for byte in text.bytes().rev() {
        if !matches!(byte, b' '..=b'~') {
            return Err(Dlt645Error::new(offset, Fault::NotAscii(byte)));
        }
        data.push(byte);
    }
    Ok(data)
}

pub(super) fn put_bits(offset: usize, word: u64, bytes: u8) -> Result<Vec<u8>> {
    let (data, beyond) = word
        .to_le_bytes()
        .split_at_checked(usize::from(bytes))
        .map(|(data, beyond)| (data.to_vec(), beyond.to_vec()))
        .unwrap_or_default();
    if data.is_empty() || beyond.iter().any(|byte| *byte != 0) {
        return Err(Dlt645Error::new(
            offset,
            Fault::Unexpected {
                expected: "a status word that fits",
                found: format!("{word:X}H for {bytes} bytes"),
            },
        ));
    }
    Ok(data)
}
