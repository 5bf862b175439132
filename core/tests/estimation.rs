//! Error estimation against closed forms, a dense generalised least squares by brute force, and stations of known truth.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "tests; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{
    Charger, Decision, Known, Reason, Settings, Windows, estimate, nonconformity, upper_tail,
};
use estimation_truth::{Dice, MIDNIGHT, MINUTE, station};

#[test]
fn the_normal_tail_is_that_of_the_tables() {
    for (z, tail) in [
        (0.0, 0.5),
        (1.0, 0.158_655_253_931_457),
        (1.644_853_626_951_472_7, 0.05),
        (2.999, 0.001_354_337_403_779),
        (3.001, 0.001_345_473_605_906),
        (5.0, 2.866_515_718_791_94e-7),
        (10.0, 7.619_853_024_160_5e-24),
    ] {
        let (above, below) = (upper_tail(z), upper_tail(-z));
        assert!(
            (above - tail).abs() < 2e-6 * tail,
            "{z}: {above} for {tail}"
        );
        assert!((above + below - 1.0).abs() < 1e-14, "{z}");
    }
    assert!(upper_tail(f64::NAN).is_nan());
}

#[test]
fn nonconformity_takes_both_limits() {
    assert!((nonconformity(0.02, 0.001, 0.02) - 0.5).abs() < 1e-12);
    assert!((nonconformity(0.0, 0.02, 0.02) - 2.0 * 0.158_655_253_931_457).abs() < 1e-12);
    let (over, under) = (
        nonconformity(0.025, 0.002, 0.02),
        nonconformity(-0.025, 0.002, 0.02),
    );
    assert!((over - under).abs() < 1e-15 && over > 0.99);
}

/// Windows of two chargers with whole-window activity: every term has a closed form then.
fn plain_windows(count: usize, dice: &mut Dice) -> (Vec<i64>, Vec<f64>, Vec<Vec<f64>>) {
    let times: Vec<i64> = (0..=count as i64)
        .map(|row| MIDNIGHT + row * 15 * MINUTE)
        .collect();
    let energies: Vec<Vec<f64>> = (0..2)
        .map(|_| (0..count).map(|_| dice.between(1.0, 12.0)).collect())
        .collect();
    let master: Vec<f64> = (0..count)
        .map(|row| energies[0][row] + energies[1][row] + 0.1 + 0.05 * dice.normal())
        .collect();
    (times, master, energies)
}

/// Settings under which the model is linear with fixed noise: no mixture to speak of, no robust weights, no offsets.
fn linear() -> Settings {
    Settings {
        altered_sd: 0.02,
        sound_sd: 0.02,
        strange_share: 0.0,
        fit_offsets: false,
        fit_noise: false,
        night: None,
        trunk_loss: Some(1e-4),
        curve_sd: 0.0,
        profile_kw: 0.0,
        huber: 1e5,
        white: 0.001,
        jitter_s: 0.0,
        ..Settings::default()
    }
}

fn inverse(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let size = matrix.len();
    let mut work: Vec<Vec<f64>> = matrix
        .iter()
        .enumerate()
        .map(|(row, cells)| {
            let mut wide = cells.clone();
            wide.extend((0..size).map(|column| f64::from(u8::from(row == column))));
            wide
        })
        .collect();
    for pivot in 0..size {
        let best = (pivot..size)
            .max_by(|a, b| work[*a][pivot].abs().total_cmp(&work[*b][pivot].abs()))
            .unwrap();
        work.swap(pivot, best);
        let own = work[pivot].clone();
        for (row, cells) in work.iter_mut().enumerate() {
            let factor = if row == pivot {
                1.0 - 1.0 / own[pivot]
            } else {
                cells[pivot] / own[pivot]
            };
            for (cell, known) in cells.iter_mut().zip(&own) {
                *cell -= factor * known;
            }
        }
    }
    work.into_iter().map(|row| row[size..].to_vec()).collect()
}

