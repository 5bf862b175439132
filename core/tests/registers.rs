//! What is known of registers: rows that go on, gaps, other registers, overlaps, clocks, and files.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod meter_rows;

use std::collections::BTreeSet;
use std::ops::Range;

use diantan_core::registers::{
    Clocks, History, INTERPOLATED, Jump, Known, PARTIAL, Registers, Row, SLOT_MS, Sent,
    without_overlaps,
};
use meter_rows::{KWH, history, row, slots, steady};

const ESTIMATED: i64 = 2;
const UNKNOWN: i64 = 0;
const STEPPED: i64 = 2;

fn sent(records: Range<i64>, state: i64) -> Sent {
    Sent {
        first: records.start,
        end: records.end,
        state,
    }
}

fn segments(found: &History) -> Vec<(i64, u64)> {
    let known = found.known().iter();
    known
        .map(|one| (one.time_ms / SLOT_MS, one.segment))
        .collect()
}

#[test]
fn a_register_is_known_at_both_ends_of_every_interval() {
    let found = history(&steady(0..3));
    assert_eq!(
        found.known()[3],
        Known {
            time_ms: 3 * SLOT_MS,
            forward_mwh: 103 * i128::from(KWH),
            reverse_mwh: 0,
            segment: 1
        }
    );
    assert_eq!(segments(&found), [(0, 1), (1, 1), (2, 1), (3, 1)]);
    assert_eq!(
        (found.breaks(), found.jumps(), found.unclear()),
        (&[0][..], &[][..], 0)
    );
    assert_eq!(found.counted_mwh(SLOT_MS, 3 * SLOT_MS), 2 * i128::from(KWH));
}

#[test]
fn a_gap_is_counted_by_a_register_that_went_on() {
    let mut rows = steady(0..2);
    rows.push(row(6, 110, 1));
    let found = history(&rows);
    assert_eq!(segments(&found), [(0, 1), (1, 1), (2, 1), (6, 1), (7, 1)]);
    let jump = Jump {
        before_ms: 2 * SLOT_MS,
        time_ms: 6 * SLOT_MS,
        before_mwh: 102 * i128::from(KWH),
        after_mwh: 109 * i128::from(KWH),
    };
    assert_eq!(found.jumps(), [jump]);
    assert_eq!(
        found.over(SLOT_MS, 3 * SLOT_MS),
        Some((5 * SLOT_MS, 8 * i128::from(KWH)))
    );
    assert_eq!(found.over(-1, SLOT_MS), None);
    assert_eq!(found.over(SLOT_MS, 8 * SLOT_MS), None);
}

#[test]
fn what_went_back_or_came_by_another_journal_is_not_compared() {
    let mut back = steady(0..2);
    back.push(row(2, 50, 1));
    assert_eq!(segments(&history(&back)), [(0, 1), (1, 1), (2, 2), (3, 2)]);
    assert_eq!(history(&back).breaks(), [0, 2 * SLOT_MS]);
    let mut turned = [row(0, 101, 1), row(4, 109, 1)];
    turned[0].reverse_total_mwh = 1;
    assert_eq!(
        segments(&history(&turned)),
        [(0, 1), (1, 1), (4, 2), (5, 2)]
    );
    let mut other = steady(0..3);
    other[2].journal = 2;
    assert_eq!(segments(&history(&other)), [(0, 1), (1, 1), (2, 2), (3, 2)]);
    assert_eq!(history(&other).over(0, 3 * SLOT_MS), None);
    let mut lacking = steady(0..3);
    lacking[1].quality = PARTIAL;
    assert_eq!(
        segments(&history(&lacking)),
        [(0, 1), (1, 1), (2, 2), (3, 2)]
    );
    assert_eq!(history(&lacking).unclear(), 1);
}

