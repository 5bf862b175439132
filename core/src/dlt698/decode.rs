//! Bytes to values.

use super::shape::{Field, Shape, Variant};
use super::{DecodeError, MAX_APDU, MAX_DEPTH, Value};

type Result<T> = std::result::Result<T, DecodeError>;

/// The value of a shape in exactly these bytes.
pub(super) fn decode(bytes: &[u8], shape: &'static Shape) -> Result<Value> {
    let mut reader = Reader {
        bytes,
        offset: 0,
        columns: 0,
    };
    if bytes.len() > MAX_APDU {
        return Err(reader.refuse("at most 65535 bytes", format!("{} bytes", bytes.len())));
    }
    let value = reader.value(shape, MAX_DEPTH)?;
    match reader.remaining() {
        0 => Ok(value),
        more => Err(reader.refuse("the end", format!("{more} more bytes"))),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// The length of the last list of columns.
    columns: usize,
}

impl<'a> Reader<'a> {
    fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    fn refuse(&self, expected: &'static str, found: String) -> DecodeError {
        DecodeError {
            offset: self.offset,
            expected,
            found,
        }
    }

    fn take(&mut self, count: usize, expected: &'static str) -> Result<&'a [u8]> {
        let slice = self
            .offset
            .checked_add(count)
            .and_then(|end| self.bytes.get(self.offset..end))
            .ok_or_else(|| {
                let remaining = self.remaining();
                self.refuse(
                    expected,
                    format!("{remaining} bytes where {count} are needed"),
                )
            })?;
        self.offset += count;
        Ok(slice)
    }

    fn byte(&mut self, expected: &'static str) -> Result<u8> {
        Ok(self.take(1, expected)?.first().copied().unwrap_or_default())
    }

    fn unsigned(&mut self, width: u8, expected: &'static str) -> Result<u64> {
        let bytes = self.take(usize::from(width), expected)?;
        Ok(bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// A length: one byte below 80H, otherwise 80H + n and n bytes.
    fn length(&mut self) -> Result<usize> {
        let start = self.offset;
        let head = self.byte("a length")?;
        let length = match head {
            0..=0x7f => Ok(u64::from(head)),
            0x81..=0x84 => self.unsigned(head & 0x0f, "a length"),
            _ => Err(self.refuse("a length of 1 to 4 bytes", format!("{head:02X}H"))),
        };
        length
            .map(|length| usize::try_from(length).unwrap_or(usize::MAX))
            .map_err(|error| DecodeError {
                offset: start,
                ..error
            })
    }

    /// A number of items, each of which takes a byte at least.
    fn count(&mut self) -> Result<usize> {
        let start = self.offset;
        let count = self.length()?;
        if count > self.remaining() {
            return Err(DecodeError {
                offset: start,
                expected: "no more items than there are bytes",
                found: format!("{count} items in {} bytes", self.remaining()),
            });
        }
        Ok(count)
    }

    fn octets(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        self.take(length, "as many bytes as their length says")
    }

    fn value(&mut self, shape: &'static Shape, depth: u32) -> Result<Value> {
        Ok(match shape {
            Shape::Null => Value::None,
            Shape::Bool => Value::Bool(self.byte("a boolean")? != 0),
            Shape::Unsigned(width) => {
                Value::Integer(i128::from(self.unsigned(*width, "an unsigned integer")?))
            }
            Shape::Signed(width) => {
                let unused = 64 - 8 * u32::from(*width);
                let bits = self.unsigned(*width, "a signed integer")? << unused;
                Value::Integer(i128::from(bits.cast_signed() >> unused))
            }
            Shape::Float32 => {
                let bits = self.unsigned(4, "a float")?;
                Value::Float32(u32::try_from(bits).unwrap_or_default())
            }
            Shape::Float64 => Value::Float64(self.unsigned(8, "a float")?),
            Shape::Fixed(length) => {
                Value::Octets(self.take(*length, "bytes of a fixed number")?.to_vec())
            }
            Shape::Octets => Value::Octets(self.octets()?.to_vec()),
            Shape::Bits => self.bits()?,
            Shape::Visible => Value::Text(self.octets()?.iter().map(|c| char::from(*c)).collect()),
            Shape::Utf8 => self.utf8()?,
            Shape::Sequence(fields) => self.sequence(fields, depth)?,
            Shape::List(item) => self.list(item, depth)?,
            Shape::Columns(item) => {
                let columns = self.list(item, depth)?;
                self.columns = columns.items().map_or(0, <[Value]>::len);
                columns
            }
            Shape::Rows(cell) => self.rows(cell, depth)?,
            Shape::Choice(variants) => self.choice(variants, depth)?,
            Shape::Optional(content) => {
                let start = self.offset;
                match self.byte("0 or 1 before an optional part")? {
                    0 => Value::None,
                    1 => self.value(content, depth)?,
                    other => {
                        return Err(DecodeError {
                            offset: start,
                            expected: "0 or 1 before an optional part",
                            found: format!("{other:02X}H"),
                        });
                    }
                }
            }
        })
    }

    fn bits(&mut self) -> Result<Value> {
        let count = self.length()?;
        let bytes = self.take(count.div_ceil(8), "as many bits as their length says")?;
        let all = bytes
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
        Ok(Value::Text(
            all.take(count)
                .map(|bit| if bit == 0 { '0' } else { '1' })
                .collect(),
        ))
    }

    fn utf8(&mut self) -> Result<Value> {
        let start = self.offset;
        std::str::from_utf8(self.octets()?)
            .map(|text| Value::Text(text.to_owned()))
            .map_err(|error| DecodeError {
                offset: start,
                expected: "UTF-8",
                found: error.to_string(),
            })
    }

    fn sequence(&mut self, fields: &'static [Field], depth: u32) -> Result<Value> {
        let mut record = Vec::with_capacity(fields.len());
        for field in fields {
            record.push((field.name, self.value(field.shape, depth)?));
        }
        Ok(Value::Record(record))
    }

    fn deeper(&self, depth: u32) -> Result<u32> {
        depth
            .checked_sub(1)
            .ok_or_else(|| self.refuse("at most 16 lists in each other", "one more".to_owned()))
    }

    fn list(&mut self, item: &'static Shape, depth: u32) -> Result<Value> {
        let depth = self.deeper(depth)?;
        let count = self.count()?;
        let mut items = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            items.push(self.value(item, depth)?);
        }
        Ok(Value::List(items))
    }

    fn rows(&mut self, cell: &'static Shape, depth: u32) -> Result<Value> {
        let depth = self.deeper(self.deeper(depth)?)?;
        let start = self.offset;
        let count = self.count()?;
        let columns = self.columns;
        if columns == 0 && count > 0 {
            return Err(DecodeError {
                offset: start,
                expected: "no rows where there are no columns",
                found: format!("{count} rows"),
            });
        }
        let mut rows = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let mut row = Vec::with_capacity(columns.min(64));
            for _ in 0..columns {
                row.push(self.value(cell, depth)?);
            }
            rows.push(Value::List(row));
        }
        Ok(Value::List(rows))
    }

    fn choice(&mut self, variants: &'static [Variant], depth: u32) -> Result<Value> {
        let start = self.offset;
        let tag = self.byte("a tag")?;
        match variants.iter().find(|variant| variant.tag == tag) {
            Some(chosen) => Ok(Value::Choice(
                chosen.name,
                Box::new(self.value(chosen.shape, depth)?),
            )),
            None => Err(DecodeError {
                offset: start,
                expected: "a tag this choice has",
                found: format!("{tag:02X}H"),
            }),
        }
    }
}
