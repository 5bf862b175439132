//! Carbon flow: closed forms, what has no factor and why, and what hostile numbers cost.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod flow;

use diantan_core::carbon_flow::{
    Element, EndRegisters, Fault, FaultKind, Grid, GridError, Load, MAX_FACTOR, NamedGrid, Origin,
    Quality, Settings, SlotError, Source, Storage, Tank, Workspace, quantise, solve_day,
};
use flow::{Network, load, registers};

fn assert_close(ours: f64, expected: f64) {
    assert!(
        (ours - expected).abs() <= 1e-12 * expected.abs().max(1.0),
        "{ours}, expected {expected}"
    );
}

fn factors(network: &Network) -> Vec<Option<f64>> {
    let solution = network.solve();
    (0..network.nodes)
        .map(|node| solution.factor(node))
        .collect()
}

fn fault(element: Element, index: u32, kind: FaultKind) -> Fault {
    Fault {
        element,
        index,
        kind,
    }
}

/// Two plants, one line, two loads: an island that is always well.
fn sound() -> Network {
    Network::new(
        2,
        &[(0, 1, 40.0, -39.0)],
        &[(0, 60.0, 0.8), (0, 40.0, 0.3)],
        &[(0, 60.0), (1, 39.0)],
    )
}

/// The sound island, with another beside it whose nodes are numbered from 2.
fn beside(other: Network) -> Network {
    let mut all = sound();
    all.nodes += other.nodes;
    let shift = |node: u32| node + 2;
    all.branches.extend(
        other
            .branches
            .into_iter()
            .map(|(ends, flow)| (ends.map(shift), flow)),
    );
    all.sources
        .extend(other.sources.into_iter().map(|(n, s)| (shift(n), s)));
    all.loads
        .extend(other.loads.into_iter().map(|(n, l)| (shift(n), l)));
    all.storages
        .extend(other.storages.into_iter().map(|(n, s)| (shift(n), s)));
    all
}

fn qualities(network: &Network) -> Vec<Quality> {
    let solution = network.solve();
    assert_close(solution.factor(0).unwrap(), 0.6);
    assert_close(solution.factor(1).unwrap(), 0.6);
    assert!(solution.balance().relative_residual() < 1e-12);
    (2..network.nodes)
        .map(|node| solution.quality(node).unwrap())
        .collect()
}

#[test]
fn a_branch_hands_on_what_it_delivers_and_its_sender_bears_the_loss() {
    let solution = sound().solve();
    let branch = solution.branch(0).unwrap();
    assert_close(solution.factor(1).unwrap(), 0.6);
    assert_close(branch.forward.unwrap(), 39.0 * 0.6);
    assert_close(branch.reverse.unwrap(), 0.0);
    assert_close(branch.loss.unwrap(), 0.6);
    let balance = solution.balance();
    assert_close(balance.sources, 60.0);
    assert_close(balance.loads, 59.4);
    assert_close(balance.losses, 0.6);
    assert_close(solution.flux_megawatts(0).unwrap(), 100.0);
    assert_close(solution.source(0).unwrap(), 48.0);
    assert_close(solution.load(1).unwrap(), 39.0 * 0.6);
}

#[test]
fn a_loop_is_solved_and_not_merged() {
    let network = Network::new(
        3,
        &[
            (0, 1, 120.0, -120.0),
            (1, 2, 70.0, -70.0),
            (2, 0, 20.0, -20.0),
        ],
        &[(0, 100.0, 0.8), (1, 50.0, 0.2)],
        &[(1, 100.0), (2, 50.0)],
    );
    let factors = factors(&network);
    assert_close(factors[0].unwrap(), 23.0 / 30.0);
    assert_close(factors[1].unwrap(), 0.6);
    assert_close(factors[2].unwrap(), 0.6);
}