#[test]
fn only_what_was_measured_by_a_clock_that_is_right_is_known() {
    for quality in [INTERPOLATED, ESTIMATED] {
        let mut rows = steady(0..4);
        rows[1].quality = quality;
        rows[2].quality = quality;
        let found = history(&rows);
        assert_eq!(segments(&found), [(0, 1), (1, 1), (3, 1), (4, 1)]);
        assert_eq!(found.unclear(), 2);
    }
    let mut registers = Registers::default();
    let mut clocks = Clocks::default();
    clocks.know(1, &[sent(0..2, UNKNOWN), sent(2..3, STEPPED)]);
    let rows: Vec<(i64, Row)> = steady(0..4).into_iter().map(|row| (7, row)).collect();
    registers.add(&rows, Some(&mut clocks));
    assert_eq!(
        segments(&registers.of(7)),
        [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]
    );
    assert_eq!(
        (clocks.unknown(), clocks.right(), registers.of(7).unclear()),
        (2, false, 1)
    );
    assert_eq!((registers.meters(), registers.of(8).known().len()), (1, 0));
}

#[test]
fn a_clock_is_told_of_every_record_that_came_in_a_larger_message_about_others() {
    let mut clocks = Clocks::default();
    // Two that came alone, and all that was not acknowledged, once more after a start.
    clocks.know(
        1,
        &[
            sent(1..2, STEPPED),
            sent(1..65, STEPPED),
            sent(2..3, STEPPED),
            sent(70..80, UNKNOWN),
            sent(72..74, STEPPED),
        ],
    );
    let trusted = |sequence: i64, clocks: &mut Clocks| clocks.trusted(1, sequence);
    assert!((1..65).all(|sequence| !trusted(sequence, &mut clocks)));
    assert!((65..72).all(|sequence| trusted(sequence, &mut clocks)));
    assert!((72..74).all(|sequence| !trusted(sequence, &mut clocks)));
    assert!(trusted(0, &mut clocks) && trusted(74, &mut clocks) && trusted(80, &mut clocks));
    assert!(clocks.trusted(2, 5));
    assert_eq!(clocks.unknown(), 3);
}

#[test]
fn a_file_says_nothing_across_a_gap_and_the_end_of_an_hour_that_was_divided() {
    let mut rows = steady(0..4);
    rows.remove(1);
    rows[1].forward_total_mwh -= KWH;
    rows[2].forward_total_mwh -= KWH;
    let mut file = History::new(true);
    for row in &rows {
        file.add(row, true);
    }
    assert_eq!((history(&rows).breaks().len(), file.breaks().len()), (1, 2));
    let mut divided = steady(0..6);
    for (place, row) in divided.iter_mut().enumerate() {
        row.quality = if place % 3 == 2 {
            INTERPOLATED
        } else {
            ESTIMATED
        };
    }
    let mut file = History::new(true);
    for row in &divided {
        file.add(row, true);
    }
    assert_eq!(segments(&file), [(3, 1), (6, 1)]);
    assert_eq!(segments(&history(&divided)), []);
}

#[test]
fn instants_within_a_slot_are_not_known() {
    let mut first = row(0, 101, 1);
    first.duration_ms = SLOT_MS / 3;
    let mut rest = row(0, 101, 0);
    rest.start_ms = SLOT_MS / 3;
    rest.duration_ms = SLOT_MS - SLOT_MS / 3;
    assert_eq!(segments(&history(&[first, rest])), [(0, 1), (1, 1)]);
}

#[test]
fn what_takes_no_time_or_ends_within_a_slot_is_no_instant_of_its_own() {
    let mut nothing = row(2, 102, 0);
    nothing.duration_ms = 0;
    let mut short = row(2, 102, 0);
    short.duration_ms = SLOT_MS / 3;
    for odd in [nothing, short] {
        let found = history(&[steady(0..2), vec![odd]].concat());
        assert_eq!(segments(&found), [(0, 1), (1, 1), (2, 1)]);
    }
    let mut other = row(2, 105, 3);
    other.duration_ms = 0;
    other.quality = ESTIMATED;
    let found = history(&[steady(0..2), vec![other], steady(2..3)].concat());
    assert_eq!(found.jumps().len(), 1);
    assert_eq!(segments(&found), [(0, 1), (1, 1), (2, 2), (3, 2)]);
}

