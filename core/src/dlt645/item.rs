//! A data item (数据项): what a data identifier's bytes mean.

use super::{Dlt645Error, Fault, Format, Result, Value, table};

/// One field of an item: its format and unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// In the notation of [`Format`].
    pub format: &'static str,
    /// Empty where there is none.
    pub unit: &'static str,
}

/// A field in a constant.
pub(super) const fn field(format: &'static str, unit: &'static str) -> Field {
    Field { format, unit }
}

/// English and Chinese.
pub(super) type Names = (&'static str, &'static str);

/// What the two low bytes of an identifier count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suffix {
    Nothing,
    /// DI1 is the tariff, DI0 the settlement day.
    Tariff,
    /// DI1 is the phase, 0 the total.
    Phase,
    /// DI0 counts back from the last one.
    Last,
    /// DI0 is a number.
    Numbered,
}

/// An item of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// DI3 DI2 DI1 DI0, DI3 in the highest byte.
    pub identifier: u32,
    /// The fields of one element.
    pub fields: &'static [Field],
    /// Whether the elements repeat as often as the meter has them (tariffs, phases, settlement days).
    pub repeats: bool,
    pub(super) prefix: Names,
    pub(super) base: Names,
    pub(super) suffix: Suffix,
}

impl Item {
    /// The item of an identifier, if the table knows it.
    #[must_use]
    pub fn find(identifier: u32) -> Option<Self> {
        table::find(identifier)
    }

    /// Its English name.
    #[must_use]
    pub fn name(&self) -> String {
        let [low, middle, ..] = self.identifier.to_le_bytes();
        let suffix = match (self.suffix, middle) {
            (Suffix::Tariff | Suffix::Phase, 0) => " total".to_owned(),
            (Suffix::Tariff | Suffix::Phase, 0xff) => " block".to_owned(),
            (Suffix::Tariff, tariff) => format!(" tariff {tariff}"),
            (Suffix::Phase, 1) => " phase A".to_owned(),
            (Suffix::Phase, 2) => " phase B".to_owned(),
            (Suffix::Phase, _) => " phase C".to_owned(),
            (Suffix::Last, _) => format!(", {low} back"),
            (Suffix::Numbered, _) if low == 0xff => " block".to_owned(),
            (Suffix::Numbered, _) => format!(" {low}"),
            (Suffix::Nothing, _) => String::new(),
        };
        let day = match (self.suffix, low) {
            (Suffix::Tariff, 1..=0xfe) => format!(", settlement day {low} back"),
            (Suffix::Tariff, 0xff) => ", all settlement days".to_owned(),
            _ => String::new(),
        };
        format!("{}{}{suffix}{day}", self.prefix.0, self.base.0)
    }

    /// Its Chinese name.
    #[must_use]
    pub fn chinese(&self) -> String {
        let [low, middle, ..] = self.identifier.to_le_bytes();
        let day = match (self.suffix, low) {
            (Suffix::Tariff, 0) => "当前".to_owned(),
            (Suffix::Tariff, 0xff) => "全部结算日".to_owned(),
            (Suffix::Tariff, _) => format!("上{low}结算日"),
            (Suffix::Last, _) => format!("上{low}次"),
            _ => String::new(),
        };
        let suffix = match (self.suffix, middle) {
            (Suffix::Tariff | Suffix::Phase, 0) => "（总）".to_owned(),
            (Suffix::Tariff, 1) => "（尖）".to_owned(),
            (Suffix::Tariff, 2) => "（峰）".to_owned(),
            (Suffix::Tariff, 3) => "（平）".to_owned(),
            (Suffix::Tariff, 4) => "（谷）".to_owned(),
            (Suffix::Tariff | Suffix::Phase, 0xff) => "数据块".to_owned(),
            (Suffix::Tariff, tariff) => format!("（费率{tariff}）"),
            (Suffix::Phase, 1) => "（A相）".to_owned(),
            (Suffix::Phase, 2) => "（B相）".to_owned(),
            (Suffix::Phase, _) => "（C相）".to_owned(),
            (Suffix::Numbered, _) if low == 0xff => "数据块".to_owned(),
            (Suffix::Numbered, _) => low.to_string(),
            (Suffix::Nothing | Suffix::Last, _) => String::new(),
        };
        format!("{day}{}{}{suffix}", self.prefix.1, self.base.1)
    }