#[test]
fn a_loop_that_circulates_megawatts_on_next_to_no_supply_keeps_its_digits() {
    // 1 W of 0.9 and 2 W of 0.3 feed a circulation of 1000 MW: the mean is 0.5, whatever circulates.
    let network = Network::new(
        3,
        &[
            (0, 1, 1000.0, -1000.0),
            (1, 2, 1000.0, -1000.0),
            (2, 0, 1000.0, -1000.0),
        ],
        &[(0, 1e-6, 0.9), (1, 2e-6, 0.3)],
        &[(2, 3e-6)],
    );
    for factor in factors(&network) {
        assert!((factor.unwrap() - 0.5).abs() < 1e-8);
    }
}

#[test]
fn a_large_loop_and_a_tangled_one_agree_with_a_dense_solution() {
    // A ring of 150, and a torus of 12 by 13: both beyond what is solved densely.
    let ring: Vec<(u32, u32, f64, f64)> = (0..150)
        .map(|at| (at, (at + 1) % 150, 50.0, -49.0))
        .collect();
    let (rows, columns) = (12, 13);
    let mut torus = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            let here = row * columns + column;
            let size = 10.0 + f64::from((here * 37) % 11);
            torus.push((
                here,
                row * columns + (column + 1) % columns,
                size,
                -0.99 * size,
            ));
            torus.push((
                here,
                (row + 1) % rows * columns + column,
                size,
                -0.98 * size,
            ));
        }
    }
    for (nodes, branches) in [(150, ring), (156, torus)] {
        let network = Network::new(nodes, &branches, &[(7, 30.0, 0.9), (90, 20.0, 0.1)], &[])
            .close(&[0.875, 0.4, 0.0]);
        let solution = network.solve();
        for (node, (_, factor)) in network.dense().into_iter().enumerate() {
            assert!((solution.factor(node).unwrap() - factor.unwrap()).abs() < 1e-10);
        }
        assert!(solution.balance().relative_residual() < 1e-12);
    }
}

#[test]
fn a_path_and_a_ring_of_all_nodes_need_no_deep_stack() {
    let count = 300_000_u32;
    for ring in [false, true] {
        let last = if ring { count } else { count - 1 };
        let branches: Vec<(u32, u32, f64, f64)> = (0..last)
            .map(|at| (at, (at + 1) % count, 10.0, -10.0))
            .collect();
        let network = Network::new(
            count as usize,
            &branches,
            &[(0, 10.0, 0.7)],
            &[(count - 1, 10.0)],
        );
        let solution = network.solve();
        for node in 0..count as usize {
            assert!((solution.factor(node).unwrap() - 0.7).abs() < 1e-9);
        }
    }
}

#[test]
fn parallel_branches_are_kept_apart() {
    let network = Network::new(
        2,
        &[(0, 1, 30.0, -29.0), (1, 0, -10.0, 10.5)],
        &[(0, 40.5, 0.5)],
        &[(1, 39.0)],
    );
    let solution = network.solve();
    assert_close(solution.branch(0).unwrap().forward.unwrap(), 14.5);
    assert_close(solution.branch(0).unwrap().loss.unwrap(), 0.5);
    assert_close(solution.branch(1).unwrap().reverse.unwrap(), 5.0);
    assert_close(solution.branch(1).unwrap().loss.unwrap(), 0.25);
}

#[test]
fn a_branch_fed_from_both_ends_transfers_nothing() {
    let network = Network::new(
        2,
        &[(0, 1, 0.6, 0.4)],
        &[(0, 10.6, 0.8), (1, 5.4, 0.2)],
        &[(0, 10.0), (1, 5.0)],
    );
    let solution = network.solve();
    assert_close(solution.factor(0).unwrap(), 0.8);
    assert_close(solution.factor(1).unwrap(), 0.2);
    assert_close(solution.balance().losses, 0.56);
    assert_close(solution.branch(0).unwrap().loss.unwrap(), 0.56);
    assert_close(solution.branch(0).unwrap().forward.unwrap(), 0.0);
}

