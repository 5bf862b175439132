//! Register mode: rollover, reset, jump, exchange, time running back, and long silence.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use diantan_core::record::{Direction, EventKind, Quality};
use diantan_core::register::RegisterSettings;

#[test]
fn a_reset_counts_nothing_across_and_keeps_the_total() {
    let mut meter = integrator();
    let t = MIDNIGHT + 60_000;
    let closed = feed(
        &mut meter,
        &[
            (MIDNIGHT, 700),
            (t, 900),
            (t + QUARTER, 100),
            (t + 2 * QUARTER, 400),
        ],
        &schedule(Some(1)),
    );
    assert_eq!(
        closed.events,
        [event(
            t + QUARTER,
            EventKind::Reset,
            Direction::Forward,
            900,
            100
        )]
    );
    assert_eq!(meter.forward_mwh(), 1200);
    let rows: Vec<(i64, i64, Quality)> = closed
        .intervals
        .iter()
        .map(|row| (row.forward_mwh, row.forward_total_mwh, row.quality))
        .collect();
    assert_eq!(
        rows,
        [(200, 900, Quality::Partial), (280, 1180, Quality::Partial)]
    );
}

#[test]
fn a_rollover_is_energy_when_plausible() {
    let settings = RegisterSettings {
        rollover_mwh: Some(1_000_000),
        ..RegisterSettings::default()
    };
    let readings = [(MIDNIGHT, 999_900), (MIDNIGHT + 60_000, 100)];
    let mut meter = with(&settings);
    let closed = feed(&mut meter, &readings, &schedule(None));
    assert_eq!(
        closed.events,
        [event(
            MIDNIGHT + 60_000,
            EventKind::Rollover,
            Direction::Forward,
            999_900,
            100
        )]
    );
    assert_eq!(meter.forward_mwh(), 1_000_100);

    let mut half = with(&settings);
    feed(
        &mut half,
        &[(MIDNIGHT, 500_000), (MIDNIGHT + 1, 0)],
        &schedule(None),
    );
    assert_eq!(
        half.forward_mwh(),
        500_000,
        "half the range is not plausible"
    );

    let weak = RegisterSettings {
        max_power_mw: Some(1_000_000),
        resolution_mwh: 0,
        ..settings
    };
    let mut meter = with(&weak);
    let closed = feed(&mut meter, &readings, &schedule(None));
    assert_eq!(
        closed.events[0].kind,
        EventKind::Rollover,
        "200 mWh in a minute is 12 W"
    );
    let weaker = RegisterSettings {
        max_power_mw: Some(11_999),
        ..weak
    };
    let mut meter = with(&weaker);
    let closed = feed(&mut meter, &readings, &schedule(None));
    assert_eq!(closed.events[0].kind, EventKind::Reset);

    let mut beyond = with(&settings);
    let closed = feed(
        &mut beyond,
        &[(MIDNIGHT, 1_000_000), (MIDNIGHT + 1, 0)],
        &schedule(None),
    );
    assert_eq!(
        closed.events[0].kind,
        EventKind::Reset,
        "such a register never rolled over at 1 kWh"
    );
}

#[test]
fn a_jump_beyond_the_power_is_not_energy() {
    let settings = RegisterSettings {
        max_power_mw: Some(60_000_000),
        resolution_mwh: 10,
        ..RegisterSettings::default()
    };
    let possible = 60_000_000 / 60 + 10;
    let mut meter = with(&settings);
    let closed = feed(
        &mut meter,
        &[(MIDNIGHT, 0), (MIDNIGHT + 60_000, possible)],
        &schedule(None),
    );
    assert_eq!((closed.events.len(), meter.forward_mwh()), (0, possible));
    let closed = feed(
        &mut meter,
        &[(MIDNIGHT + 120_000, 2 * possible + 1)],
        &schedule(None),
    );
    assert_eq!(closed.events[0].kind, EventKind::Jump);
    assert_eq!(meter.forward_mwh(), possible);
}

#[test]
fn a_reset_in_one_direction_ends_the_segment_of_both() {
    let mut meter = integrator();
    let closed = meter
        .feed(
            &[MIDNIGHT, MIDNIGHT + 1000],
            &[10, 20],
            &[10, 5],
            &schedule(None),
            false,
        )
        .unwrap();
    assert_eq!(
        closed.events,
        [event(
            MIDNIGHT + 1000,
            EventKind::Reset,
            Direction::Reverse,
            10,
            5
        )]
    );
    assert_eq!((meter.forward_mwh(), meter.reverse_mwh()), (10, 10));
}

