//! Reconciliation: balance, least squares, bad readings, and networks that need nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod flow;

use diantan_core::carbon_flow::Grid;
use diantan_core::carbon_flow::reconcile::{
    BranchReading, Reading, Readings, ReconcileError, ReconcileSettings, Reconciliation, Which,
    reconcile,
};
use flow::network;
use proptest::prelude::*;

/// Readings of a grid that are changed and reconciled.
#[derive(Debug, Clone)]
struct Case {
    grid: Grid,
    branches: Vec<BranchReading>,
    sources: Vec<Reading>,
    loads: Vec<Reading>,
}

/// A reading, and how to make it a bad one.
type Spoilt = (Which, fn(&mut Case));

fn reading(megawatts: f64, sigma: f64) -> Reading {
    Reading { megawatts, sigma }
}

impl Case {
    fn new(
        nodes: usize,
        branches: &[(u32, u32, f64, f64)],
        sources: &[(u32, f64)],
        loads: &[(u32, f64)],
        sigma: f64,
    ) -> Self {
        let ends: Vec<[u32; 2]> = branches.iter().map(|b| [b.0, b.1]).collect();
        let at = |places: &[(u32, f64)]| places.iter().map(|p| p.0).collect::<Vec<u32>>();
        let values = |places: &[(u32, f64)]| places.iter().map(|p| reading(p.1, sigma)).collect();
        Self {
            grid: Grid::new(nodes, &ends, &at(sources), &at(loads), &[]).unwrap(),
            branches: branches
                .iter()
                .map(|b| BranchReading {
                    from: reading(b.2, sigma),
                    to: reading(b.3, sigma),
                    loss: None,
                })
                .collect(),
            sources: values(sources),
            loads: values(loads),
        }
    }

    fn try_run(&self, settings: &ReconcileSettings) -> Result<Reconciliation, ReconcileError> {
        let readings = Readings {
            branches: &self.branches,
            sources: &self.sources,
            loads: &self.loads,
            storages: &[],
        };
        reconcile(&self.grid, &readings, settings)
    }

    fn run(&self) -> Reconciliation {
        self.try_run(&ReconcileSettings::default()).unwrap()
    }

    /// Take every reading's residual, and look for no bad ones.
    fn run_plain(&self) -> Reconciliation {
        let settings = ReconcileSettings {
            max_normalised_residual: 1e9,
            max_rounds: 1,
            ..ReconcileSettings::default()
        };
        self.try_run(&settings).unwrap()
    }
}

/// A ring of four with a plant, two towns, and losses; balanced.
fn ring() -> Case {
    ring_beside(0, &[], &[])
}

/// The ring, and more nodes, sources and loads that have nothing to do with it.
fn ring_beside(nodes: usize, sources: &[(u32, f64)], loads: &[(u32, f64)]) -> Case {
    let mut case = Case::new(
        4 + nodes,
        &[
            (0, 1, 60.0, -59.0),
            (1, 2, 19.0, -18.5),
            (3, 2, 11.5, -11.0),
            (0, 3, 40.0, -39.0),
        ],
        &[&[(0, 100.0)], sources].concat(),
        &[&[(1, 40.0), (2, 29.5), (3, 27.5)], loads].concat(),
        0.5,
    );
    for branch in &mut case.branches {
        let loss = branch.from.megawatts + branch.to.megawatts;
        branch.loss = Some(reading(loss, 0.1));
    }
    case
}

#[test]
fn a_difference_is_shared_by_variance() {
    // 100 in with σ 1, 97 out with σ 2: the mismatch of 3 goes 1 to 4.
    let mut case = Case::new(1, &[], &[(0, 100.0)], &[(0, 97.0)], 1.0);
    case.loads[0].sigma = 2.0;
    let done = case.run();
    assert!((done.sources[0] - 99.4).abs() < 1e-12);
    assert!((done.loads[0] - 99.4).abs() < 1e-12);
    assert!((done.imbalance_before[0] - 3.0).abs() < 1e-12);
    assert!(done.imbalance_after[0].abs() < 1e-12);
    assert!((done.chi_square - 9.0 / 5.0).abs() < 1e-12);
    assert_eq!(done.degrees_of_freedom, 1);
    let root = (9.0_f64 / 5.0).sqrt();
    for residual in done.injection_residuals {
        assert!((residual.unwrap() - root).abs() < 1e-12);
    }
    assert!(done.findings.is_empty());
}

