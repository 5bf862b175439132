//! Carbon flow: closed forms.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod flow;

use diantan_core::carbon_flow::{
    EndRegisters, Grid, Load, Settings, Storage, Tank, Workspace, quantise, solve_day,
};
use flow::{Network, assert_close, factors, load, sound};

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
fn an_empty_grid_has_an_empty_solution() {
    let solution = Network::default().solve();
    assert_eq!(solution.nodes(), 0);
    assert_close(solution.balance().residual, 0.0);
}
