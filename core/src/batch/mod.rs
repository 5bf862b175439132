//! A batch of records, decoded from its columns (docs/wire.cddl, `records`; docs/wire.md explains the coding).

mod column;
mod group;
mod interval;
mod names;
mod others;
mod rows;

pub use rows::{Adjustment, Detail, Event, Freeze, Interval};

use crate::cbor::{DecodeError, Fault, Reader, Result};
use group::Sequences;

/// The most records in a batch.
pub const MAX_RECORDS: usize = 4096;
/// The greatest energy in mWh or carbon in µg of a record, and with a minus sign the least.
pub const MAX_AMOUNT: i64 = 1 << 61;
/// The latest instant and the longest duration, in ms.
pub const MAX_TIME_MS: i64 = 1 << 53;

const AMOUNT: (i64, i64) = (-MAX_AMOUNT, MAX_AMOUNT);
const INCREMENT: (i64, i64) = (0, MAX_AMOUNT);
const TIME: (i64, i64) = (0, MAX_TIME_MS);
const DURATION: (i64, i64) = (1, MAX_TIME_MS);
const FACTOR: (i64, i64) = (0, u32::MAX as i64);
const ANY: (i64, i64) = (i64::MIN, i64::MAX);

/// A decoded batch: a contiguous run of a journal's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordBatch {
    /// The schema version the batch was written in.
    pub schema: u8,
    /// The gateway that wrote it.
    pub gateway: String,
    /// The journal's context.
    pub context: [u8; 8],
    /// The first record's sequence number.
    pub first: i64,
    /// How many records there are, with the sequence numbers from `first` on.
    pub count: usize,
    /// When the batch was written, ms UTC.
    pub created_ms: i64,
    /// What the gateway knew of its clock: 0 unknown, 1 synchronised, 2 stepped.
    pub clock_state: i64,
    /// The meters the records refer to by their index.
    pub meters: Vec<String>,
    /// Interval records, by sequence.
    pub intervals: Vec<Interval>,
    /// Freeze records, by sequence.
    pub freezes: Vec<Freeze>,
    /// Adjustment records, by sequence.
    pub adjustments: Vec<Adjustment>,
    /// Event records, by sequence.
    pub events: Vec<Event>,
}

/// Decode a batch, strictly and within bounds.
///
/// # Errors
/// The first thing that is not as docs/wire.cddl and docs/wire.md say, with the byte at which it showed.
pub fn decode(payload: &[u8]) -> Result<RecordBatch> {
    let mut reader = Reader::new(payload)?;
    let r = &mut reader;
    let mut fields = r.map()?;
    fields.require(r, 0, "schema version (key 0)")?;
    let schema = r.version()?;
    fields.require(r, 1, "gateway (key 1)")?;
    let gateway = r
        .text("length of the gateway's name", 1, names::MAX_BYTES)?
        .to_owned();
    fields.require(r, 2, "context (key 2)")?;
    let offset = r.offset();
    let context =
        <[u8; 8]>::try_from(r.bytes("length of the context", 8, 8)?).map_err(|_| DecodeError {
            offset,
            fault: Fault::Truncated,
        })?;
    fields.require(r, 3, "first sequence (key 3)")?;
    let first = r.integer("first sequence", 1, i64::MAX)?;
    fields.require(r, 4, "number of records (key 4)")?;
    let offset = r.offset();
    let count = r.integer("number of records", 1, 4096)?;
    if first.checked_add(count - 1).is_none() {
        return Err(DecodeError {
            offset,
            fault: Fault::Inconsistent("the last sequence leaves 63 bits"),
        });
    }
    let count = usize::try_from(count).unwrap_or(MAX_RECORDS);
    fields.require(r, 5, "time of creation (key 5)")?;
    let created_ms = r.integer("time of creation", TIME.0, TIME.1)?;
    fields.require(r, 6, "clock state (key 6)")?;
    let clock_state = r.integer("clock state", 0, 2)?;
    let meters = names::read(&mut fields, r)?;

    let mut sequences = Sequences::new(first, count, meters.len());
    let mut intervals = Vec::new();
    if fields.find(r, 9)? {
        intervals = interval::read(r, &mut sequences)?;
    }
    let mut freezes = Vec::new();
    if fields.find(r, 10)? {
        freezes = others::read_freezes(r, &mut sequences)?;
    }
    let mut adjustments = Vec::new();
    if fields.find(r, 11)? {
        adjustments = others::read_adjustments(r, &mut sequences)?;
    }
    let mut events = Vec::new();
    if fields.find(r, 12)? {
        events = others::read_events(r, &mut sequences)?;
    }
    fields.finish(r)?;
    sequences.complete(r.offset())?;
    reader.end()?;
    Ok(RecordBatch {
        schema,
        gateway,
        context,
        first,
        count,
        created_ms,
        clock_state,
        meters,
        intervals,
        freezes,
        adjustments,
        events,
    })
}
