//! Local midnights: daylight saving, days that begin late, dates that repeat or are missing, months, leap days.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use diantan_core::calendar::Calendar;
use diantan_core::error::TimeOutOfRange;
use diantan_core::record::FreezeKind;
use diantan_core::register::RegisterSettings;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn day_lengths(zone: &str, from: &str, days: usize) -> Vec<i64> {
    let calendar = Calendar::new(zone).unwrap();
    let mut start = calendar.day_start(ms(from)).unwrap();
    let mut lengths = Vec::new();
    for _ in 0..days {
        let next = calendar.next_day_start(start).unwrap();
        lengths.push((next - start) / HOUR);
        start = next;
    }
    lengths
}

#[test]
fn days_with_a_change_of_the_clock() {
    assert_eq!(
        day_lengths("Europe/Berlin", "2026-03-28T12:00Z", 3),
        [24, 23, 24]
    );
    assert_eq!(
        day_lengths("Europe/Berlin", "2026-10-24T12:00Z", 3),
        [24, 25, 24]
    );
    // Midnight does not exist in Beirut on 2026-03-29: the day begins at 01:00.
    assert_eq!(
        day_lengths("Asia/Beirut", "2026-03-28T12:00Z", 3),
        [24, 23, 24]
    );
    // Samoa had no 2011-12-30.
    assert_eq!(
        day_lengths("Pacific/Apia", "2011-12-29T12:00Z", 3),
        [24, 24, 24]
    );
    // St. John's fell back at 00:01 to 23:01 of the day before: the new day keeps its first midnight.
    assert_eq!(
        day_lengths("America/St_Johns", "2005-10-29T12:00Z", 3),
        [24, 25, 24]
    );
    assert_eq!(
        day_lengths("Asia/Shanghai", "2024-02-28T12:00Z", 3),
        [24; 3]
    );
}

#[test]
fn months_and_leap_days() {
    let calendar = Calendar::new("Asia/Shanghai").unwrap();
    let next = |text| calendar.next_month_start(ms(text)).unwrap();
    assert_eq!(next("2024-02-28T16:00Z"), ms("2024-02-29T16:00Z"));
    assert_eq!(next("2024-02-29T15:59:59.999Z"), ms("2024-02-29T16:00Z"));
    assert_eq!(next("2024-02-29T16:00Z"), ms("2024-03-31T16:00Z"));
    assert_eq!(next("2025-12-31T15:59Z"), ms("2025-12-31T16:00Z"));
}

#[test]
fn far_times_and_unknown_zones_are_refused() {
    let calendar = Calendar::new("Asia/Shanghai").unwrap();
    for time in [i64::MIN, -62_135_596_800_001, 253_370_678_400_000, i64::MAX] {
        assert_eq!(calendar.day_start(time), Err(TimeOutOfRange(time)));
        assert_eq!(calendar.next_day_start(time), Err(TimeOutOfRange(time)));
        assert_eq!(calendar.next_month_start(time), Err(TimeOutOfRange(time)));
    }
    assert!(calendar.next_month_start(253_370_678_399_999).is_ok());
    assert!(Calendar::new("").is_err());
    assert!(Calendar::new("../../etc/passwd").is_err());
}

fn zones() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "Asia/Shanghai",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Europe/Berlin",
        "Asia/Beirut",
        "America/St_Johns",
        "America/Sao_Paulo",
        "Pacific/Apia",
        "Africa/Cairo",
        "Australia/Lord_Howe",
        "UTC",
    ])
}

proptest! {
    #[test]
    fn midnights_enclose_every_instant(zone in zones(), time in -1_000_000_000_000_i64..4_000_000_000_000) {
        let calendar = Calendar::new(zone).unwrap();
        let start = calendar.day_start(time).unwrap();
        let end = calendar.next_day_start(time).unwrap();
        prop_assert!(start <= time && time < end);
        prop_assert!((end - start) <= 49 * HOUR && (end - start) >= HOUR);
        prop_assert_eq!(calendar.next_day_start(start).unwrap(), end);
        prop_assert_eq!(calendar.day_start(end).unwrap(), end);
        prop_assert_eq!(calendar.day_start(end - 1).unwrap(), start);
        let month = calendar.next_month_start(time).unwrap();
        prop_assert!(month >= end && calendar.day_start(month).unwrap() == month);
    }

    #[test]
    fn freezes_stand_at_every_midnight_and_nowhere_else(
        zone in zones(), from in 0_i64..1_900_000_000_000, days in 1_i64..399
    ) {
        let calendar = Calendar::new(zone).unwrap();
        let mut meter = with(&RegisterSettings { timezone: zone, ..RegisterSettings::default() });
        let to = from + days * DAY;
        let closed = feed(&mut meter, &[(from, 0), (to, 1_000_000)], &schedule(Some(1)));
        let (mut daily, mut monthly) = (Vec::new(), Vec::new());
        let mut day = calendar.next_day_start(from - 1).unwrap();
        while day <= to {
            daily.push(day);
            if calendar.next_month_start(day - 1).unwrap() == day {
                monthly.push(day);
            }
            day = calendar.next_day_start(day).unwrap();
        }
        let times = |kind| -> Vec<i64> {
            closed.freezes.iter().filter(|freeze| freeze.kind == kind).map(|freeze| freeze.time_ms).collect()
        };
        prop_assert_eq!(times(FreezeKind::Daily), daily);
        prop_assert_eq!(times(FreezeKind::Monthly), monthly);
    }
}