#[test]
fn a_flow_that_turns_within_the_slot_goes_both_ways() {
    // 30 MW to node 1 and 10 MW back: e1 = (30 e0 + 20·0.2)/50, e0 = (60·0.8 + 10 e1)/70.
    let mut network = Network::new(
        2,
        &[],
        &[(0, 60.0, 0.8), (1, 20.0, 0.2)],
        &[(0, 40.0), (1, 40.0)],
    );
    let both = EndRegisters {
        from_in_megawatts: 30.0,
        from_out_megawatts: 10.0,
        to_in_megawatts: 10.0,
        to_out_megawatts: 30.0,
    };
    network.branches.push(([0, 1], both));
    let solution = network.solve_as(false);
    let first = (48.0 + 10.0 * 0.08) / (70.0 - 6.0);
    let second = 0.6 * first + 0.08;
    assert_close(solution.factor(0).unwrap(), first);
    assert_close(solution.factor(1).unwrap(), second);
    assert_close(solution.branch(0).unwrap().forward.unwrap(), 30.0 * first);
    assert_close(solution.branch(0).unwrap().reverse.unwrap(), 10.0 * second);
    let netted = network.solve();
    assert!((netted.factor(0).unwrap() - first).abs() > 1e-3);
}

#[test]
fn negative_sources_are_loads_and_negative_loads_are_sources() {
    let mut network = Network::new(
        2,
        &[(0, 1, 30.0, -29.0)],
        &[(0, 100.0, 0.7), (1, -20.0, 0.0)],
        &[(0, 70.0), (1, 19.0)],
    );
    network.loads.push((
        1,
        Load {
            megawatts: -10.0,
            factor: Some(0.1),
        },
    ));
    let solution = network.solve();
    let factor = (29.0 * 0.7 + 1.0) / 39.0;
    assert_close(solution.factor(1).unwrap(), factor);
    assert_close(solution.balance().negative_sources, 20.0 * factor);
    assert_close(solution.source(1).unwrap(), -20.0 * factor);
    assert_close(solution.load(2).unwrap(), -1.0);
    assert_close(solution.balance().sources, 71.0);
}

#[test]
fn a_dead_node_has_no_factor_and_blocks_nobody() {
    let network = Network::new(
        4,
        &[(0, 1, 50.0, -50.0), (1, 2, 0.0, 0.0), (2, 3, 3e-7, -3e-7)],
        &[(0, 50.0, 0.9), (2, 3e-7, 0.5)],
        &[(1, 50.0)],
    );
    assert_eq!(factors(&network), [Some(0.9), Some(0.9), None, None]);
    let solution = network.solve();
    assert_eq!(solution.quality(2), Some(Quality::Dead));
    assert_eq!(solution.unknown_share(2), None);
    assert!(solution.faults().is_empty());
}

#[test]
fn what_only_circulates_has_no_source_and_its_neighbours_keep_theirs() {
    let other = Network::new(
        3,
        &[(0, 1, 10.0, -10.0), (1, 0, 10.0, -10.0)],
        &[],
        &[(2, 5.0)],
    );
    assert_eq!(
        qualities(&beside(other)),
        [Quality::NoSource, Quality::NoSource, Quality::Dead]
    );
}

#[test]
fn power_of_unknown_origin_costs_those_it_feeds_their_factor() {
    let mut other = Network::new(
        3,
        &[(0, 1, 10.0, -10.0), (2, 1, 0.05, -0.05)],
        &[(0, 10.0, 0.5)],
        &[(1, 10.05)],
    );
    let unknown = Source {
        megawatts: 0.05,
        origin: Origin::Unknown,
    };
    other.sources.push((2, unknown));
    let network = beside(other.clone());
    // Half a per cent is not known: the rest stands for it.
    assert_eq!(
        qualities(&network),
        [Quality::Defined, Quality::Defined, Quality::UnknownOrigin]
    );
    let solution = network.solve();
    assert_close(solution.factor(3).unwrap(), 0.5);
    assert_close(solution.unknown_share(3).unwrap(), 0.05 / 10.05);
    assert_eq!(
        solution.faults(),
        [fault(Element::Source, 3, FaultKind::NoFactor)]
    );
    assert_close(solution.balance().unknown_megawatts, 0.05);
    other.sources[1].1.megawatts = 5.0;
    other.branches[1].1 = registers(5.0, -5.0);
    other.loads[0].1.megawatts = 15.0;
    let network = beside(other);
    assert_eq!(
        qualities(&network),
        [
            Quality::Defined,
            Quality::UnknownOrigin,
            Quality::UnknownOrigin
        ]
    );
    let balance = *network.solve().balance();
    assert_close(balance.without_factor, 5.0);
}