    /// The formats of one element.
    ///
    /// # Errors
    /// None that a test of the whole table has not excluded.
    pub fn formats(&self) -> Result<Vec<Format>> {
        self.fields
            .iter()
            .map(|field| field.format.parse())
            .collect()
    }

    /// The values in the data behind an identifier: those of one element behind those of the other.
    ///
    /// # Errors
    /// Another length than the fields have, or bytes that are not what a field's format says.
    pub fn decode(&self, data: &[u8]) -> Result<Vec<Value>> {
        decode_fields(&self.formats()?, self.repeats, data)
    }

    /// The inverse of [`Item::decode`].
    ///
    /// # Errors
    /// Another number of values than the fields have, or a value that its format can't hold.
    pub fn encode(&self, values: &[Value]) -> Result<Vec<u8>> {
        encode_fields(&self.formats()?, self.repeats, values)
    }
}

/// The values of fields, which repeat until the data end or come once.
///
/// # Errors
/// Another length than the fields have, or bytes that are not what a field's format says.
pub fn decode_fields(formats: &[Format], repeats: bool, data: &[u8]) -> Result<Vec<Value>> {
    let fixed: usize = formats.iter().filter_map(Format::length).sum();
    let open = formats
        .iter()
        .filter(|format| format.length().is_none())
        .count();
    let element = match open {
        0 => fixed,
        1 if !repeats && data.len() >= fixed => data.len(),
        1 if !repeats => fixed,
        _ => return Err(ambiguous(formats)),
    };
    let whole = element > 0 && !data.is_empty() && data.len().is_multiple_of(element);
    if repeats && !whole {
        return Err(Dlt645Error::new(
            0,
            Fault::Block {
                element,
                found: data.len(),
            },
        ));
    }
    if !repeats && data.len() != element {
        return Err(Dlt645Error::new(
            0,
            Fault::Length {
                what: "the value",
                expected: element,
                found: data.len(),
            },
        ));
    }
    let mut values = Vec::new();
    let mut rest = data;
    let mut offset = 0;
    loop {
        for format in formats {
            let length = format.length().unwrap_or(data.len().saturating_sub(fixed));
            let Some((field, behind)) = rest.split_at_checked(length) else {
                return Ok(values);
            };
            values.push(format.read(offset, field)?);
            offset += length;
            rest = behind;
        }
        if rest.is_empty() {
            return Ok(values);
        }
    }
}

/// The inverse of [`decode_fields`].
///
/// # Errors
/// Another number of values than the fields have, or a value that its format can't hold.
pub fn encode_fields(formats: &[Format], repeats: bool, values: &[Value]) -> Result<Vec<u8>> {
    let fields = formats.len();
    let open = formats
        .iter()
        .filter(|format| format.length().is_none())
        .count();
    if open > usize::from(!repeats) {
        return Err(ambiguous(formats));
    }
    let whole = fields > 0 && !values.is_empty() && values.len().is_multiple_of(fields);
    if !whole || (!repeats && values.len() != fields) {
        return Err(Dlt645Error::new(
            0,
            Fault::Unexpected {
                expected: if repeats {
                    "one or more values for every field"
                } else {
                    "one value for every field"
                },
                found: format!("{} values for {fields} fields", values.len()),
            },
        ));
    }
    let mut data = Vec::new();
    for (format, value) in formats.iter().cycle().zip(values) {
        data.extend(format.write(data.len(), value)?);
    }
    Ok(data)
}

fn ambiguous(formats: &[Format]) -> Dlt645Error {
    let texts: Vec<String> = formats.iter().map(ToString::to_string).collect();
    Dlt645Error::new(
        0,
        Fault::Unexpected {
            expected: "at most one format without a length, in fields that do not repeat",
            found: texts.join(" "),
        },
    )
}
