//! What holds of every network: bounds, balance, invariance, and agreement with a dense solution.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod flow;

use diantan_core::carbon_flow::{Origin, Quality, Settings, Workspace, quantise, solve_slots};
use flow::{Network, network};
use proptest::prelude::*;

fn close(ours: f64, theirs: f64, relative: f64) -> bool {
    (ours - theirs).abs() <= relative * ours.abs().max(theirs.abs()).max(1e-6)
}

/// Without a net flow at both ends (two-way branches) only registers say what flowed.
fn one_way(mut network: Network) -> Network {
    for (_, flow) in &mut network.branches {
        if flow.to_out_megawatts > 0.0 {
            flow.from_out_megawatts = 0.0;
            flow.to_in_megawatts = 0.0;
        }
    }
    network.sources.clear();
    network.loads.clear();
    network.close(&[0.875, 0.525, 0.0, 0.52])
}

fn permuted(network: &Network, order: &[u32], shift: usize) -> Network {
    let mut other = network.clone();
    for (ends, _) in &mut other.branches {
        *ends = ends.map(|node| order[node as usize]);
    }
    for (node, _) in &mut other.sources {
        *node = order[*node as usize];
    }
    for (node, _) in &mut other.loads {
        *node = order[*node as usize];
    }
    let branches = other.branches.len();
    other.branches.rotate_left(shift % branches);
    other.sources.reverse();
    other.loads.reverse();
    other
}

