//! A strict reader of deterministic CBOR (RFC 8949, section 4.2): definite lengths, shortest heads, map keys
//! ascending and unique; integers, strings, arrays, maps, booleans and null, no tags and no floats.
//!
//! It borrows its input, allocates nothing and never looks beyond it.

mod fault;
mod fields;

pub use fault::{DecodeError, Fault};
pub use fields::Fields;

/// The largest message that is read.
pub const MAX_BYTES: usize = 1 << 20;
/// How deep arrays and maps may lie in each other.
pub const MAX_DEPTH: u32 = 16;

/// A result of reading.
pub type Result<T> = std::result::Result<T, DecodeError>;

/// The initial byte's major type and the argument that follows it (RFC 8949, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Unsigned(u64),
    Negative(u64),
    Bytes(u64),
    Text(u64),
    Array(u64),
    Map(u64),
    Bool(bool),
    Null,
}

impl Head {
    fn name(self) -> &'static str {
        match self {
            Self::Unsigned(_) => "an unsigned integer",
            Self::Negative(_) => "a negative integer",
            Self::Bytes(_) => "a byte string",
            Self::Text(_) => "a text",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Bool(_) => "a boolean",
            Self::Null => "null",
        }
    }
}

/// What the next item is, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An array.
    Array,
    /// A map.
    Map,
    /// Null.
    Null,
    /// A text.
    Text,
    /// A byte string.
    Bytes,
    /// Anything else.
    Other,
}

