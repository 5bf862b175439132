//! Error estimation against closed forms and a dense generalised least squares by brute force.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "tests; small numbers"
)]

mod estimation_truth;

use diantan_core::estimation::{Charger, Settings, Windows, estimate, nonconformity, upper_tail};
use estimation_truth::{Dice, MIDNIGHT, MINUTE};

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