#[test]
fn a_measurement_that_is_no_number_costs_only_its_nodes_and_those_they_feed() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e10] {
        let mut other = Network::new(
            4,
            &[(0, 1, 10.0, -10.0), (1, 2, 5.0, -5.0)],
            &[(0, 10.0, 0.5), (3, 4.0, 0.25)],
            &[(1, 5.0), (2, 5.0), (3, 4.0)],
        );
        other.branches[0].1.from_in_megawatts = bad;
        let network = beside(other.clone());
        let expected = [
            Quality::BadInput,
            Quality::BadInput,
            Quality::UnknownOrigin,
            Quality::Defined,
        ];
        assert_eq!(qualities(&network), expected);
        let solution = network.solve();
        assert_eq!(
            solution.faults(),
            [fault(Element::Branch, 1, FaultKind::BadPower)]
        );
        assert_eq!(solution.branch(1).unwrap().loss, None);
        other.branches[0].1.from_in_megawatts = 10.0;
        other.loads[0].1.megawatts = bad;
        other.sources[1].1.megawatts = bad;
        let expected = [
            Quality::Defined,
            Quality::BadInput,
            Quality::UnknownOrigin,
            Quality::BadInput,
        ];
        assert_eq!(qualities(&beside(other)), expected);
    }
}

#[test]
fn factors_and_emissions_out_of_range_are_unknown() {
    let origins = [
        Origin::Factor(-0.1),
        Origin::Factor(f64::NAN),
        Origin::Factor(MAX_FACTOR * 1.01),
        Origin::Emission(-1.0),
        Origin::Emission(f64::INFINITY),
        Origin::Emission(MAX_FACTOR * 11.0),
    ];
    for origin in origins {
        let mut other = Network::new(1, &[], &[], &[(0, 10.0)]);
        let megawatts = 10.0;
        other.sources.push((0, Source { megawatts, origin }));
        let network = beside(other);
        assert_eq!(qualities(&network), [Quality::UnknownOrigin]);
        assert_eq!(
            network.solve().faults(),
            [fault(Element::Source, 2, FaultKind::BadFactor)]
        );
        assert_eq!(network.solve().source(2), None);
    }
}

#[test]
fn an_emission_is_a_factor_times_power_and_one_without_power_is_told() {
    let mut network = Network::new(1, &[], &[], &[(0, 100.0)]);
    for (megawatts, rate) in [(100.0, 85.0), (0.0, 3.0)] {
        let origin = Origin::Emission(rate);
        network.sources.push((0, Source { megawatts, origin }));
    }
    let solution = network.solve();
    assert_close(solution.factor(0).unwrap(), 0.85);
    assert_close(solution.balance().untraced, 3.0);
    let expected = fault(Element::Source, 1, FaultKind::EmissionWithoutPower);
    assert_eq!(solution.faults(), [expected]);
}

