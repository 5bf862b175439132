//! The batch decoder never panics and never hands out what does not hold, whatever the bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use diantan_core::batch::{self, MAX_AMOUNT, RecordBatch};
use diantan_core::cbor;
use proptest::prelude::*;

/// The example of docs/wire.md.
const EXAMPLE: &str = "\
    ab0001016467772d3102480123456789abcdef03010403051b000001a0c45fc1c806010782696368 \
    61726765722d3161320882000809a90002031b000001a0c451f2a0051a000dbba00648001ab3f000 \
    bc614e084a16feda4d40012a05f2000a4c34306571524002a45f7e3a00101a0008dd881282000114 \
    0f0ca60001010202f6031b000001a0c45156600418c80581a10501";

fn example() -> Vec<u8> {
    let digits: Vec<char> = EXAMPLE.chars().filter(char::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
        .collect()
}

fn check(batch: &RecordBatch) {
    let mut sequences: Vec<i64> = batch.intervals.iter().map(|row| row.sequence).collect();
    sequences.extend(batch.freezes.iter().map(|row| row.sequence));
    sequences.extend(batch.adjustments.iter().map(|row| row.sequence));
    sequences.extend(batch.events.iter().map(|row| row.sequence));
    sequences.sort_unstable();
    let expected: Vec<i64> = (batch.first..).take(batch.count).collect();
    assert_eq!(sequences, expected);
    for row in &batch.intervals {
        assert!(row.meter < batch.meters.len());
        assert!(row.duration_ms > 0);
        assert!(row.forward_mwh >= 0 && row.forward_mwh <= MAX_AMOUNT);
        assert!(row.carbon_forward_total_ug.abs() <= MAX_AMOUNT);
        assert_eq!(row.factor.is_none(), row.factor_quality == 3);
    }
    for row in &batch.events {
        assert!(row.meter.is_none_or(|meter| meter < batch.meters.len()));
    }
}

#[test]
fn the_example_decodes() {
    let batch = batch::decode(&example()).unwrap();
    check(&batch);
    assert_eq!(batch.gateway, "gw-1");
    assert_eq!(batch.meters, ["charger-1", "charger-2"]);
    assert_eq!((batch.intervals.len(), batch.events.len()), (2, 1));
}

#[test]
fn every_truncation_is_refused_within_the_bytes() {
    let data = example();
    for end in 0..data.len() {
        let error = batch::decode(&data[..end]).unwrap_err();
        assert!(error.offset <= end);
    }
}

#[test]
fn every_single_byte_can_be_anything() {
    let data = example();
    for at in 0..data.len() {
        for byte in 0..=u8::MAX {
            let mut changed = data.clone();
            changed[at] = byte;
            match batch::decode(&changed) {
                Ok(batch) => check(&batch),
                Err(error) => assert!(error.offset <= changed.len()),
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(batch::decode(&data).is_err());
        if cbor::check(&data).is_ok() {
            for end in 0..data.len() {
                prop_assert!(cbor::check(&data[..end]).is_err());
            }
        }
    }

    #[test]
    fn arbitrary_columns(
        key in 1_u8..22,
        column in proptest::collection::vec(any::<u8>(), 1..60),
    ) {
        // A whole batch whose interval group ends with bytes nobody wrote.
        let mut data = example();
        let group = data.windows(2).position(|pair| pair == [0x09, 0xa9]).unwrap();
        data.truncate(group + 4);
        data[group + 1] = 0xa2;
        data.push(key);
        data.extend(&column);
        if let Ok(batch) = batch::decode(&data) {
            check(&batch);
        }
    }

    #[test]
    fn several_changes(changes in proptest::collection::vec((any::<u16>(), any::<u8>(), 0_u8..3), 1..12)) {
        let mut data = example();
        for (at, byte, how) in changes {
            let at = usize::from(at) % data.len();
            match how {
                0 => data[at] = byte,
                1 => data.insert(at, byte),
                _ if data.len() > 1 => { data.remove(at); }
                _ => {}
            }
        }
        if let Ok(batch) = batch::decode(&data) {
            check(&batch);
        }
    }
}
