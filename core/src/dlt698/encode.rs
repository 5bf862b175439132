//! Values to bytes.

use super::shape::{Field, Shape, Variant};
use super::{EncodeError, MAX_APDU, MAX_DEPTH, Value};

type Result<T> = std::result::Result<T, EncodeError>;

/// The bytes of a value of a shape.
pub(super) fn encode<S: AsRef<str>>(value: &Value<S>, shape: &'static Shape) -> Result<Vec<u8>> {
    let mut writer = Writer {
        bytes: Vec::with_capacity(64),
        columns: 0,
    };
    writer.value(value, shape, MAX_DEPTH)?;
    if writer.bytes.len() > MAX_APDU {
        return Err(refuse(
            "at most 65535 bytes",
            format!("{} bytes", writer.bytes.len()),
        ));
    }
    Ok(writer.bytes)
}

struct Writer {
    bytes: Vec<u8>,
    columns: usize,
}

fn refuse(expected: impl Into<String>, found: impl Into<String>) -> EncodeError {
    EncodeError {
        path: "value".to_owned(),
        expected: expected.into(),
        found: found.into(),
    }
}

fn wrong<S: AsRef<str>>(expected: &str, found: &Value<S>) -> EncodeError {
    refuse(expected, found.kind())
}

/// The same error seen from one level further out.
fn inside(place: impl std::fmt::Display) -> impl FnOnce(EncodeError) -> EncodeError {
    move |error| {
        let rest = error.path.strip_prefix("value").unwrap_or(&error.path);
        EncodeError {
            path: format!("value{place}{rest}"),
            ..error
        }
    }
}

impl Writer {
    fn unsigned(&mut self, value: u64, width: u8) {
        let bytes = value.to_be_bytes();
        let unused = bytes.len() - usize::from(width).min(bytes.len());
        self.bytes
            .extend_from_slice(bytes.get(unused..).unwrap_or_default());
    }

    fn length(&mut self, length: usize) {
        match length {
            0..=0x7f => self.unsigned(length as u64, 1),
            0x80..=0xff => {
                self.bytes.push(0x81);
                self.unsigned(length as u64, 1);
            }
            0x100..=0xffff => {
                self.bytes.push(0x82);
                self.unsigned(length as u64, 2);
            }
            _ => {
                // Longer than any APDU: the caller refuses the whole.
                self.bytes.push(0x84);
                self.unsigned(length as u64, 4);
            }
        }
    }

