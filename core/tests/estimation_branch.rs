//! Losses of single branches as measured: what a measurement makes of a branch, of its charger's error and of the others.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "tests; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{
    Accumulator, Charger, Estimation, EstimationError, Known, Settings, estimate,
};
use estimation_truth::{Station, station};

fn month(load_dependence: f64, seed: u64) -> Station {
    station(|plan| {
        plan.seed = seed;
        plan.chargers = 10;
        plan.altered = vec![(3, 0.03)];
        plan.load_dependence = load_dependence;
        plan.master_step = 0.8;
    })
}

/// The chargers of a station, all branches measured: how well, and how far off in so many u.
fn measured(truth: &Station, share: f64, off: f64) -> Vec<Charger> {
    let mut chargers = truth.chargers();
    for (charger, loss) in chargers.iter_mut().zip(&truth.branch_losses) {
        charger.branch_measured = Some(Known {
            value: loss * (1.0 + off * share),
            u: loss * share,
        });
    }
    chargers
}

fn with(truth: &Station, chargers: &[Charger]) -> Estimation {
    estimate(&truth.settings(), chargers, &truth.windows()).unwrap()
}

fn off(found: &Estimation, truth: &Station) -> f64 {
    let own = found.chargers.iter().zip(&truth.errors);
    let all: f64 = own
        .map(|(one, error)| (one.error.value - error).powi(2))
        .sum();
    all / truth.errors.len() as f64
}

#[test]
fn the_posterior_of_a_branch_follows_its_measurement() {
    let truth = month(0.0, 1);
    let plain = with(&truth, &truth.chargers());
    let found = with(&truth, &measured(&truth, 0.05, 0.0));
    for ((one, before), loss) in found
        .chargers
        .iter()
        .zip(&plain.chargers)
        .zip(&truth.branch_losses)
    {
        let own = one.branch_loss;
        assert!((own.value / loss - 1.0).abs() < 0.1, "{own:?} for {loss}");
        assert!(
            own.u <= 0.05 * loss && own.u < 0.5 * before.branch_loss.u,
            "{own:?}"
        );
        assert!(one.error.u < before.error.u);
    }
    // One branch alone: what is said of it moves by what is measured, and its charger's error the other way.
    let mut chargers = truth.chargers();
    let mut moved = Vec::new();
    for factor in [0.9, 1.1] {
        let value = factor * truth.branch_losses[2];
        chargers[2].branch_measured = Some(Known {
            value,
            u: 1e-3 * value,
        });
        let one = with(&truth, &chargers).chargers[2].clone();
        assert!((one.branch_loss.value / value - 1.0).abs() < 2e-3);
        moved.push((one.branch_loss.value, one.error.value));
    }
    assert!(
        moved[1].0 > moved[0].0 && moved[1].1 > moved[0].1,
        "{moved:?}"
    );
}

#[test]
fn errors_are_better_with_measured_branches() {
    let (mut plain, mut known) = (0.0, 0.0);
    for seed in 1..=8 {
        let truth = month(0.001, seed);
        plain += off(&with(&truth, &truth.chargers()), &truth);
        known += off(&with(&truth, &measured(&truth, 0.05, 0.0)), &truth);
    }
    assert!(known < 0.75 * plain, "{known} and {plain}");
}