#[test]
fn readings_that_can_not_be_told_apart_are_all_suspect_and_none_is_left_out() {
    let done = Case::new(1, &[], &[(0, 100.0)], &[(0, 80.0)], 1.0).run();
    let which: Vec<Which> = done.findings.iter().map(|one| one.which).collect();
    assert_eq!(which, [Which::Source(0), Which::Load(0)]);
    assert!(done.ambiguous);
    assert!(done.findings.iter().all(|one| !one.left_out));
    assert!(done.probability < 1e-10);
}

#[test]
fn readings_that_can_not_be_told_apart_hide_no_other_bad_reading() {
    // A bad reading that the ring's others tell, beside two nodes where nobody can say which of both is wrong.
    let mut case = ring_beside(2, &[(4, 100.0), (5, 100.0)], &[(4, 400.0), (5, 160.0)]);
    case.branches[1].from.megawatts = -19.0;
    let done = case.run();
    let found: Vec<(Which, bool)> = done
        .findings
        .iter()
        .map(|one| (one.which, one.left_out))
        .collect();
    let expected = [
        (Which::Source(1), false),
        (Which::Load(3), false),
        (Which::Source(2), false),
        (Which::Load(4), false),
        (Which::From(1), true),
    ];
    assert_eq!(found, expected);
    assert!(done.ambiguous);
    assert!((done.branches[1][0] - 19.0).abs() < 1e-4);
    // What is told of and not left out has been reconciled, not taken for missing.
    assert!((done.sources[1] - 250.0).abs() < 1e-9 && (done.loads[3] - 250.0).abs() < 1e-9);
    assert!((done.sources[2] - 130.0).abs() < 1e-9 && (done.loads[4] - 130.0).abs() < 1e-9);

    // Where only one round may set readings aside, the next suspects are told and none is left out.
    let settings = ReconcileSettings {
        max_bad_readings: 1,
        ..ReconcileSettings::default()
    };
    let told = case.try_run(&settings).unwrap().findings;
    let which: Vec<Which> = told.iter().map(|one| one.which).collect();
    assert_eq!(
        which,
        [
            Which::Source(1),
            Which::Load(3),
            Which::Source(2),
            Which::Load(4)
        ]
    );
    assert!(told.iter().all(|one| !one.left_out));
}

#[test]
fn a_bad_reading_is_found_and_left_out_and_the_rest_put_it_right() {
    let bad: [Spoilt; 4] = [
        (Which::From(1), |case| {
            case.branches[1].from.megawatts = -19.0;
        }),
        (Which::To(3), |case| {
            case.branches[3].to.megawatts = 0.0;
        }),
        (Which::Source(0), |case| {
            case.sources[0].megawatts = 130.0;
        }),
        (Which::Load(1), |case| {
            case.loads[1].megawatts = 2.95;
        }),
    ];
    for (which, spoil) in bad {
        let mut case = ring();
        spoil(&mut case);
        let done = case.run();
        assert_eq!(done.findings.len(), 1, "{which:?}: {:?}", done.findings);
        assert_eq!(done.findings[0].which, which);
        assert!(done.findings[0].left_out && !done.ambiguous);
        assert!(done.chi_square < 1e-6);
        assert!((done.sources[0] - 100.0).abs() < 1e-4);
        assert!((done.loads[1] - 29.5).abs() < 1e-4);
        assert!((done.branches[1][0] - 19.0).abs() < 1e-4);
        assert!((done.branches[3][1] + 39.0).abs() < 1e-4);
    }
}

#[test]
fn a_missing_reading_has_its_value_from_the_others() {
    let mut case = ring();
    case.branches[2].from.megawatts = f64::NAN;
    case.loads[0].megawatts = f64::INFINITY;
    let done = case.run();
    assert!((done.branches[2][0] - 11.5).abs() < 1e-4);
    assert!((done.loads[0] - 40.0).abs() < 1e-4);
    assert!(done.findings.is_empty());
    assert_eq!(done.branch_residuals[2][0], None);
    assert_eq!(done.injection_residuals[1], None);
    // 4 nodes and 4 losses, less 2 values to find.
    assert_eq!(done.degrees_of_freedom, 6);
}