/// Reads items one after another.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    data: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of a message.
    ///
    /// # Errors
    /// A message of more than [`MAX_BYTES`].
    pub fn new(data: &'a [u8]) -> Result<Self> {
        if data.len() > MAX_BYTES {
            return Err(DecodeError {
                offset: 0,
                fault: Fault::TooLarge(data.len()),
            });
        }
        Ok(Self { data, offset: 0 })
    }

    /// The byte at which the next item begins.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// How many bytes are left: no array in them has more items.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.data.len().saturating_sub(self.offset)
    }

    /// The end of the message.
    ///
    /// # Errors
    /// Bytes behind it.
    pub fn end(&self) -> Result<()> {
        match self.remaining() {
            0 => Ok(()),
            more => Err(DecodeError {
                offset: self.offset,
                fault: Fault::Trailing(more),
            }),
        }
    }

    /// What the next item is.
    #[must_use]
    pub fn peek(&self) -> Kind {
        match self.data.get(self.offset) {
            Some(0x80..=0x9f) => Kind::Array,
            Some(0xa0..=0xbf) => Kind::Map,
            Some(0xf6) => Kind::Null,
            Some(0x60..=0x7f) => Kind::Text,
            Some(0x40..=0x5f) => Kind::Bytes,
            _ => Kind::Other,
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let slice = self
            .offset
            .checked_add(count)
            .and_then(|end| self.data.get(self.offset..end))
            .ok_or(DecodeError {
                offset: self.offset,
                fault: Fault::Truncated,
            })?;
        self.offset += count;
        Ok(slice)
    }

    fn argument(&mut self, start: usize, width: usize, least: u64) -> Result<u64> {
        let value = self
            .take(width)?
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if value < least {
            return Err(DecodeError {
                offset: start,
                fault: Fault::NotShortest,
            });
        }
        Ok(value)
    }

    fn head(&mut self) -> Result<Head> {
        let start = self.offset;
        let initial = self.take(1)?.first().copied().unwrap_or_default();
        match initial {
            0xf4 => return Ok(Head::Bool(false)),
            0xf5 => return Ok(Head::Bool(true)),
            0xf6 => return Ok(Head::Null),
            0xc0..=0xdb => return Err(wrong(start, "no tag", "a tag")),
            0xf9..=0xfb => return Err(wrong(start, "no float", "a float")),
            0xe0..=0xf3 | 0xf7 | 0xf8 => return Err(wrong(start, "no simple value", "one")),
            _ => {}
        }
        let argument = match initial & 0x1f {
            short @ 0..=23 => u64::from(short),
            24 => self.argument(start, 1, 24)?,
            25 => self.argument(start, 2, 1 << 8)?,
            26 => self.argument(start, 4, 1 << 16)?,
            27 => self.argument(start, 8, 1 << 32)?,
            _ => {
                return Err(DecodeError {
                    offset: start,
                    fault: Fault::Head(initial),
                });
            }
        };
        Ok(match initial >> 5 {
            0 => Head::Unsigned(argument),
            1 => Head::Negative(argument),
            2 => Head::Bytes(argument),
            3 => Head::Text(argument),
            4 => Head::Array(argument),
            5 => Head::Map(argument),
            _ => {
                return Err(DecodeError {
                    offset: start,
                    fault: Fault::Head(initial),
                });
            }
        })
    }

    /// An integer within limits.
    ///
    /// # Errors
    /// Another kind of item, or an integer outside the limits.
    pub fn integer(&mut self, what: &'static str, low: i64, high: i64) -> Result<i64> {
        let start = self.offset;
        let value = match self.head()? {
            Head::Unsigned(value) => i128::from(value),
            Head::Negative(value) => -1 - i128::from(value),
            other => return Err(wrong(start, "an integer", other.name())),
        };
        match i64::try_from(value) {
            Ok(fits) if (low..=high).contains(&fits) => Ok(fits),
            _ => Err(DecodeError {
                offset: start,
                fault: Fault::Range {
                    what,
                    low,
                    high,
                    found: value,
                },
            }),
        }
    }

    /// The schema version at the head of a message.
    ///
    /// # Errors
    /// Another kind of item, or another version than 1.
    pub fn version(&mut self) -> Result<u8> {
        let start = self.offset;
        match self.head()? {
            Head::Unsigned(1) => Ok(1),
            Head::Unsigned(other) => Err(DecodeError {
                offset: start,
                fault: Fault::Version(other),
            }),
            other => Err(wrong(start, "an unsigned integer", other.name())),
        }
    }

    /// A byte string of a length within limits.
    ///
    /// # Errors
    /// Another kind of item, or a length outside the limits.
    pub fn bytes(&mut self, what: &'static str, low: usize, high: usize) -> Result<&'a [u8]> {
        let start = self.offset;
        match self.head()? {
            Head::Bytes(length) => self.content(start, what, length, low, high),
            other => Err(wrong(start, "a byte string", other.name())),
        }
    }

    /// A text of a length in bytes within limits.
    ///
    /// # Errors
    /// Another kind of item, a length outside the limits, or bytes that are not UTF-8.
    pub fn text(&mut self, what: &'static str, low: usize, high: usize) -> Result<&'a str> {
        let start = self.offset;
        match self.head()? {
            Head::Text(length) => {
                let content = self.content(start, what, length, low, high)?;
                std::str::from_utf8(content).map_err(|_| DecodeError {
                    offset: start,
                    fault: Fault::Utf8,
                })
            }
            other => Err(wrong(start, "a text", other.name())),
        }
    }

    fn content(
        &mut self,
        start: usize,
        what: &'static str,
        length: u64,
        low: usize,
        high: usize,
    ) -> Result<&'a [u8]> {
        let length = count(start, what, length, low, high)?;
        self.take(length)
    }

    /// Null.
    ///
    /// # Errors
    /// Anything else.
    pub fn null(&mut self) -> Result<()> {
        let start = self.offset;
        match self.head()? {
            Head::Null => Ok(()),
            other => Err(wrong(start, "null", other.name())),
        }
    }

    /// The head of an array; its items follow.
    ///
    /// # Errors
    /// Another kind of item, or a length outside the limits.
    pub fn array(&mut self, what: &'static str, low: usize, high: usize) -> Result<usize> {
        let start = self.offset;
        match self.head()? {
            Head::Array(length) => count(start, what, length, low, high),
            other => Err(wrong(start, "an array", other.name())),
        }
    }

    /// The head of a map with integer keys; `Fields` reads its entries.
    ///
    /// # Errors
    /// Another kind of item.
    pub fn map(&mut self) -> Result<Fields<'a>> {
        let start = self.offset;
        match self.head()? {
            Head::Map(length) => Ok(Fields::new(length)),
            other => Err(wrong(start, "a map", other.name())),
        }
    }

    /// The head of a map with integer keys and a limited number of entries.
    ///
    /// # Errors
    /// Another kind of item, or more entries.
    pub fn entries(&mut self, what: &'static str, high: usize) -> Result<Fields<'a>> {
        let start = self.offset;
        let entries = self.map()?;
        count(start, what, entries.left(), 0, high)?;
        Ok(entries)
    }

    /// Read over one item, checking all of it.
    ///
    /// # Errors
    /// Anything that is not deterministic CBOR of the allowed kinds, or too deep.
    pub fn skip(&mut self) -> Result<()> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_within(&mut self, depth: u32) -> Result<()> {
        let start = self.offset;
        let head = self.head()?;
        let deeper = || {
            depth.checked_sub(1).ok_or(DecodeError {
                offset: start,
                fault: Fault::TooDeep,
            })
        };
        match head {
            Head::Bytes(length) => self
                .content(start, "length", length, 0, MAX_BYTES)
                .map(|_| ()),
            Head::Text(length) => {
                let content = self.content(start, "length", length, 0, MAX_BYTES)?;
                std::str::from_utf8(content)
                    .map(|_| ())
                    .map_err(|_| DecodeError {
                        offset: start,
                        fault: Fault::Utf8,
                    })
            }
            Head::Array(length) => {
                let depth = deeper()?;
                // A claimed length costs nothing: the first item that is not there ends the loop.
                (0..length).try_for_each(|_| self.skip_within(depth))
            }
            Head::Map(length) => {
                let depth = deeper()?;
                let mut last: &[u8] = &[];
                for _ in 0..length {
                    let key = self.offset;
                    self.skip_within(depth)?;
                    last = self.ascending(key, last)?;
                    self.skip_within(depth)?;
                }
                Ok(())
            }
            Head::Unsigned(_) | Head::Negative(_) | Head::Bool(_) | Head::Null => Ok(()),
        }
    }

    /// The key just read, if it comes after the last one in the order of encoded bytes.
    fn ascending(&self, start: usize, last: &[u8]) -> Result<&'a [u8]> {
        match self.data.get(start..self.offset) {
            Some(key) if key > last => Ok(key),
            _ => Err(DecodeError {
                offset: start,
                fault: Fault::KeyOrder,
            }),
        }
    }
}