#[test]
fn branches_that_give_more_than_they_take_are_told() {
    let other = Network::new(
        3,
        &[(0, 1, 10.0, -11.0), (1, 2, -3.0, -4.0)],
        &[(0, 10.0, 0.5)],
        &[(1, 14.0), (2, 4.0)],
    );
    let network = beside(other);
    let expected = [
        Quality::Defined,
        Quality::UnknownOrigin,
        Quality::UnknownOrigin,
    ];
    assert_eq!(qualities(&network), expected);
    assert_eq!(
        network.solve().faults(),
        [
            fault(Element::Branch, 1, FaultKind::NegativeLoss),
            fault(Element::Branch, 2, FaultKind::Gain),
            fault(Element::Branch, 2, FaultKind::Gain),
        ]
    );
}

#[test]
fn telemetry_that_does_not_balance_is_told_and_the_sum_still_closes() {
    let network = Network::new(
        2,
        &[(0, 1, 40.0, -40.0)],
        &[(0, 100.0, 0.8)],
        &[(0, 50.0), (1, 30.0)],
    );
    let solution = network.solve();
    assert_close(solution.imbalance_megawatts(0).unwrap(), 10.0);
    assert_close(solution.imbalance_megawatts(1).unwrap(), 10.0);
    let balance = solution.balance();
    assert_close(balance.imbalance, 16.0);
    assert_close(balance.imbalance_megawatts, 20.0);
    assert!(balance.relative_residual() < 1e-15);
}

#[test]
fn a_tank_gives_back_the_carbon_it_took_losses_and_all() {
    let storage = |charge, discharge| Storage {
        charge_megawatts: charge,
        discharge_megawatts: discharge,
        charge_efficiency: 0.9,
        discharge_efficiency: 0.8,
        tank: Tank::default(),
    };
    let slot = |charge: f64, discharge: f64, factor: f64| {
        let mut network = Network::new(1, &[], &[(0, 50.0, factor)], &[]);
        network.loads.push(load(0, 50.0 + discharge - charge));
        network.storages.push((0, storage(charge, discharge)));
        network
    };
    let day = [
        slot(20.0, 0.0, 0.4),
        slot(0.0, 9.0, 0.8),
        slot(0.0, 5.4, 0.8),
    ];
    let mut work = Workspace::new();
    let mut tank = Tank::default();
    let mut charged = 0.0;
    let mut given = 0.0;
    for mut network in day {
        network.storages[0].1.tank = tank;
        let solved = network.with_slot(true, |slot| {
            work.solve(&network.grid(), slot, &Settings::default())
                .unwrap()
                .clone()
        });
        assert!(solved.balance().relative_residual() < 1e-15);
        let net = solved.storage(0).unwrap() * 0.25;
        if net > 0.0 {
            charged += net;
        } else {
            given -= net;
        }
        tank = solved.tanks()[0];
    }
    // 20 MW for a quarter at 0.4: 2 t for 4.5 MWh, of which 14.4 MW·¼ h / 0.8 takes all.
    assert_close(charged, 2.0);
    assert_close(given, 2.0);
    assert_close(tank.megawatt_hours, 0.0);
    assert_close(tank.tonnes, 0.0);
}

#[test]
fn a_day_carries_the_tanks_from_slot_to_slot() {
    let grid = Grid::new(1, &[], &[0], &[0], &[0]).unwrap();
    let mut network = Network::new(1, &[], &[(0, 50.0, 0.4)], &[(0, 40.0)]);
    let charge = Storage {
        charge_megawatts: 10.0,
        ..Storage::default()
    };
    network.storages.push((0, charge));
    network.with_slot(true, |slot| {
        let solved = solve_day(&grid, &[*slot; 4], &Settings::default(), None).unwrap();
        let tank = solved[3].tanks()[0];
        assert_close(tank.megawatt_hours, 10.0);
        assert_close(tank.tonnes, 4.0);
        assert_close(tank.factor().unwrap(), 0.4);
    });
}

