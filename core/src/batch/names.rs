//! The meters of a batch: front-coded names, each without the characters it shares with the one before.

use std::collections::HashSet;

use super::column::integers;
use crate::cbor::{DecodeError, Fault, Fields, Reader, Result};

/// The longest name, in bytes of UTF-8.
pub(super) const MAX_BYTES: usize = 64;
const MAX_METERS: usize = 4096;

/// Read keys 7 (what differs) and 8 (how many characters are shared).
pub(super) fn read<'a>(fields: &mut Fields<'a>, reader: &mut Reader<'a>) -> Result<Vec<String>> {
    fields.require(reader, 7, "meters (key 7)")?;
    let offset = reader.offset();
    let number = reader.array("number of meters", 0, MAX_METERS)?;
    let mut rests = Vec::with_capacity(number.min(reader.remaining()));
    for _ in 0..number {
        rests.push(reader.text("length of a meter's name", 1, MAX_BYTES)?);
    }
    let shared = integers(
        fields,
        reader,
        8,
        number,
        "shared characters of a meter's name",
        (0, 64),
    )?;
    let mut names: Vec<String> = Vec::with_capacity(number);
    for (rest, shared) in rests.into_iter().zip(shared) {
        let shared = usize::try_from(shared).unwrap_or(MAX_BYTES);
        let before = names.last().map_or("", String::as_str);
        let mut name: String = before.chars().take(shared).collect();
        if name.chars().count() != shared {
            return Err(fault(
                offset,
                "a meter's name shares more characters than the name before has",
            ));
        }
        name.push_str(rest);
        if name.len() > MAX_BYTES {
            return Err(fault(offset, "a meter's name has more than 64 bytes"));
        }
        names.push(name);
    }
    let distinct: HashSet<&str> = names.iter().map(String::as_str).collect();
    if distinct.len() != names.len() {
        return Err(fault(offset, "two meters have the same name"));
    }
    Ok(names)
}

fn fault(offset: usize, what: &'static str) -> DecodeError {
    DecodeError {
        offset,
        fault: Fault::Inconsistent(what),
    }
}
