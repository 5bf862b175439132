//! What holds for any octets in the decoder of record batches.

use diantan_core::{
    batch::{self, MAX_AMOUNT, MAX_RECORDS, MAX_TIME_MS, RecordBatch},
    cbor::{self, Fault},
};

/// The keys 0 to 8 of a batch, without its number of records: two meters, m1 and m2.
const BEFORE: [u8; 18] = [
    0x00, 0x01, 0x01, 0x62, b'g', b'w', 0x02, 0x48, 1, 2, 3, 4, 5, 6, 7, 8, 0x03, 0x07,
];
const BEHIND: [u8; 16] = [
    0x05, 0x1a, 0x6a, 0, 0, 0, 0x06, 0x01, 0x07, 0x82, 0x62, b'm', b'1', 0x62, b'm', b'2',
];

/// The first octet chooses a group and a number of records, the others are a batch, a group and a column.
pub fn all(octets: &[u8]) {
    let Some((choice, octets)) = octets.split_first() else {
        return;
    };
    let whole = decoded(octets);
    if let Some(found) = &whole {
        borders(octets, *choice, found);
    }
    // The head of a batch around them, so that a mutation need not find it.
    let records = choice % 23 + 1;
    decoded(&around(records, 9 + choice / 23 % 4, octets));
    // And around one column the rest of its group.
    for shape in &SHAPES {
        decoded(&around(records, shape.group, &shape.rows(records, octets)));
    }
}

/// A group with one column left open.
struct Shape {
    group: u8,
    columns: u8,
    before: &'static [u8],
    behind: &'static [u8],
}

/// Energies and factors of intervals, registers of freezes, factors of adjustments, details of events.
const SHAPES: [Shape; 5] = [
    Shape {
        group: 9,
        columns: 4,
        before: &[0x03, 0x19, 0x10, 0x00, 0x05, 0x01, 0x06],
        behind: &[],
    },
    Shape {
        group: 9,
        columns: 4,
        before: &[0x03, 0x19, 0x10, 0x00, 0x05, 0x01, 0x10],
        behind: &[],
    },
    Shape {
        group: 10,
        columns: 4,
        before: &[0x03, 0x19, 0x10, 0x00, 0x05],
        behind: &[0x09, 0x03],
    },
    Shape {
        group: 11,
        columns: 5,
        before: &[0x03, 0x19, 0x10, 0x00, 0x04, 0x01, 0x07],
        behind: &[0x0b, 0x41, b's'],
    },
    Shape {
        group: 12,
        columns: 4,
        before: &[0x03, 0x19, 0x10, 0x00, 0x04, 0x18, 0xc8, 0x05],
        behind: &[],
    },
];

impl Shape {
    fn rows(&self, records: u8, column: &[u8]) -> Vec<u8> {
        let mut rows = vec![0xa0 | self.columns, 0x00];
        rows.extend_from_slice(&short(records));
        rows.extend_from_slice(self.before);
        rows.extend_from_slice(column);
        rows.extend_from_slice(self.behind);
        rows
    }
}

/// Fails when what is put around the octets is not a batch by itself: nothing behind it would be tried then.
#[allow(dead_code, reason = "the target does not ask")]
pub fn shapes_are_batches() {
    for shape in &SHAPES {
        // A constant; details are an array of as many maps.
        let column: &[u8] = match shape.group {
            12 => &[0x82, 0xa1, 0x01, 0x02, 0xa0],
            _ => &[0x05],
        };
        let batch = around(2, shape.group, &shape.rows(2, column));
        assert!(decoded(&batch).is_some(), "{:?}", batch::decode(&batch));
    }
}

/// An unsigned integer below 24 in its head.
fn short(number: u8) -> [u8; 1] {
    [number % 24]
}

/// A batch of so many records whose only group is the given one.
fn around(records: u8, group: u8, rows: &[u8]) -> Vec<u8> {
    let mut batch = vec![0xaa];
    batch.extend_from_slice(&BEFORE);
    batch.push(0x04);
    batch.extend_from_slice(&short(records));
    batch.extend_from_slice(&BEHIND);
    // Shared characters of the names: none, as one value for both.
    batch.extend_from_slice(&[0x08, 0x00, group]);
    batch.extend_from_slice(rows);
    batch
}