#[test]
fn a_tank_that_gives_more_than_it_holds_gives_power_of_unknown_origin() {
    let mut other = Network::new(1, &[], &[], &[(0, 10.0)]);
    let drawn = Storage {
        discharge_megawatts: 10.0,
        tank: Tank {
            megawatt_hours: 1.0,
            tonnes: 0.5,
            unknown_megawatt_hours: 0.0,
        },
        ..Storage::default()
    };
    other.storages.push((0, drawn));
    let network = beside(other);
    assert_eq!(qualities(&network), [Quality::UnknownOrigin]);
    let solution = network.solve();
    assert_close(solution.unknown_share(2).unwrap(), 0.6);
    assert_eq!(
        solution.faults(),
        [fault(Element::Storage, 0, FaultKind::Overdrawn)]
    );
    assert_close(solution.tanks()[0].megawatt_hours, 0.0);
    let mut network = network;
    network.storages[0].1.charge_efficiency = f64::NAN;
    assert_eq!(qualities(&network), [Quality::BadInput]);
}

#[test]
fn a_factor_is_quantised_once_half_to_even() {
    let mg = |factor| quantise(factor).map(diantan_core::quantity::Factor::mg_per_kwh);
    assert_eq!(mg(0.5306), Ok(530_600));
    assert_eq!(mg(0.000_000_5), Ok(0)); // a hair below the tie
    // Exact ties.
    assert_eq!(mg(1.0 / 128.0), Ok(7_812));
    assert_eq!(mg(3.0 / 128.0), Ok(23_438));
    assert_eq!(mg(4_294.967_295), Ok(u32::MAX));
    for bad in [f64::NAN, -1e-3, 4_295.0, f64::INFINITY] {
        assert!(quantise(bad).is_err());
    }
    let solution = sound().solve();
    let dispatched = solution.factor_mg_per_kwh(0).unwrap().unwrap();
    assert_eq!(dispatched.mg_per_kwh(), 600_000);
}

#[test]
fn grids_and_slots_that_do_not_fit_are_refused() {
    let unknown = Grid::new(2, &[[0, 2]], &[], &[], &[]).unwrap_err();
    assert_eq!(unknown.to_string(), "branch 0: there is no node 2");
    assert!(Grid::new(2, &[], &[1, 2], &[], &[]).is_err());
    let ends = Grid::new(2, &[[1, 1]], &[], &[], &[]).unwrap_err();
    assert_eq!(ends.to_string(), "branch 0: both ends are node 1");
    let name = |id: &str| id.to_owned();
    let pair = |id: &str, node: &str| (name(id), name(node));
    let twice = NamedGrid::new(vec![name("a"), name("a")], vec![], vec![], vec![], vec![]);
    assert!(matches!(twice, Err(GridError::Duplicate { .. })));
    let nobody = NamedGrid::new(
        vec![name("a")],
        vec![],
        vec![pair("G1", "b")],
        vec![],
        vec![],
    );
    assert_eq!(
        nobody.unwrap_err().to_string(),
        "source G1: there is no node b"
    );
    let network = sound();
    let grid = Grid::new(2, &[[0, 1], [0, 1]], &[0, 0], &[0, 1], &[]).unwrap();
    let mut work = Workspace::new();
    let solve = |settings: &Settings, work: &mut Workspace, grid: &Grid| {
        network.with_slot(true, |slot| work.solve(grid, slot, settings).map(|_| ()))
    };
    let short = solve(&Settings::default(), &mut work, &grid).unwrap_err();
    assert_eq!(
        short.to_string(),
        "1 values for branch elements: the grid has 2"
    );
    for (dead, unknown) in [(0.0, 0.0), (f64::NAN, 0.0), (1e-6, 1.0), (1e-6, -0.1)] {
        let settings = Settings {
            dead_below_megawatts: dead,
            max_unknown_share: unknown,
        };
        let refused = solve(&settings, &mut work, &network.grid());
        assert!(matches!(refused, Err(SlotError::Setting { .. })));
    }
}

#[test]
fn an_empty_grid_has_an_empty_solution() {
    let solution = Network::default().solve();
    assert_eq!(solution.nodes(), 0);
    assert_close(solution.balance().residual, 0.0);
}
