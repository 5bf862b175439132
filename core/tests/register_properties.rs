//! Register mode: exact parts, any partition into calls, restarts at any cut, hostile numbers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use diantan_core::error::IntegrationError;
use diantan_core::record::{Closed, Interval};
use diantan_core::split::share_before;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn shares_rise_and_add_up(difference in 0..=i64::MAX, whole in 1_i64..40 * DAY, cuts in vec(0.0..=1.0_f64, 0..6)) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let mut cuts: Vec<i64> = cuts.iter().map(|cut| (cut * whole as f64) as i64).collect();
        cuts.sort_unstable();
        let mut before = 0;
        for cut in cuts {
            let share = share_before(difference, cut, whole);
            let exact = i128::from(difference) * i128::from(cut) / i128::from(whole);
            prop_assert_eq!(i128::from(share), exact);
            prop_assert!(share >= before);
            before = share;
        }
        prop_assert_eq!(share_before(difference, whole, whole), difference);
    }

    #[test]
    fn intervals_continue_each_other(r in readings(), f in factors(), s in settings()) {
        let mut meter = with(&s);
        let closed = meter.feed(&r.times, &r.forward, &r.reverse, &f, false).unwrap();
        let (mut carbon, mut pending) = ((0_i128, 0_i128), (0, 0));
        let mut before: Option<Interval> = None;
        for row in closed.intervals.iter() {
            prop_assert!(row.duration_ms > 0 && row.duration_ms <= s.interval_ms);
            prop_assert_eq!(row.start_ms.div_euclid(s.interval_ms), (row.start_ms + row.duration_ms - 1).div_euclid(s.interval_ms));
            prop_assert!(row.forward_mwh >= 0 && row.reverse_mwh >= 0);
            if let Some(before) = before {
                prop_assert!(before.start_ms + before.duration_ms <= row.start_ms);
                prop_assert_eq!(before.forward_total_mwh + row.forward_mwh, row.forward_total_mwh);
                prop_assert_eq!(before.reverse_total_mwh + row.reverse_mwh, row.reverse_total_mwh);
                prop_assert_eq!(before.carbon_forward_total_ug + row.carbon_forward_ug, row.carbon_forward_total_ug);
            } else {
                prop_assert_eq!(row.forward_total_mwh - row.forward_mwh, r.forward[0]);
            }
            prop_assert_eq!((row.factor, row.factor_quality), f.at(row.start_ms));
            let mg = row.factor.map_or(0, |factor| i128::from(factor.mg_per_kwh()));
            carbon.0 += i128::from(row.forward_mwh) * mg;
            carbon.1 += i128::from(row.reverse_mwh) * mg;
            prop_assert_eq!(i128::from(row.carbon_forward_total_ug), carbon.0 / 1000);
            if row.factor.is_none() {
                pending.0 += row.forward_mwh;
                pending.1 += row.reverse_mwh;
            }
            before = Some(row);
        }
        prop_assert_eq!((meter.carbon_forward_ng(), meter.carbon_reverse_ng()), carbon);
        prop_assert_eq!((meter.pending_forward_mwh(), meter.pending_reverse_mwh()), pending);
    }

    #[test]
    fn calls_and_restarts_change_nothing(
        r in readings(), f in factors(), s in settings(), cuts in vec(any::<proptest::sample::Index>(), 0..5), exchanged: bool
    ) {
        let mut whole = with(&s);
        let expected = whole.feed(&r.times, &r.forward, &r.reverse, &f, exchanged).unwrap();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(r.times.len() + 1)).collect();
        ends.push(r.times.len());
        ends.sort_unstable();
        let mut parts = Closed::default();
        let (mut meter, mut begin) = (with(&s), 0);
        for (call, end) in ends.into_iter().enumerate() {
            let range = begin..end;
            let part = meter.feed(
                &r.times[range.clone()], &r.forward[range.clone()], &r.reverse[range], &f, exchanged && call == 0
            ).unwrap();
            append(&mut parts, part);
            let state = meter.state();
            meter = with(&s);
            meter.restore(&state).unwrap();
            prop_assert_eq!(&meter.state(), &state);
            begin = end;
        }
        prop_assert_eq!(parts, expected);
        prop_assert_eq!(meter.state(), whole.state());
    }

    #[test]
    fn absurd_numbers_are_refused_and_change_nothing(
        times in vec(any::<i64>(), 0..6), forward in vec(any::<i64>(), 6), reverse in vec(any::<i64>(), 6), mg: u32
    ) {
        let mut meter = integrator();
        let factors = schedule(Some(mg));
        feed(&mut meter, &[(MIDNIGHT, 0), (MIDNIGHT + 1, 5)], &factors);
        let state = meter.state();
        let n = times.len();
        if meter.feed(&times, &forward[..n], &reverse[..n], &factors, false).is_err() {
            prop_assert_eq!(meter.state(), state);
        }
    }

    #[test]
    fn damaged_states_are_refused(r in readings(), position: proptest::sample::Index, flip in 1..=255_u8) {
        let mut meter = integrator();
        meter.feed(&r.times, &r.forward, &r.reverse, &schedule(None), false).unwrap();
        let mut state = meter.state();
        let at = position.index(state.len());
        state[at] ^= flip;
        let damaged = integrator().restore(&state);
        prop_assert!(matches!(damaged, Err(IntegrationError::State(_))));
        state[at] ^= flip;
        state.truncate(at);
        prop_assert!(integrator().restore(&state).is_err());
    }
}
