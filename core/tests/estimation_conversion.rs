//! Chargers that meter their output: what their conversions differ by is told by the chargers themselves, and counted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "tests; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{
    Accumulator, Decision, Estimation, EstimationError, Known, Settings, estimate,
};
use estimation_truth::{Dice, Plan, Station, station};

/// A few days of a station whose conversions have this spread, none of its chargers altered.
fn sound(seed: u64, spread: f64) -> Station {
    station(|plan: &mut Plan| {
        plan.seed = seed;
        plan.days = 5;
        plan.altered = Vec::new();
        plan.conversion = Some((0.05, spread, 0.2));
    })
}

/// A longer one with two that are.
fn altered(seed: u64, share: f64, spread: f64) -> Station {
    station(|plan: &mut Plan| {
        plan.seed = seed;
        plan.conversion = Some((share, spread, 0.2));
    })
}

fn with(truth: &Station, change: impl FnOnce(&mut Settings)) -> Estimation {
    let mut settings = truth.settings();
    change(&mut settings);
    estimate(&settings, &truth.chargers(), &truth.windows()).unwrap()
}

fn bits(found: &Estimation) -> Vec<u64> {
    let chargers = found.chargers.iter().flat_map(|one| {
        [
            one.error.value,
            one.error.u,
            one.u_common,
            one.probability,
            one.altered,
            one.identified,
        ]
    });
    let spread = found
        .conversion_spread
        .map_or([0.0; 2], |one| [one.value, one.u]);
    chargers.chain(spread).map(f64::to_bits).collect()
}

#[test]
fn the_spread_is_found_small_where_chargers_agree_and_large_where_they_do_not() {
    let found = |spread: f64| -> Vec<f64> {
        let spreads = (1..=6).map(|seed| sound(seed, spread).estimate().conversion_spread);
        spreads.map(|spread| spread.unwrap().value).collect()
    };
    // A spread of none at all differs from the errors' own by no more than chance for 20 chargers.
    let (small, large) = (found(0.0003), found(0.008));
    assert!(small.iter().all(|value| *value < 0.0035), "{small:?}");
    assert!(small.iter().sum::<f64>() < 6.0 * 0.0028, "{small:?}");
    assert!(large.iter().all(|value| *value > 0.004), "{large:?}");
}

/// Spreads are drawn as they are taken to be: intervals cover then what they say, of errors and of the spread.
#[test]
fn intervals_cover_errors_and_spread() {
    let mut dice = Dice(77);
    let plain = Settings::default();
    let (mut squares, mut off, mut inside, mut all) = (0.0, 0.0, 0_usize, 0_usize);
    let stations = 40;
    for seed in 1..=stations {
        let spread = plain.conversion_spread * (plain.conversion_doubt * dice.normal()).exp();
        let truth = sound(seed, spread);
        let found = truth.estimate();
        let Known { value, u } = found.conversion_spread.unwrap();
        squares += ((value - spread) / u).powi(2) / stations as f64;
        off += (value - spread) / stations as f64;
        for (one, error) in found.chargers.iter().zip(&truth.errors) {
            all += 1;
            inside += usize::from((one.error.value - error).abs() <= 1.96 * one.error.u);
        }
    }
    assert!((0.5..1.6).contains(&squares), "{squares}");
    assert!(off.abs() < 0.0004, "{off}");
    let covered = inside as f64 / all as f64;
    assert!((0.92..0.985).contains(&covered), "{covered}");
}

/// With the spread as set, stations whose chargers differ more are as sure as others, and wrong.
#[test]
fn what_chargers_differ_by_widens_what_is_said_of_them() {
    let mean_u = |found: Estimation| -> f64 {
        let us = found.chargers.iter().map(|one| one.error.u);
        us.sum::<f64>() / found.chargers.len() as f64
    };
    for seed in 1..=3 {
        let (agree, differ) = (sound(seed, 0.0003), sound(seed, 0.008));
        let (narrow, wide) = (mean_u(agree.estimate()), mean_u(differ.estimate()));
        assert!(narrow < 0.9 * wide, "{narrow} {wide}");
        let given = with(&differ, |settings| settings.conversion_doubt = 0.0);
        // What the data say of a charger alone is as little as the larger spread leaves of it.
        let pairs = differ.estimate().chargers.into_iter().zip(&given.chargers);
        for (one, sure) in pairs {
            assert!(one.identified < 0.97 * sure.identified, "{one:?} {sure:?}");
        }
        assert!(mean_u(given) < wide);
    }
}

#[test]
fn a_spread_that_is_given_is_not_asked_for() {
    let truth = sound(3, 0.008);
    let found = with(&truth, |settings| settings.conversion_doubt = 0.0);
    let set = Settings::default().conversion_spread;
    assert_eq!(found.conversion_spread, Some(Known { value: set, u: 0.0 }));
}

