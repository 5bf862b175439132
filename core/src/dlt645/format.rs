//! How one field is encoded, in the standard's own notation where it has one.
//!
//! | text | meaning |
//! |---|---|
//! | `XXXXXX.XX` | decimal digits (BCD), a point where the decimals begin |
//! | `±XX.XXXX` | the same, signed: the top bit of the highest byte says that it is negative |
//! | `YYMMDDhhmm` | a date or time, of any of `YY MM DD WW hh mm ss` |
//! | `digits:6` | digits whose leading zeros count, 6 bytes |
//! | `ascii:32` | text; arrives reversed and padded with NUL at its end |
//! | `bits:2` | a status word, low byte first |
//! | `raw` | all bytes that are left |

use std::fmt;
use std::str::FromStr;

use super::packing::{decimal, put_bits, put_decimal, put_digits, put_text, text};
use super::{Dlt645Error, Fault, Layout, Result, Value, bcd};

/// The encoding of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// A decimal number.
    Decimal {
        /// Its length in bytes, 1 to 8.
        bytes: u8,
        /// How many of the digits are decimals.
        decimals: u8,
        /// Whether the top bit is the sign.
        signed: bool,
    },
    /// A date or time.
    Moment(Layout),
    /// Digits, 1 to 16 bytes.
    Digits(u8),
    /// Text, 1 to 64 bytes.
    Ascii(u8),
    /// A status word, 1 to 8 bytes.
    Bits(u8),
    /// All that is left.
    Raw,
}

impl Format {
    /// The number of bytes; None: all that are left.
    #[must_use]
    pub fn length(&self) -> Option<usize> {
        match self {
            Self::Decimal { bytes, .. }
            | Self::Digits(bytes)
            | Self::Ascii(bytes)
            | Self::Bits(bytes) => Some(usize::from(*bytes)),
            Self::Moment(layout) => Some(layout.length()),
            Self::Raw => None,
        }
    }

    /// Refuse lengths beyond what the kind can hold.
    fn check(&self, offset: usize) -> Result<()> {
        let (found, high) = match self {
            Self::Decimal { bytes, .. } | Self::Bits(bytes) => (*bytes, 8),
            Self::Digits(bytes) => (*bytes, 16),
            Self::Ascii(bytes) => (*bytes, 64),
            Self::Moment(_) | Self::Raw => return Ok(()),
        };
        if (1..=high).contains(&found) {
            return Ok(());
        }
        Err(Dlt645Error::new(
            offset,
            Fault::Range {
                what: "the length of a format",
                low: 1,
                high: i64::from(high),
                found: i64::from(found),
            },
        ))
    }

    /// Read the field from exactly its bytes, which begin at `offset`.
    pub(super) fn read(&self, offset: usize, data: &[u8]) -> Result<Value> {
        self.check(offset)?;
        match self {
            Self::Decimal {
                decimals, signed, ..
            } => decimal(offset, data, *decimals, *signed).map(Value::Number),
            Self::Moment(layout) => layout.read(offset, data).map(Value::Moment),
            Self::Digits(_) => bcd::digits(offset, data).map(Value::Text),
            Self::Ascii(_) => text(offset, data).map(Value::Text),
            Self::Bits(_) => Ok(Value::Bits(
                data.iter()
                    .rev()
                    .fold(0, |word, byte| word << 8 | u64::from(*byte)),
            )),
            Self::Raw => Ok(Value::Raw(data.to_vec())),
        }
    }

    /// The bytes of a value, which will begin at `offset`.
    pub(super) fn write(&self, offset: usize, value: &Value) -> Result<Vec<u8>> {
        self.check(offset)?;
        match (self, value) {
            (
                Self::Decimal {
                    bytes,
                    decimals,
                    signed,
                },
                Value::Number(number),
            ) => put_decimal(offset, *number, *bytes, *decimals, *signed),
            (Self::Moment(layout), Value::Moment(moment)) => layout.write(offset, moment),
            (Self::Digits(bytes), Value::Text(text)) => put_digits(offset, text, *bytes),
            (Self::Ascii(bytes), Value::Text(text)) => put_text(offset, text, *bytes),
            (Self::Bits(bytes), Value::Bits(word)) => put_bits(offset, *word, *bytes),
            (Self::Raw, Value::Raw(data)) => Ok(data.clone()),
            (_, other) => Err(Dlt645Error::new(
                offset,
                Fault::Unexpected {
                    expected: "a value of the kind that the format has",
                    found: format!("format {self} and {other:?}"),
                },
            )),
        }
    }
}

impl FromStr for Format {
    type Err = Dlt645Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = match text.split_once(':') {
            Some(("digits", length)) => sized(length, 16).map(Self::Digits),
            Some(("ascii", length)) => sized(length, 64).map(Self::Ascii),
            Some(("bits", length)) => sized(length, 8).map(Self::Bits),
            Some(_) => None,
            None if text == "raw" => Some(Self::Raw),
            None => number(text).or_else(|| Layout::parse(text).map(Self::Moment)),
        };
        parsed.ok_or_else(|| {
            Dlt645Error::new(
                0,
                Fault::Unexpected {
                    expected: "a format such as XXX.X, ±XX.XXXX, YYMMDDhhmm, digits:6, ascii:32, bits:2 or raw",
                    found: format!("{text:?}"),
                },
            )
        })
    }
}

fn sized(text: &str, most: u8) -> Option<u8> {
    text.parse()
        .ok()
        .filter(|length| (1..=most).contains(length))
}

fn number(text: &str) -> Option<Format> {
    let (signed, digits) = match text.strip_prefix('±') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (digits, ""),
    };
    let count = whole.len() + fraction.len();
    let only = whole
        .bytes()
        .chain(fraction.bytes())
        .all(|byte| byte == b'X');
    if !only || whole.is_empty() || !count.is_multiple_of(2) || !(2..=16).contains(&count) {
        return None;
    }
    Some(Format::Decimal {
        bytes: u8::try_from(count / 2).ok()?,
        decimals: u8::try_from(fraction.len()).ok()?,
        signed,
    })
}

/// Formats from their texts.
///
/// # Errors
/// The first text that is not a format.
pub fn formats<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Format>> {
    texts.into_iter().map(str::parse).collect()
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal {
                bytes,
                decimals,
                signed,
            } => {
                let fraction = usize::from(*decimals);
                let whole = (usize::from(*bytes) * 2).saturating_sub(fraction);
                let sign = if *signed { "±" } else { "" };
                write!(formatter, "{sign}{}", "X".repeat(whole))?;
                if fraction > 0 {
                    write!(formatter, ".{}", "X".repeat(fraction))?;
                }
                Ok(())
            }
            Self::Moment(layout) => layout.fmt(formatter),
            Self::Digits(bytes) => write!(formatter, "digits:{bytes}"),
            Self::Ascii(bytes) => write!(formatter, "ascii:{bytes}"),
            Self::Bits(bytes) => write!(formatter, "bits:{bytes}"),
            Self::Raw => formatter.write_str("raw"),
        }
    }
}
