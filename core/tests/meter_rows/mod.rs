//! Intervals of one meter, made by hand.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "every test file uses a part of it"
)]

use std::ops::Range;

use diantan_core::registers::{History, Known, MEASURED, Row, SLOT_MS};

pub const KWH: i64 = 1_000_000;

/// An interval of one slot after which the register shows `total` kWh.
pub fn row(slot: i64, total: i64, counted: i64) -> Row {
    Row {
        start_ms: slot * SLOT_MS,
        journal: 1,
        sequence: slot,
        duration_ms: SLOT_MS,
        forward_mwh: counted * KWH,
        reverse_mwh: 0,
        forward_total_mwh: total * KWH,
        reverse_total_mwh: 0,
        quality: MEASURED,
    }
}

/// Intervals in each of which 1 kWh is counted, from 100 on.
pub fn steady(slots: Range<i64>) -> Vec<Row> {
    slots.map(|slot| row(slot, 101 + slot, 1)).collect()
}

pub fn history(rows: &[Row]) -> History {
    let mut found = History::new(false);
    for row in rows {
        found.add(row, true);
    }
    found
}

pub fn slots(known: &[Known]) -> Vec<i64> {
    known.iter().map(|one| one.time_ms / SLOT_MS).collect()
}