#[test]
#[allow(clippy::too_many_lines, reason = "the whole model once more")]
fn the_estimate_is_that_of_a_dense_inverse() {
    let mut dice = Dice(7);
    let count = 60;
    let (times, master, energies) = plain_windows(count, &mut dice);
    let columns: Vec<&[f64]> = energies.iter().map(Vec::as_slice).collect();
    let mut windows = Windows::from_energies(&times, &master, &columns).unwrap();
    for charger in 0..2 {
        // Active all the time: the power of a window is its mean.
        windows
            .set_sessions(charger, &[(times[0], times[count])])
            .unwrap();
    }
    let settings = Settings {
        cohort_mean: 0.0015,
        ..linear()
    };
    let charger = Charger {
        branch_loss: Some(2e-4),
        ..Charger::default()
    };
    let chargers = vec![charger.clone(), charger];
    let found = estimate(&settings, &chargers, &windows).unwrap();
    // The same by brute force: unknowns b₁, b₂, trunk, branch 1, branch 2, P₀, g, m, level of branches.
    let hours = 0.25;
    let scale = found.scale;
    let mut design = Vec::new();
    let mut side = Vec::new();
    for row in 0..count {
        let own = [energies[0][row], energies[1][row]];
        let squares = own.map(|energy| energy * energy / hours);
        let sum = own[0] + own[1];
        let trunk = sum * sum / hours;
        design.push(vec![
            own[0],
            own[1],
            1e-4 * trunk,
            2e-4 * squares[0],
            2e-4 * squares[1],
            hours,
        ]);
        side.push(master[row] - sum);
    }
    let mut noise = vec![vec![0.0; count]; count];
    for row in 0..count {
        // Both chargers are active on both sides, but for the ends of the series: on one side only.
        let step = 0.01_f64.powi(2) / 12.0;
        let boundary = |inner: bool| if inner { 3.0 * step } else { 2.0 * step };
        noise[row][row] =
            boundary(row > 0) + boundary(row + 1 < count) + (0.001 * master[row]).powi(2) + 1e-6;
        if row > 0 {
            let boundary = boundary(true);
            noise[row][row - 1] = -boundary;
            noise[row - 1][row] = -boundary;
        }
    }
    let precise = inverse(&noise);
    let unknowns = 9;
    let mut normal = vec![vec![0.0; unknowns]; unknowns];
    let mut right = vec![0.0; unknowns];
    for a in 0..6 {
        for s in 0..count {
            let weighted: f64 = (0..count)
                .map(|t| design[t][a] * precise[t][s])
                .sum::<f64>()
                / (scale * scale);
            right[a] += weighted * side[s];
            for (b, cell) in normal[a].iter_mut().enumerate().take(6) {
                *cell += weighted * design[s][b];
            }
        }
    }
    let mut know = |function: &[(usize, f64)], value: f64, u: f64| {
        for (row, a) in function {
            right[*row] += a * value / (u * u);
            for (column, b) in function {
                normal[*row][*column] += a * b / (u * u);
            }
        }
    };
    know(&[(6, 1.0)], 0.0, 0.0025);
    know(&[(7, 1.0)], 0.0015, settings.cohort_sd);
    know(&[(2, 1.0)], 1.0, 0.3);
    know(&[(8, 1.0)], 1.0, 0.3);
    know(&[(3, 1.0), (8, -1.0)], 0.0, 0.3);
    know(&[(4, 1.0), (8, -1.0)], 0.0, 0.3);
    know(&[(5, 1.0)], 0.0, 10.0);
    know(&[(0, -1.0), (6, 1.0), (7, -1.0)], 0.0, 0.02);
    know(&[(1, -1.0), (6, 1.0), (7, -1.0)], 0.0, 0.02);
    let covariance = inverse(&normal);
    let values: Vec<f64> = covariance
        .iter()
        .map(|row| row.iter().zip(&right).map(|(a, b)| a * b).sum())
        .collect();
    for (number, estimate) in found.chargers.iter().enumerate() {
        let b = values[6] - values[number];
        let variance = covariance[6][6] + covariance[number][number] - 2.0 * covariance[6][number];
        let beta = b / (1.0 + values[6]);
        let error = beta / (1.0 - beta);
        assert!(
            (estimate.error.value - error).abs() < 1e-9,
            "{} for {error}",
            estimate.error.value
        );
        let u = variance.sqrt() / ((1.0 + values[6]) * (1.0 - beta).powi(2));
        assert!(
            (estimate.error.u / u - 1.0).abs() < 1e-7,
            "{} for {u}",
            estimate.error.u
        );
    }
    assert!((found.fixed_load_kw.value - values[5]).abs() < 1e-8);
    assert!((found.trunk_loss.value / 1e-4 - values[2]).abs() < 1e-7);
}

#[test]
fn errors_are_found_within_their_uncertainty() {
    let (mut inside, mut count, mut sum) = (0, 0, 0.0);
    for seed in 1..=8 {
        let truth = station(|plan| {
            plan.seed = seed;
            plan.load_dependence = 0.001;
        });
        let found = truth.estimate();
        assert!(found.findings.is_empty(), "{:?}", found.findings);
        for (estimate, error) in found.chargers.iter().zip(&truth.errors) {
            let apart = estimate.error.value - error;
            sum += apart.abs();
            count += 1;
            inside += i32::from(apart.abs() < 1.96 * estimate.error.u);
            assert!(
                apart.abs() < 5.0 * estimate.error.u,
                "{apart} beyond {}",
                estimate.error.u
            );
            let flagged = estimate.decision == Decision::Flag;
            assert_eq!(flagged, error.abs() > 0.025, "{error}: {estimate:?}");
        }
        let u_common = found.u_common;
        assert!(
            found
                .chargers
                .iter()
                .all(|one| one.u_common <= 1.1 * u_common && one.u_own < one.error.u)
        );
    }
    let mean = sum / f64::from(count);
    assert!(mean < 0.0013, "mean absolute error {mean}");
    assert!(inside * 100 >= count * 85, "{inside} of {count}");
}