#[test]
fn an_exchange_waits_for_a_usable_reading() {
    let mut meter = integrator();
    let none = schedule(None);
    feed(&mut meter, &[(MIDNIGHT, 500)], &none);
    let closed = meter.feed(&[MIDNIGHT], &[3], &[1], &none, true).unwrap();
    assert_eq!(
        closed.events,
        [event(
            MIDNIGHT,
            EventKind::TimeBack,
            Direction::Both,
            MIDNIGHT,
            MIDNIGHT
        )]
    );
    let state = meter.state();
    let mut meter = integrator();
    meter.restore(&state).unwrap();
    let closed = meter
        .feed(
            &[MIDNIGHT + 5, MIDNIGHT + 10],
            &[4, 6],
            &[1, 3],
            &none,
            false,
        )
        .unwrap();
    assert_eq!(
        closed.events,
        [
            event(
                MIDNIGHT + 5,
                EventKind::Exchange,
                Direction::Forward,
                500,
                4
            ),
            event(MIDNIGHT + 5, EventKind::Exchange, Direction::Reverse, 0, 1),
        ]
    );
    assert_eq!((meter.forward_mwh(), meter.reverse_mwh()), (502, 2));
}

#[test]
fn a_reading_back_in_time_is_not_used_and_its_energy_comes_later() {
    let mut meter = integrator();
    let closed = feed(
        &mut meter,
        &[(MIDNIGHT + 10, 5), (MIDNIGHT + 9, 7), (MIDNIGHT + 20, 9)],
        &schedule(None),
    );
    assert_eq!(
        closed.events,
        [event(
            MIDNIGHT + 9,
            EventKind::TimeBack,
            Direction::Both,
            MIDNIGHT + 10,
            MIDNIGHT + 9
        )]
    );
    assert_eq!(meter.forward_mwh(), 9);
}

#[test]
fn an_uncovered_gap_emits_what_readings_touch_and_freezes_as_partial() {
    let mut meter = integrator();
    let end = MIDNIGHT + DAY + 5 * QUARTER;
    let closed = feed(
        &mut meter,
        &[(MIDNIGHT + 1, 1000), (end, 10)],
        &schedule(Some(1)),
    );
    let starts: Vec<(i64, u32, Quality)> = closed
        .intervals
        .iter()
        .map(|row| (row.start_ms, row.readings, row.quality))
        .collect();
    assert_eq!(
        starts,
        [
            (MIDNIGHT, 1, Quality::Partial),
            (end - QUARTER, 1, Quality::Partial)
        ]
    );
    assert!(
        closed
            .intervals
            .iter()
            .all(|row| row.forward_mwh == 0 && row.forward_total_mwh == 1000)
    );
    assert_eq!(closed.freezes.len(), 1);
    assert_eq!(
        (closed.freezes[0].time_ms, closed.freezes[0].quality),
        (MIDNIGHT + DAY, Quality::Partial)
    );
}

#[test]
fn a_midnight_inside_a_silence_beyond_400_days_does_not_freeze() {
    for (back, frozen) in [
        (MIDNIGHT + 401 * DAY + 1, vec![]),
        (MIDNIGHT + 401 * DAY, vec![MIDNIGHT + 401 * DAY]),
    ] {
        // The interval that is open when the silence begins ends at a midnight.
        let closed = feed(
            &mut integrator(),
            &[(MIDNIGHT - 1, 10), (back, 50)],
            &schedule(Some(1)),
        );
        let midnights: Vec<i64> = closed.freezes.iter().map(|row| row.time_ms).collect();
        assert_eq!(midnights, frozen);
    }
}