/// Check that bytes are one deterministic CBOR item of the allowed kinds.
///
/// # Errors
/// What is wrong, and where.
pub fn check(data: &[u8]) -> Result<()> {
    let mut reader = Reader::new(data)?;
    reader.skip()?;
    reader.end()
}

fn wrong(offset: usize, expected: &'static str, found: &'static str) -> DecodeError {
    DecodeError {
        offset,
        fault: Fault::Type { expected, found },
    }
}

/// A map's key that must not exceed a limit.
pub(crate) fn key_within(offset: usize, what: &'static str, key: u64, high: i64) -> Result<i64> {
    match i64::try_from(key) {
        Ok(key) if key <= high => Ok(key),
        _ => Err(DecodeError {
            offset,
            fault: Fault::Range {
                what,
                low: 0,
                high,
                found: i128::from(key),
            },
        }),
    }
}

fn count(offset: usize, what: &'static str, length: u64, low: usize, high: usize) -> Result<usize> {
    match usize::try_from(length) {
        Ok(length) if (low..=high).contains(&length) => Ok(length),
        _ => Err(DecodeError {
            offset,
            fault: Fault::Range {
                what,
                low: i64::try_from(low).unwrap_or(i64::MAX),
                high: i64::try_from(high).unwrap_or(i64::MAX),
                found: i128::from(length),
            },
        }),
    }
}
