//! Columns: n values as one value that stands for all, as runs `{first row: value}`, or as an array.
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

/// A column of integers within limits; absent: all 0, which must then be within them.
pub(super) fn integers<'a>(
    fields: &mut Fields<'a>,
    reader: &mut Reader<'a>,
    key: u64,
    rows: usize,
    what: &'static str,
    (low, high): (i64, i64),
) -> Result<Vec<i64>> {
    if fields.find(reader, key)? {
        return read_column(reader, rows, |reader| reader.integer(what, low, high));
    }
    absent(reader, what, (low, high))?;
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
    read_column(reader, rows, |reader| {
        last = difference(reader, what, last, limits)?;
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
    read_column(reader, rows, |reader| {
        if reader.peek() == Kind::Null {
            reader.null()?;
            return Ok(None);
        }
        last = difference(reader, what, last, limits)?;
        Ok(Some(last))
    })
}

fn difference(
    reader: &mut Reader<'_>,
    what: &'static str,
    last: i64,
    (low, high): (i64, i64),
) -> Result<i64> {
    let offset = reader.offset();
    let by = reader.integer(what, i64::MIN, i64::MAX)?;
    let value = i128::from(last) + i128::from(by);
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