#[test]
fn where_no_charger_meters_its_output_nothing_changes_to_the_bit() {
    let truth = station(|plan| plan.days = 5);
    let plain = truth.estimate();
    assert_eq!(plain.conversion_spread, None);
    for (spread, doubt) in [(0.003, 0.0), (0.0005, 0.35), (0.01, 2.0)] {
        let other = with(&truth, |settings| {
            settings.conversion_spread = spread;
            settings.conversion_doubt = doubt;
        });
        assert_eq!(bits(&plain), bits(&other), "{spread} {doubt}");
    }
}

/// An error shows larger at the master by what conversion takes: it isn't larger.
#[test]
fn an_error_is_that_of_the_meter_and_not_of_what_conversion_makes_of_it() {
    let mut off = Vec::new();
    for seed in 1..=4 {
        let truth = altered(seed, 0.1, 0.0003);
        let found = with(&truth, |settings| {
            settings.conversion_spread = 0.0003;
            settings.conversion_doubt = 0.0;
        });
        for (charger, error) in &truth.plan.altered {
            let one = &found.chargers[*charger];
            assert_eq!(one.decision, Decision::Flag);
            off.push((one.error.value - error) * error.signum());
        }
    }
    // A tenth of them, 0.35 % in the mean, is what conversion makes of it.
    let mean = off.iter().sum::<f64>() / off.len() as f64;
    assert!(mean.abs() < 0.001, "{off:?}");
}

#[test]
fn verified_chargers_settle_the_spread_and_stay_what_they_were_verified_as() {
    let truth = sound(5, 0.005);
    let alone = truth.estimate().conversion_spread.unwrap();
    let mut chargers = truth.chargers();
    let verified = Known {
        value: 0.0,
        u: 0.0005,
    };
    for (charger, error) in chargers.iter_mut().zip(&truth.errors).take(15) {
        charger.verified = Some(Known {
            value: *error,
            ..verified
        });
    }
    let found = estimate(&truth.settings(), &chargers, &truth.windows()).unwrap();
    let told = found.conversion_spread.unwrap();
    assert!(told.u < alone.u, "{told:?} {alone:?}");
    assert!((told.value - 0.005).abs() < 3.0 * told.u, "{told:?}");
    for (place, (one, error)) in found.chargers.iter().zip(&truth.errors).enumerate() {
        let off = (one.error.value - error).abs();
        assert!(off < 4.0 * one.error.u, "{place}: {error} {one:?}");
        let most = if place < 15 { 0.0006 } else { 0.005 };
        assert!(one.error.u < most, "{place}: {one:?}");
        assert!(place < 15 || one.error.u > 0.002, "{place}: {one:?}");
    }
}

/// Of a station with both kinds only the chargers in question tell, and only they are in doubt.
#[test]
fn beside_chargers_that_meter_their_input_only_the_others_are_in_doubt() {
    let truth = station(|plan| {
        plan.days = 5;
        plan.altered = Vec::new();
    });
    let mut chargers = truth.chargers();
    for charger in chargers.iter_mut().take(5) {
        charger.dc_output = true;
    }
    let mut settings = truth.settings();
    // They lose nothing in truth, and agree.
    settings.conversion = Known {
        value: 0.0,
        u: 0.02,
    };
    let found = estimate(&settings, &chargers, &truth.windows()).unwrap();
    assert!(found.conversion_spread.unwrap().value < 0.0035);
    let (output, input) = found.chargers.split_at(5);
    for one in output {
        assert!(one.error.u > 0.0015, "{one:?}");
    }
    for one in input {
        assert!(one.error.u < 0.0015, "{one:?}");
    }
}

#[test]
fn day_by_day_is_all_at_once_to_the_bit() {
    let truth = sound(9, 0.006);
    let (settings, chargers, windows) = (truth.settings(), truth.chargers(), truth.windows());
    let full = estimate(&settings, &chargers, &windows).unwrap();
    let reference = full.reference.clone();
    let mut sums = Accumulator::new(settings.clone(), chargers.clone(), reference).unwrap();
    sums.push(&windows).unwrap();
    assert_eq!(bits(&sums.estimate().unwrap()), bits(&full));
    let state = sums.to_bytes();
    let back = Accumulator::from_bytes(settings.clone(), chargers.clone(), &state).unwrap();
    assert_eq!(bits(&back.estimate().unwrap()), bits(&full));
    // Sums are those of one set of settings.
    let other = Settings {
        conversion_doubt: 0.0,
        ..settings
    };
    let refused = Accumulator::from_bytes(other, chargers, &state).unwrap_err();
    assert!(
        matches!(
            refused,
            EstimationError::State("it was made with other settings")
        ),
        "{refused}"
    );
}

#[test]
fn a_doubt_out_of_range_is_refused() {
    let truth = sound(1, 0.003);
    for doubt in [-0.1, 2.1, f64::NAN, f64::INFINITY] {
        let settings = Settings {
            conversion_doubt: doubt,
            ..truth.settings()
        };
        let refused = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap_err();
        assert!(
            matches!(
                refused,
                EstimationError::Setting {
                    name: "conversion_doubt",
                    ..
                }
            ),
            "{refused}"
        );
    }
    let most = with(&truth, |settings| settings.conversion_doubt = 2.0);
    assert!(most.chargers.iter().all(|one| one.error.u.is_finite()));
}