#[test]
fn no_branch_gives_more_than_it_takes() {
    let case = Case::new(2, &[(0, 1, 50.0, -50.6)], &[(0, 50.0)], &[(1, 50.6)], 1.0);
    let done = case.run();
    assert_eq!(done.held, [0]);
    assert!((done.branches[0][0] + done.branches[0][1]).abs() < 1e-9);
    assert!((done.sources[0] - 50.3).abs() < 1e-9);
    assert!(done.rounds > 1);
    // With a loss that the other readings insist on, it is let go again.
    let mut case = case;
    case.branches[0].to.megawatts = -50.1;
    case.sources[0] = reading(52.0, 0.1);
    case.loads[0] = reading(50.0, 0.1);
    let done = case.run();
    assert!(done.held.is_empty());
}

#[test]
fn what_may_not_be_corrected_stays_and_what_is_left_is_told() {
    let case = Case::new(2, &[(0, 1, 5.0, -5.0)], &[(0, 10.0)], &[(1, 8.0)], 0.0);
    let done = case.run();
    assert!((done.branches[0][0] - 5.0).abs() < 1e-15);
    assert!((done.imbalance_after[0] - 5.0).abs() < 1e-15);
    assert!((done.imbalance_after[1] + 3.0).abs() < 1e-15);
    assert_eq!(done.degrees_of_freedom, 0);
}

#[test]
fn nonsense_is_refused() {
    for sigma in [-1.0, f64::NAN, f64::INFINITY] {
        let mut case = ring();
        case.loads[2].sigma = sigma;
        let refused = case.try_run(&ReconcileSettings::default()).unwrap_err();
        assert!(
            refused.to_string().contains("of load number 2"),
            "{refused}"
        );
    }
    let mut case = ring();
    case.loads.pop();
    assert!(case.try_run(&ReconcileSettings::default()).is_err());
    let settings = ReconcileSettings {
        missing_sigma_megawatts: 0.0,
        ..ReconcileSettings::default()
    };
    assert!(ring().try_run(&settings).is_err());
}

/// Gauss and Jordan.
fn inverse(mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let count = rows.len();
    for (at, row) in rows.iter_mut().enumerate() {
        row.extend((0..count).map(|column| f64::from(u8::from(column == at))));
    }
    for column in 0..count {
        let pivot = (column..count)
            .max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))
            .unwrap();
        rows.swap(column, pivot);
        let scale = rows[column][column];
        for entry in &mut rows[column] {
            *entry /= scale;
        }
        let unit = rows[column].clone();
        for (at, row) in rows.iter_mut().enumerate() {
            let share = row[column];
            if at != column && share != 0.0 {
                for (entry, above) in row.iter_mut().zip(&unit) {
                    *entry -= share * above;
                }
            }
        }
    }
    rows.into_iter().map(|row| row[count..].to_vec()).collect()
}

/// Values and normalised residuals by the whole equations, Lagrange multipliers and all.
fn dense(case: &Case) -> (Vec<f64>, Vec<f64>) {
    let nodes = case.grid.nodes();
    let mut measured = Vec::new();
    let mut balance = vec![Vec::new(); nodes];
    let mut add = |node: u32, sign: f64, reading: &Reading| {
        for (row, entries) in balance.iter_mut().enumerate() {
            entries.push(if row == node as usize { sign } else { 0.0 });
        }
        measured.push((reading.megawatts, reading.sigma * reading.sigma));
    };
    for (ends, branch) in case.grid.branches().iter().zip(&case.branches) {
        add(ends[0], -1.0, &branch.from);
        add(ends[1], -1.0, &branch.to);
    }
    for (node, source) in case.grid.sources().iter().zip(&case.sources) {
        add(*node, 1.0, source);
    }
    for (node, load) in case.grid.loads().iter().zip(&case.loads) {
        add(*node, -1.0, load);
    }
    let count = measured.len();
    let used: Vec<&Vec<f64>> = balance
        .iter()
        .filter(|row| row.iter().any(|entry| *entry != 0.0))
        .collect();
    let order = count + used.len();
    let mut rows = vec![vec![0.0; order]; order];
    let mut side = vec![0.0; order];
    for (at, (value, variance)) in measured.iter().enumerate() {
        rows[at][at] = 1.0 / variance;
        side[at] = value / variance;
        for (number, row) in used.iter().enumerate() {
            rows[at][count + number] = row[at];
            rows[count + number][at] = row[at];
        }
    }
    for (branch, reading) in case.branches.iter().enumerate() {
        if let Some(loss) = reading.loss {
            let variance = loss.sigma * loss.sigma;
            for one in [2 * branch, 2 * branch + 1] {
                side[one] += loss.megawatts / variance;
                for other in [2 * branch, 2 * branch + 1] {
                    rows[one][other] += 1.0 / variance;
                }
            }
        }
    }
    let covariance = inverse(rows);
    let values: Vec<f64> = covariance[..count]
        .iter()
        .map(|row| row.iter().zip(&side).map(|(a, b)| a * b).sum())
        .collect();
    let residuals = (0..count)
        .map(|at| {
            let left: f64 = measured[at].1 - covariance[at][at];
            (values[at] - measured[at].0).abs() / left.max(0.0).sqrt()
        })
        .collect();
    (values, residuals)
}