#[test]
fn a_register_stands_still_within_a_segment_only() {
    let mut rows = [row(0, 100, 0), row(5, 100, 0)];
    let count = |rows: &[Row]| history(rows).instants(true).count(0, 10 * SLOT_MS, SLOT_MS);
    assert_eq!(count(&rows), 7);
    rows[1].journal = 2;
    assert_eq!(count(&rows), 4);
}

#[test]
fn of_overlapping_rows_the_better_then_the_later_counts() {
    let mut worse = row(0, 101, 1);
    worse.quality = PARTIAL;
    worse.journal = 9;
    let mut later = row(0, 102, 2);
    later.sequence = 500;
    assert_eq!(without_overlaps(&[worse, row(0, 101, 1), later]), [later]);
    let mut long = row(0, 103, 3);
    long.duration_ms = 3 * SLOT_MS;
    long.journal = 0;
    let mut rows = [long, row(1, 102, 1), row(2, 103, 1), row(4, 105, 1)];
    rows[1].sequence = 50;
    assert_eq!(without_overlaps(&rows), rows[1..]);
    let mut registers = Registers::default();
    registers.add(&rows.map(|row| (1, row)), None);
    assert_eq!(slots(registers.of(1).known()), [1, 2, 3, 4, 5]);
    let mut half = row(2, 103, 1);
    half.start_ms += SLOT_MS / 2;
    half.journal = 2;
    let mut registers = Registers::default();
    registers.add(&[(1, half), (1, row(2, 103, 1)), (1, row(4, 105, 1))], None);
    assert_eq!(slots(registers.of(1).known()), [4, 5]);
}

#[test]
fn no_number_of_a_store_is_too_large() {
    let mut one = row(0, 0, 0);
    one.forward_total_mwh = i64::MIN;
    one.forward_mwh = i64::MAX;
    one.reverse_total_mwh = i64::MAX;
    one.reverse_mwh = i64::MIN;
    let mut other = one;
    other.start_ms = SLOT_MS;
    other.duration_ms = i64::MAX;
    let found = history(&[one, other]);
    assert_eq!(
        found.known()[0].forward_mwh,
        i128::from(i64::MIN) - i128::from(i64::MAX)
    );
    assert_eq!(found.counted_mwh(0, i64::MAX), 2 * ((1 << 64) - 1));
    assert_eq!(found.instants(true).count(0, 10 * SLOT_MS, SLOT_MS), 2);
    assert!(found.column(0, 4, 1).any());
}

#[test]
fn of_an_inverted_meter_all_is_known_as_it_flowed() {
    let counted: Vec<Row> = steady(0..3).into_iter().map(Row::turned).collect();
    let mut registers = Registers::new(BTreeSet::new(), BTreeSet::from([7]));
    let rows: Vec<(i64, Row)> = [7, 8]
        .iter()
        .flat_map(|meter| counted.iter().map(|row| (*meter, *row)))
        .collect();
    registers.add(&rows, None);
    assert_eq!(*registers.of(7), history(&steady(0..3)));
    assert_eq!(*registers.of(8), history(&counted));
    assert_eq!(registers.of(8).known()[3].net_mwh(), -103 * i128::from(KWH));
}

#[test]
fn what_is_held_stays_as_it_was() {
    let mut registers = Registers::default();
    let rows: Vec<(i64, Row)> = steady(0..2).into_iter().map(|row| (1, row)).collect();
    registers.add(&rows[..1], None);
    let held = registers.of(1);
    registers.add(&rows[1..], None);
    assert_eq!(
        (slots(held.known()), slots(registers.of(1).known())),
        (vec![0, 1], vec![0, 1, 2])
    );
}