#[test]
fn clock_offsets_are_found_and_cost_little() {
    let truth = station(|plan| {
        plan.seed = 5;
        plan.offset_sd_s = 90.0;
    });
    let found = truth.estimate();
    for ((estimate, error), offset) in found
        .chargers
        .iter()
        .zip(&truth.errors)
        .zip(&truth.offsets_s)
    {
        let own = estimate.offset_s.unwrap();
        assert!((own.value - offset).abs() < 3.0, "{offset} s: {own:?}");
        assert!(
            (estimate.error.value - error).abs() < 0.005,
            "{error}: {:?}",
            estimate.error
        );
    }
    let mut settings = truth.settings();
    settings.fit_offsets = false;
    let plain = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap();
    let worst = |found: &diantan_core::estimation::Estimation| {
        let apart = found
            .chargers
            .iter()
            .zip(&truth.errors)
            .map(|(one, error)| (one.error.value - error).abs());
        apart.sum::<f64>()
    };
    assert!(
        worst(&plain) > 1.5 * worst(&found),
        "{} and {}",
        worst(&plain),
        worst(&found)
    );
    assert!(plain.chargers[0].offset_s.is_none());
}

#[test]
fn gross_errors_and_missing_readings_cost_little() {
    let truth = station(|plan| {
        plan.gross = (0.01, 5.0);
        plan.missing = 0.2;
    });
    let found = truth.estimate();
    assert!(found.windows < 2_400, "{}", found.windows);
    let light = found
        .residuals
        .weight
        .iter()
        .filter(|weight| **weight < 0.2)
        .count();
    assert!((10..60).contains(&light), "{light}");
    assert_eq!(found.residuals.plain_kwh.len() as u64, found.windows);
    for (estimate, error) in found.chargers.iter().zip(&truth.errors) {
        assert!(
            (estimate.error.value - error).abs() < 4.0 * estimate.error.u,
            "{error}: {estimate:?}"
        );
    }
}

#[test]
fn a_certificate_and_verified_chargers_settle_what_the_balance_can_not() {
    let truth = station(|plan| {
        plan.seed = 9;
        plan.cohort = 0.004;
        plan.altered = Vec::new();
    });
    let apart = |found: &diantan_core::estimation::Estimation| {
        let all = found
            .chargers
            .iter()
            .zip(&truth.errors)
            .map(|(one, error)| one.error.value - error);
        (all.sum::<f64>() / 20.0).abs()
    };
    let believed = Settings {
        cohort_sd: 0.001,
        ..truth.settings()
    };
    let plain = estimate(&believed, &truth.chargers(), &truth.windows()).unwrap();
    let mut settings = believed.clone();
    settings.gain = Known {
        value: truth.gain,
        u: 0.0005,
    };
    let certified = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap();
    let expecting = Settings {
        cohort_mean: 0.004,
        cohort_sd: 0.0005,
        ..truth.settings()
    };
    let expecting = estimate(&expecting, &truth.chargers(), &truth.windows()).unwrap();
    assert!(
        apart(&expecting) < 0.4 * apart(&plain),
        "{} {}",
        apart(&expecting),
        apart(&plain)
    );
    assert!(expecting.u_common < 0.8 * plain.u_common);
    let mut chargers = truth.chargers();
    for number in [2, 7, 13] {
        chargers[number].verified = Some(Known {
            value: truth.errors[number],
            u: 0.001,
        });
    }
    let anchored = estimate(&believed, &chargers, &truth.windows()).unwrap();
    assert!(plain.u_common > 0.0009, "{}", plain.u_common);
    for better in [&certified, &anchored] {
        assert!(
            better.u_common < 0.75 * plain.u_common,
            "{} of {}",
            better.u_common,
            plain.u_common
        );
        assert!(
            apart(better) < 0.7 * apart(&plain),
            "{} of {}",
            apart(better),
            apart(&plain)
        );
    }
    assert!((anchored.chargers[7].error.value - truth.errors[7]).abs() < 0.0015);
}