/// A balanced network with readings of some σ, and losses known on every second branch.
fn case() -> impl Strategy<Value = (Case, Case)> {
    network(7).prop_flat_map(|network| {
        let count = 2 * network.branches.len() + network.sources.len() + network.loads.len();
        let errors = prop::collection::vec((0.05..2.0, -2.0..2.0), count);
        errors.prop_map(move |errors| {
            let exact = Case {
                grid: network.grid(),
                branches: network
                    .branches
                    .iter()
                    .enumerate()
                    .map(|(at, (_, flow))| {
                        let from = flow.from_in_megawatts - flow.from_out_megawatts;
                        let to = flow.to_in_megawatts - flow.to_out_megawatts;
                        BranchReading {
                            from: reading(from, errors[2 * at].0),
                            to: reading(to, errors[2 * at + 1].0),
                            loss: (at % 2 == 0).then(|| reading(from + to, 0.3)),
                        }
                    })
                    .collect(),
                sources: network
                    .sources
                    .iter()
                    .map(|(_, source)| reading(source.megawatts, 0.7))
                    .collect(),
                loads: network
                    .loads
                    .iter()
                    .map(|(_, load)| reading(load.megawatts, 0.4))
                    .collect(),
            };
            let mut noisy = exact.clone();
            for (branch, error) in noisy.branches.iter_mut().zip(errors.chunks(2)) {
                branch.from.megawatts += error[0].1 * branch.from.sigma;
                branch.to.megawatts += error[1].1 * branch.to.sigma;
            }
            (exact, noisy)
        })
    })
}

proptest! {
    #[test]
    fn a_network_that_balances_is_not_changed((exact, _) in case()) {
        let done = exact.run();
        prop_assert!(done.findings.is_empty());
        prop_assert!(done.held.is_empty());
        prop_assert!(done.chi_square < 1e-12);
        for (corrected, branch) in done.branches.iter().zip(&exact.branches) {
            prop_assert!((corrected[0] - branch.from.megawatts).abs() < 1e-9);
            prop_assert!((corrected[1] - branch.to.megawatts).abs() < 1e-9);
        }
        for (corrected, source) in done.sources.iter().zip(&exact.sources) {
            prop_assert!((corrected - source.megawatts).abs() < 1e-9);
        }
    }

    #[test]
    fn every_node_balances_and_no_branch_gains((_, noisy) in case()) {
        let done = noisy.run();
        for left in &done.imbalance_after {
            prop_assert!(left.abs() < 1e-7, "{left}");
        }
        for [from, to] in &done.branches {
            prop_assert!(from + to > -1e-6);
        }
        prop_assert!((0.0..=1.0).contains(&done.probability));
    }

    #[test]
    fn agrees_with_the_whole_equations((_, noisy) in case()) {
        let done = noisy.run_plain();
        let (values, residuals) = dense(&noisy);
        let ours: Vec<f64> = done.branches.iter().flatten().chain(&done.sources).chain(&done.loads).copied().collect();
        let judged: Vec<Option<f64>> = done.branch_residuals.iter().flatten().chain(&done.injection_residuals).copied().collect();
        for (at, value) in values.iter().enumerate() {
            prop_assert!((ours[at] - value).abs() < 1e-6 * value.abs().max(1.0), "{at}: {} {value}", ours[at]);
            if let Some(residual) = judged[at] {
                prop_assert!((residual - residuals[at]).abs() < 1e-4 * residual.max(1e-3), "{at}: {residual} {}", residuals[at]);
            }
        }
    }
}