fn scaled(network: &Network, scale: f64) -> Network {
    let mut other = network.clone();
    for (_, flow) in &mut other.branches {
        flow.from_in_megawatts *= scale;
        flow.from_out_megawatts *= scale;
        flow.to_in_megawatts *= scale;
        flow.to_out_megawatts *= scale;
    }
    for (_, source) in &mut other.sources {
        source.megawatts *= scale;
    }
    for (_, load) in &mut other.loads {
        load.megawatts *= scale;
    }
    other
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_dense_solution(network in network(30)) {
        let solution = network.solve_as(false);
        for (node, (flux, factor)) in network.dense().into_iter().enumerate() {
            if flux >= 1e-3 {
                let ours = solution.factor(node).unwrap();
                prop_assert!(close(ours, factor.unwrap(), 1e-9), "node {node}: {ours} {factor:?}");
            } else if flux < 1e-6 {
                prop_assert_eq!(solution.quality(node), Some(Quality::Dead));
                prop_assert_eq!(solution.factor(node), None);
            }
        }
    }

    #[test]
    fn factors_lie_between_those_of_the_sources(network in network(30)) {
        let solution = network.solve_as(false);
        let mut low = f64::INFINITY;
        let mut high = 0.0_f64;
        for (_, source) in &network.sources {
            if let (Origin::Factor(factor), true) = (source.origin, source.megawatts > 0.0) {
                low = low.min(factor);
                high = high.max(factor);
            }
        }
        for node in 0..network.nodes {
            if let Some(factor) = solution.factor(node) {
                prop_assert!(factor >= low * (1.0 - 1e-12) && factor <= high * (1.0 + 1e-12));
            }
        }
    }

    #[test]
    fn what_comes_in_goes_to_loads_losses_and_negative_sources(network in network(30)) {
        let solution = network.solve_as(false);
        let balance = solution.balance();
        // What flows less than is followed is dropped, and told.
        let out = balance.loads + balance.losses + balance.negative_sources + balance.dropped;
        prop_assert!(close(balance.sources, out, 1e-9), "{balance:?}");
        prop_assert!(balance.relative_residual() <= 1e-12, "{balance:?}");
        let loads: f64 = (0..network.loads.len()).filter_map(|at| solution.load(at)).sum();
        prop_assert!(close(loads, balance.loads, 1e-9));
        let branches = (0..network.branches.len()).filter_map(|at| solution.branch(at));
        let losses: f64 = branches.filter_map(|branch| branch.loss).sum();
        prop_assert!(close(losses, balance.losses, 1e-9));
    }

    #[test]
    fn numbering_and_order_change_nothing(
        (network, order) in network(30).prop_flat_map(|network| {
            let order: Vec<u32> = (0..u32::try_from(network.nodes).unwrap()).collect();
            (Just(network), Just(order).prop_shuffle())
        }),
        shift in 0..100_usize,
    ) {
        let plain = network.solve_as(false);
        let other = permuted(&network, &order, shift).solve_as(false);
        for (node, place) in order.iter().enumerate() {
            let (ours, theirs) = (plain.factor(node), other.factor(*place as usize));
            prop_assert_eq!(ours.is_some(), theirs.is_some());
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                prop_assert!(close(ours, theirs, 1e-9));
            }
        }
    }

    #[test]
    fn the_unit_of_power_changes_nothing(network in network(20), scale in prop_oneof![Just(1e3), Just(0.25), Just(1e-3)]) {
        let plain = network.solve_as(false);
        let other = scaled(&network, scale);
        let settings = Settings { dead_below_megawatts: 1e-6 * scale, ..Settings::default() };
        let mut work = Workspace::new();
        other.with_slot(false, |slot| work.solve(&other.grid(), slot, &settings).map(|_| ())).unwrap();
        for node in 0..network.nodes {
            if plain.flux_megawatts(node).unwrap() >= 1e-3 {
                prop_assert!(close(plain.factor(node).unwrap(), work.solution().factor(node).unwrap(), 1e-9));
            }
        }
    }

    #[test]
    fn net_flows_and_registers_say_the_same_of_a_flow_that_does_not_turn(network in network(30)) {
        let network = one_way(network);
        let (net, both) = (network.solve_as(true), network.solve_as(false));
        for node in 0..network.nodes {
            prop_assert_eq!(net.factor(node), both.factor(node));
        }
        for branch in 0..network.branches.len() {
            prop_assert_eq!(net.branch(branch), both.branch(branch));
        }
    }

    #[test]
    fn a_used_workspace_remembers_nothing(first in network(30), second in network(30)) {
        let mut work = Workspace::new();
        first.with_slot(false, |slot| work.solve(&first.grid(), slot, &Settings::default()).map(|_| ())).unwrap();
        second.with_slot(false, |slot| work.solve(&second.grid(), slot, &Settings::default()).map(|_| ())).unwrap();
        let fresh = second.solve_as(false);
        prop_assert_eq!(format!("{fresh:?}"), format!("{:?}", work.solution()));
    }

    #[test]
    fn quantising_rounds_the_exact_value(half_steps in 0..8_000_000_u64, ulps in -2..=2_i64) {
        // Beside the decimal ties, where the product with 10⁶ is likely to be rounded onto the tie.
        #[allow(clippy::cast_precision_loss, reason = "small")]
        let near = half_steps as f64 / 2e6;
        let factor = f64::from_bits(near.to_bits().saturating_add_signed(ulps));
        prop_assume!(factor.is_finite() && factor >= 1e-7);
        let bits = factor.to_bits();
        let scale = 1075 - (bits >> 52);
        let numerator = u128::from((bits & ((1 << 52) - 1)) | (1 << 52)) * 1_000_000;
        let (whole, rest) = (numerator >> scale, numerator & ((1_u128 << scale) - 1));
        let half = 1_u128 << (scale - 1);
        let expected = whole + u128::from(rest > half || (rest == half && whole % 2 == 1));
        prop_assert_eq!(u128::from(quantise(factor).unwrap().mg_per_kwh()), expected);
    }

    #[test]
    fn threads_change_nothing(network in network(20), count in 1..9_usize, threads in 1..5_usize) {
        let grid = network.grid();
        let expected = format!("{:?}", network.solve_as(false));
        network.with_slot(false, |slot| {
            let solved = solve_slots(&grid, &vec![*slot; count], &Settings::default(), threads.try_into().ok()).unwrap();
            assert_eq!(solved.len(), count);
            for solution in solved {
                assert_eq!(format!("{solution:?}"), expected);
            }
        });
    }
}