#[test]
fn a_measurement_is_of_the_true_loss_where_the_error_depends_on_load() {
    // An error that grows with power hides a part of the branch's loss: were the measurement taken for what is left of
    // it, the branch would come out wrong by the part of the curve, several of the u measured here.
    let truth = station(|plan| {
        plan.chargers = 6;
        plan.days = 60;
        plan.altered = Vec::new();
        plan.load_dependence = 0.004;
        plan.power_kw = (10.0, 58.0);
        plan.white = 0.0001;
    });
    let settings = Settings {
        curve_sd: 0.01,
        ..truth.settings()
    };
    let chargers = measured(&truth, 1e-4, 0.0);
    let found = estimate(&settings, &chargers, &truth.windows()).unwrap();
    let plain = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap();
    let (mut with_it, mut without) = (Vec::new(), Vec::new());
    for (number, one) in found.chargers.iter().enumerate() {
        let loss = truth.branch_losses[number];
        assert!((one.branch_loss.value / loss - 1.0).abs() < 1e-3);
        // The error at the mean load by energy, as it shows.
        let middle = f64::midpoint(10.0, 58.0);
        let own = &truth.power[number];
        let energy: f64 = own.iter().sum();
        let shown: f64 = own.iter().map(|kw| kw * 0.004 * (kw / middle - 1.0)).sum();
        let error = truth.errors[number] + shown / energy;
        with_it.push(one.error.value - error);
        without.push(plain.chargers[number].error.value - error);
        assert!(
            (one.error.value - error).abs() < 3.5 * one.error.u,
            "{one:?} for {error}"
        );
    }
    // What all have in common no measurement of a branch tells.
    let apart = |off: &[f64]| -> f64 {
        let mean = off.iter().sum::<f64>() / off.len() as f64;
        off.iter().map(|one| (one - mean).abs()).sum()
    };
    let (with_it, without) = (apart(&with_it), apart(&without));
    assert!(with_it < 0.3 * without, "{with_it} and {without}");
}

#[test]
fn branches_without_a_design_are_like_those_measured() {
    let mut truth = month(0.0, 4);
    truth.plan.designed = false;
    let mut chargers = measured(&truth, 0.05, 0.0);
    chargers[5].branch_measured = None;
    let found = with(&truth, &chargers);
    let (own, loss) = (found.chargers[5].branch_loss, truth.branch_losses[5]);
    assert!(
        (own.value - loss).abs() < 3.0 * own.u && own.u < 0.5 * loss,
        "{own:?} for {loss}"
    );
    // A design of 0 says nothing beside a measurement.
    chargers[4].branch_loss = Some(0.0);
    let found = with(&truth, &chargers);
    let ratio = found.chargers[4].branch_loss.value / truth.branch_losses[4];
    assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
}

#[test]
fn absurd_measurements_break_nothing() {
    let truth = month(0.0, 2);
    for (value, u) in [(0.0, 1e-6), (1e6, 1.0), (1e-30, 1e-9), (1e-4, 1e6)] {
        for designed in [true, false] {
            let mut chargers = truth.chargers();
            chargers[1].branch_measured = Some(Known { value, u });
            if !designed {
                chargers[1].branch_loss = None;
            }
            let found = estimate(&truth.settings(), &chargers, &truth.windows());
            match found {
                Ok(found) => {
                    for one in &found.chargers {
                        assert!(one.error.value.is_finite() && one.error.u.is_finite());
                    }
                }
                Err(error) => assert_eq!(error, EstimationError::Unsolvable),
            }
        }
    }
}

#[test]
fn measurements_out_of_range_name_their_charger() {
    let truth = month(0.0, 1);
    let bad = [
        (-1e-9, 1e-6, "branch_measured"),
        (f64::NAN, 1e-6, "branch_measured"),
        (f64::INFINITY, 1e-6, "branch_measured"),
        (1e-4, 0.0, "branch_measured u"),
        (1e-4, -1.0, "branch_measured u"),
        (1e-4, f64::NAN, "branch_measured u"),
    ];
    for (value, u, named) in bad {
        let mut chargers = truth.chargers();
        chargers[7].branch_measured = Some(Known { value, u });
        let refused = estimate(&truth.settings(), &chargers, &truth.windows()).unwrap_err();
        assert!(
            matches!(refused, EstimationError::Charger { charger: 7, name, .. } if name == named),
            "{refused:?}"
        );
    }
}

#[test]
fn sums_made_with_another_measurement_are_refused() {
    let truth = month(0.0, 1);
    let chargers = measured(&truth, 0.05, 0.0);
    let found = with(&truth, &chargers);
    let mut sums = Accumulator::new(truth.settings(), chargers.clone(), found.reference).unwrap();
    sums.push(&truth.windows()).unwrap();
    let state = sums.to_bytes();
    assert!(Accumulator::from_bytes(truth.settings(), chargers, &state).is_ok());
    let others = measured(&truth, 0.05, 0.5);
    assert_eq!(
        Accumulator::from_bytes(truth.settings(), others, &state).unwrap_err(),
        EstimationError::State("it was made with other settings")
    );
}