#[test]
fn what_a_charger_was_before_its_meter_changed_is_told_apart() {
    let first = station(|plan| {
        plan.days = 20;
        plan.altered = vec![(4, 0.04)];
        plan.sessions_known = false;
    });
    let second = station(|plan| {
        plan.days = 20;
        plan.altered = vec![(4, 0.0)];
        plan.sessions_known = false;
    });
    // The same truth but for one meter, one after the other.
    let shift = 20 * 1440 * MINUTE;
    let mut times = first.times_ms.clone();
    times.extend(second.times_ms.iter().skip(1).map(|ms| ms + shift));
    let join = |a: &[f64], b: &[f64]| {
        let last = a[a.len() - 1];
        let later = b.iter().skip(1).map(|value| value + last - b[0]);
        a.iter().copied().chain(later).collect::<Vec<f64>>()
    };
    let master = join(&first.master, &second.master);
    let registers: Vec<Vec<f64>> = first
        .registers
        .iter()
        .zip(&second.registers)
        .map(|(a, b)| join(a, b))
        .collect();
    let columns: Vec<&[f64]> = registers.iter().map(Vec::as_slice).collect();
    let windows = Windows::from_registers(&times, &master, &columns).unwrap();
    let mut chargers = first.chargers();
    chargers[4].from_ms = Some(MIDNIGHT + shift);
    let found = estimate(&first.settings(), &chargers, &windows).unwrap();
    let (now, before) = (&found.chargers[4], &found.earlier[0]);
    assert_eq!((found.earlier.len(), before.charger), (1, 4));
    assert_eq!(
        (now.decision, before.decision),
        (Decision::Clear, Decision::Flag)
    );
    assert!(
        (before.error.value - 0.04).abs() < 4.0 * before.error.u,
        "{before:?}"
    );
    assert!(now.error.value.abs() < 4.0 * now.error.u, "{now:?}");
}

#[test]
fn chargers_metered_at_their_output_need_their_conversion() {
    let truth = station(|plan| plan.conversion = Some((0.05, 0.002, 0.2)));
    let found = truth.estimate();
    let conversion = found.conversion.unwrap();
    assert!(
        (conversion.value - 0.05).abs() < 3.0 * conversion.u,
        "{conversion:?}"
    );
    for (estimate, error) in found.chargers.iter().zip(&truth.errors) {
        assert!(
            (estimate.error.value - error).abs() < 4.0 * estimate.error.u,
            "{error}: {estimate:?}"
        );
        assert!(estimate.error.u > 0.0015, "{estimate:?}");
    }
}

#[test]
fn without_enough_data_the_prior_stands_and_nothing_is_decided() {
    let truth = station(|plan| {
        plan.days = 1;
        plan.sessions_per_day = 1.0;
    });
    let found = truth.estimate();
    for estimate in &found.chargers {
        if estimate.active_windows == 0 {
            assert_eq!(estimate.reason, Some(Reason::NeverCharged));
            assert!(
                estimate.error.value.abs() < 0.002 && estimate.error.u > 0.005,
                "{estimate:?}"
            );
        }
    }
    let none = estimate(&truth.settings(), &truth.chargers(), &Windows::empty(20)).unwrap();
    assert!(
        none.chargers
            .iter()
            .all(|one| one.reason == Some(Reason::NeverCharged))
    );
    assert_eq!((none.windows, none.span_ms), (0, None));
}

#[test]
fn errors_that_change_with_load_are_told_with_their_uncertainty() {
    let mut beyond = [0, 0];
    for seed in 21..24 {
        let truth = station(|plan| {
            plan.seed = seed;
            plan.load_dependence = if seed == 22 { 0.0007 } else { -0.0007 };
        });
        let middle = f64::midpoint(truth.plan.power_kw.0, truth.plan.power_kw.1);
        for (place, curve_sd) in [0.0, Settings::default().curve_sd].into_iter().enumerate() {
            let settings = Settings {
                // As certain as a certificate makes it: nothing else hides what load does.
                gain: Known {
                    value: truth.gain,
                    u: 0.0002,
                },
                cohort_sd: 0.0002,
                curve_sd,
                ..truth.settings()
            };
            let found = estimate(&settings, &truth.chargers(), &truth.windows()).unwrap();
            for ((one, error), power) in found.chargers.iter().zip(&truth.errors).zip(&truth.power)
            {
                let energy: f64 = power.iter().sum();
                let squares: f64 = power.iter().map(|kw| kw * kw).sum();
                let mean = truth.plan.load_dependence * (squares / energy / middle - 1.0);
                let apart = (one.error.value - error - mean).abs();
                beyond[place] += u32::from(apart > 1.96 * one.error.u);
            }
        }
    }
    assert!(beyond[1] <= 4, "{beyond:?} of 60");
    assert!(beyond[0] > 2 * beyond[1], "{beyond:?}");
}
