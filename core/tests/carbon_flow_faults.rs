//! Carbon flow: what has no factor and why, what is refused, and that nobody else pays for it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod flow;

use diantan_core::carbon_flow::{
    Element, Fault, FaultKind, Grid, GridError, MAX_FACTOR, NamedGrid, Origin, Quality, Settings,
    SlotError, Source, Storage, Tank, Workspace,
};
use flow::{Network, assert_close, factors, registers, sound};

fn fault(element: Element, index: u32, kind: FaultKind) -> Fault {
    Fault {
        element,
        index,
        kind,
    }
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
fn what_a_branch_carried_is_forgotten_when_its_next_slot_carries_nothing_or_nonsense() {
    let carries = Network::new(
        2,
        &[(0, 1, 50.0, -40.0)],
        &[(0, 50.0, 0.9), (1, 10.0, 0.1)],
        &[(1, 50.0)],
    );
    let mut nonsense = registers(50.0, -40.0);
    nonsense.from_in_megawatts = f64::NAN;
    let nothing = [registers(0.0, 0.0), registers(1.0, 1.0)];
    for flow in nothing.into_iter().chain([nonsense]) {
        let mut next = carries.clone();
        next.branches[0].1 = flow;
        for net in [true, false] {
            let mut used = Workspace::new();
            for network in [&carries, &next] {
                network.with_slot(net, |slot| {
                    let solved = used.solve(&network.grid(), slot, &Settings::default());
                    assert!(solved.is_ok());
                });
            }
            let fresh = next.solve_as(net);
            assert_eq!(format!("{fresh:?}"), format!("{:?}", used.solution()));
        }
    }
}
