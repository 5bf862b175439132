//! Columns: n values as one value that stands for all, as runs `{first row: value}`, as an array, or packed.
//! A column that is absent is 0 in every row.

use crate::cbor::{DecodeError, Fault, Fields, Kind, Reader, Result};

/// Read n values of a column, each entry by `read`.
pub(super) fn read_column<'a, T: Clone>(
    reader: &mut Reader<'a>,
    rows: usize,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    match reader.peek() {
        Kind::Array => {
            reader.array("length of a column", rows, rows)?;
            let mut values = Vec::with_capacity(rows);
            for _ in 0..rows {
                values.push(read(reader)?);
            }
            Ok(values)
        }
        Kind::Map => read_runs(reader, rows, read),
        _ => Ok(vec![read(reader)?; rows]),
    }
}

fn read_runs<'a, T: Clone>(
    reader: &mut Reader<'a>,
    rows: usize,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let offset = reader.offset();
    let fault = |fault| DecodeError { offset, fault };
    let mut runs = reader.map()?;
    let mut values: Vec<T> = Vec::with_capacity(rows);
    let mut value: Option<T> = None;
    while let Some(row) = runs.next(reader)? {
        let row = usize::try_from(row).unwrap_or(usize::MAX);
        if row >= rows {
            return Err(fault(Fault::Inconsistent(
                "a run begins behind the last row",
            )));
        }
        if let Some(value) = value.take() {
            values.resize(row, value);
        } else if row != 0 {
            return Err(fault(Fault::Inconsistent(
                "the first run does not begin with row 0",
            )));
        }
        value = Some(read(reader)?);
    }
    let value = value.ok_or_else(|| fault(Fault::Inconsistent("a column without a value")))?;
    values.resize(rows, value);
    Ok(values)
}

/// Read n entries of a column of integers; `accept` takes each with the byte at which it stands.
pub(super) fn read_integers<T: Clone>(
    reader: &mut Reader<'_>,
    rows: usize,
    what: &'static str,
    mut accept: impl FnMut(usize, i64) -> Result<T>,
) -> Result<Vec<T>> {
    if reader.peek() == Kind::Bytes {
        return unpack(reader, rows, what, accept);
    }
    read_column(reader, rows, |reader| {
        let offset = reader.offset();
        accept(offset, reader.integer(what, i64::MIN, i64::MAX)?)
    })
}

/// Packed entries: big-endian two's complement, all of the same number of bytes.
fn unpack<T>(
    reader: &mut Reader<'_>,
    rows: usize,
    what: &'static str,
    mut accept: impl FnMut(usize, i64) -> Result<T>,
) -> Result<Vec<T>> {
    let offset = reader.offset();
    let packed = reader.bytes(what, rows, rows.saturating_mul(8))?;
    let width = packed.len().checked_div(rows).unwrap_or_default();
    if width * rows != packed.len() || width == 0 {
        return Err(DecodeError {
            offset,
            fault: Fault::Inconsistent(
                "a packed column whose length is no multiple of the number of rows",
            ),
        });
    }
    let start = reader.offset() - packed.len();
    packed
        .chunks_exact(width)
        .enumerate()
        .map(|(row, entry)| accept(start + row * width, big_endian(entry)))
        .collect()
}

/// Up to eight bytes as a signed integer.
fn big_endian(entry: &[u8]) -> i64 {
    let sign = match entry.first() {
        Some(0x80..) => -1,
        _ => 0,
    };
    entry
        .iter()
        .fold(sign, |value: i64, byte| value << 8 | i64::from(*byte))
}

/// A column of integers within limits; absent: all 0, which must then be within them.
pub(super) fn integers<'a>(
    fields: &mut Fields<'a>,
    reader: &mut Reader<'a>,
    key: u64,
    rows: usize,
    what: &'static str,
    limits: (i64, i64),
) -> Result<Vec<i64>> {
    if fields.find(reader, key)? {
        return read_integers(reader, rows, what, |offset, value| {
            limited(offset, what, i128::from(value), limits)
        });
    }
    absent(reader, what, limits)?;
    Ok(vec![0; rows])
}

/// A column of differences, each to the entry before (the first: to 0), whose sums are within limits.
pub(super) fn differences<'a>(
    fields: &mut Fields<'a>,
    reader: &mut Reader<'a>,
    key: u64,
    rows: usize,
    what: &'static str,
    limits: (i64, i64),
) -> Result<Vec<i64>> {
    if !fields.find(reader, key)? {
        absent(reader, what, limits)?;
        return Ok(vec![0; rows]);
    }
    let mut last = 0;
    read_integers(reader, rows, what, |offset, by| {
        last = limited(offset, what, i128::from(last) + i128::from(by), limits)?;
        Ok(last)
    })
}

/// As `differences`, with null for a value that is not there; it leaves the entry before as it was.
pub(super) fn nullable_differences<'a>(
    fields: &mut Fields<'a>,
    reader: &mut Reader<'a>,
    key: u64,
    rows: usize,
    what: &'static str,
    limits: (i64, i64),
) -> Result<Vec<Option<i64>>> {
    if !fields.find(reader, key)? {
        absent(reader, what, limits)?;
        return Ok(vec![Some(0); rows]);
    }
    let mut last = 0;
    let mut add = |offset, by| {
        last = limited(offset, what, i128::from(last) + i128::from(by), limits)?;
        Ok(Some(last))
    };
    read_nullable(reader, rows, what, &mut add)
}

/// As `read_integers`, with null among the entries.
pub(super) fn read_nullable<T: Clone>(
    reader: &mut Reader<'_>,
    rows: usize,
    what: &'static str,
    mut accept: impl FnMut(usize, i64) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
    if reader.peek() == Kind::Bytes {
        return unpack(reader, rows, what, accept);
    }
    read_column(reader, rows, |reader| {
        if reader.peek() == Kind::Null {
            return reader.null().map(|()| None);
        }
        let offset = reader.offset();
        accept(offset, reader.integer(what, i64::MIN, i64::MAX)?)
    })
}

/// A value that must be within limits.
pub(super) fn limited(
    offset: usize,
    what: &'static str,
    value: i128,
    (low, high): (i64, i64),
) -> Result<i64> {
    match i64::try_from(value) {
        Ok(fits) if (low..=high).contains(&fits) => Ok(fits),
        _ => Err(DecodeError {
            offset,
            fault: Fault::Range {
                what,
                low,
                high,
                found: value,
            },
        }),
    }
}

fn absent(reader: &Reader<'_>, what: &'static str, (low, high): (i64, i64)) -> Result<()> {
    if (low..=high).contains(&0) {
        return Ok(());
    }
    Err(DecodeError {
        offset: reader.offset(),
        fault: Fault::Missing(what),
    })
}