    fn octets(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn value<S: AsRef<str>>(
        &mut self,
        value: &Value<S>,
        shape: &'static Shape,
        depth: u32,
    ) -> Result<()> {
        match (shape, value) {
            (Shape::Null, Value::None) => {}
            (Shape::Bool, Value::Bool(state)) => self.bytes.push(u8::from(*state)),
            (Shape::Unsigned(width), Value::Integer(number)) => {
                let bits = 8 * u32::from(*width);
                match u64::try_from(*number) {
                    Ok(fits) if *number >> bits == 0 => self.unsigned(fits, *width),
                    _ => {
                        return Err(refuse(
                            format!("an unsigned integer of {bits} bits"),
                            number.to_string(),
                        ));
                    }
                }
            }
            (Shape::Signed(width), Value::Integer(number)) => {
                let bits = 8 * u32::from(*width);
                let sign = *number >> (bits - 1);
                match i64::try_from(*number) {
                    Ok(fits) if sign == 0 || sign == -1 => {
                        self.unsigned(fits.cast_unsigned(), *width);
                    }
                    _ => {
                        return Err(refuse(
                            format!("a signed integer of {bits} bits"),
                            number.to_string(),
                        ));
                    }
                }
            }
            (Shape::Float32, Value::Float32(bits)) => self.unsigned(u64::from(*bits), 4),
            (Shape::Float32, Value::Float64(bits)) => {
                let wide = f64::from_bits(*bits);
                #[allow(
                    clippy::cast_possible_truncation,
                    reason = "rounding is what is asked for"
                )]
                let narrow = wide as f32;
                if wide.is_finite() && !narrow.is_finite() {
                    return Err(refuse("a float of 32 bits", wide.to_string()));
                }
                self.unsigned(u64::from(narrow.to_bits()), 4);
            }
            (Shape::Float64, Value::Float64(bits)) => self.unsigned(*bits, 8),
            (Shape::Fixed(length), Value::Octets(bytes)) => {
                if bytes.len() != *length {
                    return Err(refuse(
                        format!("{length} bytes"),
                        format!("{} bytes", bytes.len()),
                    ));
                }
                self.bytes.extend_from_slice(bytes);
            }
            (Shape::Octets, Value::Octets(bytes)) => self.octets(bytes),
            (Shape::Bits, Value::Text(text)) => self.bits(text)?,
            (Shape::Visible, Value::Text(text)) => self.visible(text)?,
            (Shape::Utf8, Value::Text(text)) => self.octets(text.as_bytes()),
            (Shape::Sequence(fields), Value::Record(record)) => {
                self.sequence(record, fields, depth)?;
            }
            (Shape::List(item), Value::List(items)) => self.list(items, item, depth)?,
            (Shape::Columns(item), Value::List(items)) => {
                self.list(items, item, depth)?;
                self.columns = items.len();
            }
            (Shape::Rows(cell), Value::List(rows)) => self.rows(rows, cell, depth)?,
            (Shape::Choice(variants), Value::Choice(name, content)) => {
                self.choice(name.as_ref(), content, variants, depth)?;
            }
            (Shape::Optional(_), Value::None) => self.bytes.push(0),
            (Shape::Optional(content), present) => {
                self.bytes.push(1);
                self.value(present, content, depth)?;
            }
            (expected, found) => return Err(wrong(name_of(expected), found)),
        }
        Ok(())
    }

    fn bits(&mut self, text: &str) -> Result<()> {
        if let Some(other) = text.chars().find(|c| !matches!(c, '0' | '1')) {
            return Err(refuse("a text of 0 and 1", format!("{other:?}")));
        }
        self.length(text.len());
        for eight in text.as_bytes().chunks(8) {
            let byte = eight
                .iter()
                .enumerate()
                .fold(0, |byte, (place, bit)| byte | (bit & 1) << (7 - place));
            self.bytes.push(byte);
        }
        Ok(())
    }

    fn visible(&mut self, text: &str) -> Result<()> {
        let bytes = text
            .chars()
            .map(|c| {
                u8::try_from(c).map_err(|_| refuse("characters up to U+00FF", format!("{c:?}")))
            })
            .collect::<Result<Vec<u8>>>()?;
        self.octets(&bytes);
        Ok(())
    }

    fn sequence<S: AsRef<str>>(
        &mut self,
        record: &[(S, Value<S>)],
        fields: &'static [Field],
        depth: u32,
    ) -> Result<()> {
        if let Some((stranger, _)) = record
            .iter()
            .find(|(key, _)| fields.iter().all(|field| field.name != key.as_ref()))
        {
            let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
            return Err(refuse(names.join(", "), format!("{:?}", stranger.as_ref())));
        }
        for field in fields {
            let (_, value) = record
                .iter()
                .find(|(key, _)| key.as_ref() == field.name)
                .ok_or_else(|| refuse(format!("the field {}", field.name), "none"))?;
            self.value(value, field.shape, depth)
                .map_err(inside(format_args!(".{}", field.name)))?;
        }
        Ok(())
    }

    fn list<S: AsRef<str>>(
        &mut self,
        items: &[Value<S>],
        item: &'static Shape,
        depth: u32,
    ) -> Result<()> {
        let depth = deeper(depth)?;
        self.length(items.len());
        for (index, value) in items.iter().enumerate() {
            self.value(value, item, depth)
                .map_err(inside(format_args!("[{index}]")))?;
        }
        Ok(())
    }

    fn rows<S: AsRef<str>>(
        &mut self,
        rows: &[Value<S>],
        cell: &'static Shape,
        depth: u32,
    ) -> Result<()> {
        let depth = deeper(deeper(depth)?)?;
        self.length(rows.len());
        let columns = self.columns;
        for (index, row) in rows.iter().enumerate() {
            let cells = row.items().ok_or_else(|| wrong("a list of cells", row))?;
            if columns == 0 || cells.len() != columns {
                let expected = format!("as many cells as columns ({columns}), at least one");
                return Err(refuse(expected, cells.len().to_string()))
                    .map_err(inside(format_args!("[{index}]")));
            }
            for (column, value) in cells.iter().enumerate() {
                self.value(value, cell, depth)
                    .map_err(inside(format_args!("[{index}][{column}]")))?;
            }
        }
        Ok(())
    }

    fn choice<S: AsRef<str>>(
        &mut self,
        name: &str,
        content: &Value<S>,
        variants: &'static [Variant],
        depth: u32,
    ) -> Result<()> {
        let Some(chosen) = variants.iter().find(|variant| variant.name == name) else {
            let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
            return Err(refuse(
                format!("one of {}", names.join(", ")),
                format!("{name:?}"),
            ));
        };
        self.bytes.push(chosen.tag);
        self.value(content, chosen.shape, depth)
            .map_err(inside(format_args!(".{name}")))
    }
}

fn deeper(depth: u32) -> Result<u32> {
    depth
        .checked_sub(1)
        .ok_or_else(|| refuse("at most 16 lists in each other", "one more"))
}

fn name_of(shape: &Shape) -> &'static str {
    match shape {
        Shape::Null => "nothing",
        Shape::Bool => "a boolean",
        Shape::Unsigned(_) | Shape::Signed(_) => "an integer",
        Shape::Float32 => "a 32-bit float",
        Shape::Float64 => "a 64-bit float",
        Shape::Fixed(_) | Shape::Octets => "bytes",
        Shape::Bits => "a text of 0 and 1",
        Shape::Visible | Shape::Utf8 => "a text",
        Shape::Sequence(_) => "a record",
        Shape::List(_) | Shape::Columns(_) => "a list",
        Shape::Rows(_) => "a list of rows",
        Shape::Choice(_) => "a choice",
        Shape::Optional(_) => "an optional part",
    }
}