#[test]
fn silence_beyond_400_days_ends_the_segment_at_once() {
    let mut meter = with(&RegisterSettings {
        interval_ms: 60_000,
        ..RegisterSettings::default()
    });
    let back = MIDNIGHT + 7000 * 365 * DAY;
    let closed = feed(
        &mut meter,
        &[(MIDNIGHT + 1, 10), (back, 50), (back + 60_000, 51)],
        &schedule(Some(1)),
    );
    let kinds: Vec<EventKind> = closed.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Gap, EventKind::Jump, EventKind::Jump]);
    assert_eq!(closed.events[0].before, MIDNIGHT + 1);
    assert_eq!(meter.forward_mwh(), 11);
    let rows: Vec<(i64, i64, u32)> = closed
        .intervals
        .iter()
        .map(|row| (row.start_ms, row.forward_mwh, row.readings))
        .collect();
    assert_eq!(
        rows,
        [(MIDNIGHT, 0, 1), (back - 60_000, 0, 1), (back, 1, 1)]
    );

    let mut whole = with(&RegisterSettings {
        interval_ms: 60_000,
        ..RegisterSettings::default()
    });
    let closed = feed(
        &mut whole,
        &[(MIDNIGHT, 0), (MIDNIGHT + 400 * DAY, 576_000)],
        &schedule(Some(1)),
    );
    assert_eq!(closed.intervals.len(), 576_000);
    assert!(closed.intervals.iter().all(|row| row.forward_mwh == 1));
}

#[test]
fn a_reading_dated_wrongly_is_moved_and_no_energy_is_lost() {
    let factors = schedule(Some(1_000));
    for years in [-12_i64, 12] {
        let mut meter = integrator();
        let wrong = MIDNIGHT + years * 365 * DAY;
        let before = feed(
            &mut meter,
            &[(wrong, 1_000), (wrong + QUARTER + 60_000, 3_000)],
            &factors,
        );
        let right = MIDNIGHT + 2 * QUARTER - 30_000;
        let moved = meter.relocate(right, &factors).unwrap();
        assert_eq!(meter.last_time_ms(), Some(right));
        assert_eq!(moved.freezes, []);
        assert_eq!(moved.events, []);
        let after = feed(
            &mut meter,
            &[(right + 60_000, 3_600), (right + QUARTER + 30_000, 5_000)],
            &factors,
        );
        assert_eq!(after.events, []);
        let rows: Vec<(i64, i64, i64, Quality)> = [&before, &moved, &after]
            .iter()
            .flat_map(|closed| closed.intervals.iter())
            .map(|row| {
                (
                    row.start_ms,
                    row.forward_mwh,
                    row.forward_total_mwh,
                    row.quality,
                )
            })
            .collect();
        assert_eq!(rows.iter().map(|row| row.1).sum::<i64>(), 4_000);
        assert_eq!(rows[1].0, wrong + QUARTER);
        assert_eq!(rows[1].3, Quality::Partial);
        assert_eq!(rows[2].0, MIDNIGHT + QUARTER);
        assert_eq!(rows[2].3, Quality::Partial);
        assert_eq!(rows[3].2, 5_000);
        // A state written after the move is a good one.
        integrator().restore(&meter.state()).unwrap();
    }
}

#[test]
fn moving_within_the_open_interval_does_not_close_it_twice() {
    let factors = schedule(Some(1));
    let mut meter = integrator();
    feed(
        &mut meter,
        &[(MIDNIGHT, 0), (MIDNIGHT + 60_000, 100)],
        &factors,
    );
    for moved in [MIDNIGHT + 50_000, MIDNIGHT] {
        let closed = meter.relocate(moved, &factors).unwrap();
        assert_eq!(closed.intervals.len(), 0);
        assert_eq!(meter.last_time_ms(), Some(moved));
    }
    let closed = feed(&mut meter, &[(MIDNIGHT + QUARTER, 1_000)], &factors);
    assert_eq!(closed.intervals.len(), 1);
    let row = closed.intervals.get(0).unwrap();
    assert_eq!(
        (row.start_ms, row.forward_mwh, row.quality),
        (MIDNIGHT, 1_000, Quality::Partial)
    );
}

#[test]
fn moving_needs_a_reading_and_a_time_in_range() {
    let factors = schedule(None);
    let mut meter = integrator();
    assert_eq!(meter.relocate(MIDNIGHT, &factors).unwrap().events, []);
    assert_eq!(meter.last_time_ms(), None);
    feed(&mut meter, &[(MIDNIGHT, 1)], &factors);
    let state = meter.state();
    assert!(meter.relocate(i64::MAX, &factors).is_err());
    assert_eq!(meter.state(), state);
}