fn decoded(octets: &[u8]) -> Option<RecordBatch> {
    match batch::decode(octets) {
        Ok(batch) => {
            holds(&batch);
            strict(octets);
            assert_eq!(
                batch::decode(octets).as_ref(),
                Ok(&batch),
                "the same octets are read twice in two ways"
            );
            Some(batch)
        }
        Err(error) => {
            assert!(error.offset <= octets.len(), "a fault behind the end");
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// A batch that is read is deterministic CBOR: the same records have no second spelling of their heads and keys.
fn strict(octets: &[u8]) {
    if let Err(error) = cbor::check(octets) {
        // An unknown key's value may be as deep as a message of its own.
        let deep = matches!(error.fault, Fault::TooDeep);
        assert!(deep, "read, and not deterministic: {error}");
    }
}

/// Shorter, longer, and with another version it is refused.
fn borders(octets: &[u8], choice: u8, batch: &RecordBatch) {
    let place = usize::from(choice) * octets.len() / 256;
    assert!(
        batch::decode(&octets[..place]).is_err(),
        "a part is taken for the whole"
    );
    let mut longer = octets.to_vec();
    longer.push(choice);
    assert!(
        batch::decode(&longer).is_err(),
        "what is behind the end is not seen"
    );
    assert_eq!(batch.schema, 1);
    // The version lies behind the head of the map, in one octet or two, and the key 0.
    let place = match octets.first() {
        Some(0xb8) => 3,
        _ => 2,
    };
    let mut later = octets.to_vec();
    if let Some(version @ 1) = later.get_mut(place) {
        *version = 2;
        let error = batch::decode(&later).expect_err("a version nobody knows");
        assert_eq!(error.fault, Fault::Version(2));
    }
}

fn within(value: i64, high: i64) {
    assert!((0..=high).contains(&value), "{value} is not within {high}");
}

fn amount(values: &[i64]) {
    for value in values {
        assert!(value.abs() <= MAX_AMOUNT, "{value} is out of bounds");
    }
}

/// Everything the store relies on.
fn holds(batch: &RecordBatch) {
    assert!((1..=MAX_RECORDS).contains(&batch.count) && batch.first >= 1);
    assert!((1..=64).contains(&batch.gateway.len()));
    within(batch.created_ms, MAX_TIME_MS);
    within(batch.clock_state, 2);
    let mut names = batch.meters.clone();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), batch.meters.len(), "a meter is there twice");
    assert!(names.iter().all(|name| (1..=64).contains(&name.len())));
    sequences(batch);
    for row in &batch.intervals {
        assert!(row.meter < batch.meters.len());
        within(row.start_ms, MAX_TIME_MS);
        within(row.duration_ms - 1, MAX_TIME_MS - 1);
        for value in [row.forward_mwh, row.reverse_mwh] {
            within(value, MAX_AMOUNT);
        }
        amount(&[row.forward_total_mwh, row.reverse_total_mwh]);
        amount(&[row.carbon_forward_ug, row.carbon_reverse_ug]);
        amount(&[row.carbon_forward_total_ug, row.carbon_reverse_total_ug]);
        within(row.factor.unwrap_or(0), i64::from(u32::MAX));
        within(row.factor_quality, 3);
        assert_eq!(row.factor.is_none(), row.factor_quality == 3);
        within(row.readings, i64::from(u32::MAX));
        within(row.quality, 3);
    }
    for row in &batch.freezes {
        assert!(row.meter < batch.meters.len());
        within(row.time_ms, MAX_TIME_MS);
        within(row.kind, 1);
        within(row.source, 3);
        amount(&[row.forward_total_mwh, row.reverse_total_mwh]);
        amount(&[row.carbon_forward_total_ug, row.carbon_reverse_total_ug]);
    }
    for row in &batch.adjustments {
        assert!(row.meter < batch.meters.len());
        within(row.start_ms, MAX_TIME_MS);
        within(row.duration_ms - 1, MAX_TIME_MS - 1);
        within(row.forward_mwh, MAX_AMOUNT);
        within(row.reverse_mwh, MAX_AMOUNT);
        within(row.factor_used.unwrap_or(0), i64::from(u32::MAX));
        within(row.factor_now.unwrap_or(0), i64::from(u32::MAX));
        amount(&[row.carbon_forward_ug, row.carbon_reverse_ug]);
        assert!((1..=32).contains(&row.solve_id.len()));
    }
    for row in &batch.events {
        assert!(row.meter.is_none_or(|meter| meter < batch.meters.len()));
        within(row.time_ms, MAX_TIME_MS);
        assert!(row.code >= 1 && row.details.len() <= 16);
    }
}

/// Each sequence has exactly one record, and each group is in their order.
fn sequences(batch: &RecordBatch) {
    let groups: [Vec<i64>; 4] = [
        batch.intervals.iter().map(|row| row.sequence).collect(),
        batch.freezes.iter().map(|row| row.sequence).collect(),
        batch.adjustments.iter().map(|row| row.sequence).collect(),
        batch.events.iter().map(|row| row.sequence).collect(),
    ];
    for group in &groups {
        assert!(group.is_sorted());
    }
    let mut all = groups.concat();
    all.sort_unstable();
    let expected: Vec<i64> = (batch.first..).take(batch.count).collect();
    assert_eq!(all, expected, "a sequence without its one record");
}
