//! A large grid has the same solution however its nodes are numbered, and on however many threads.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::num::NonZeroUsize;

use diantan_core::carbon_flow::{
    EndPowers, Flows, Grid, Load, Origin, Quality, Settings, Slot, Solution, Source, Workspace,
    solve_slots,
};

/// A street of this many nodes; beyond 16 384 on average between neighbours the solver has its own numbers.
const NODES: u32 = 120_000;

/// Steps that take each node far from the one before it, and meet each once.
const STRIDE: u64 = 74_747;

struct Street {
    grid: Grid,
    flows: Vec<EndPowers>,
    sources: Vec<Source>,
    loads: Vec<Load>,
    /// The number of each node of the street.
    numbers: Vec<u32>,
}

fn spread(place: u32) -> u32 {
    u32::try_from(u64::from(place) * STRIDE % u64::from(NODES)).unwrap()
}

/// Power comes in at one end and goes down the street; each node has a source, every hundredth sends some of it back (a
/// loop), and the last gets less than counts.
fn street(number: impl Fn(u32) -> u32) -> Street {
    let numbers: Vec<u32> = (0..NODES).map(number).collect();
    let node = |place: u32| numbers[place as usize];
    let (mut ends, mut flows) = (Vec::new(), Vec::new());
    let mut connect = |from: u32, to: u32, sent: f64, received: f64| {
        // Measured from the other end now and then.
        let turned = from.is_multiple_of(3);
        let both = [node(from), node(to)];
        ends.push(if turned { [both[1], both[0]] } else { both });
        flows.push(if turned {
            EndPowers {
                from_megawatts: -received,
                to_megawatts: sent,
            }
        } else {
            EndPowers {
                from_megawatts: sent,
                to_megawatts: -received,
            }
        });
    };
    let (mut sources, mut loads) = (Vec::new(), Vec::new());
    let source = |megawatts, factor| Source {
        megawatts,
        origin: Origin::Factor(factor),
    };
    sources.push((node(0), source(100.0, 0.8)));
    for place in 0..NODES - 2 {
        connect(place, place + 1, 100.0, 99.0);
        sources.push((node(place + 1), source(1.0, f64::from(place % 7) / 10.0)));
        if place % 100 == 50 {
            connect(place, place - 3, 5.0, 5.0);
        }
    }
    connect(NODES - 2, NODES - 1, 5e-7, 5e-7);
    loads.push((
        node(NODES - 2),
        Load {
            megawatts: 100.0,
            factor: None,
        },
    ));
    let source_nodes: Vec<u32> = sources.iter().map(|(node, _)| *node).collect();
    let load_nodes: Vec<u32> = loads.iter().map(|(node, _)| *node).collect();
    Street {
        grid: Grid::new(NODES as usize, &ends, &source_nodes, &load_nodes, &[]).unwrap(),
        flows,
        sources: sources.into_iter().map(|(_, source)| source).collect(),
        loads: loads.into_iter().map(|(_, load)| load).collect(),
        numbers,
    }
}

impl Street {
    fn slot(&self) -> Slot<'_> {
        Slot {
            flows: Flows::Net(&self.flows),
            sources: &self.sources,
            loads: &self.loads,
            storages: &[],
            hours: 0.25,
        }
    }

    fn solve(&self) -> Solution {
        let mut work = Workspace::new();
        work.solve(&self.grid, &self.slot(), &Settings::default())
            .unwrap();
        work.take_solution()
    }
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-6)
}

#[test]
fn numbers_of_nodes_change_nothing() {
    let (ordered, shuffled) = (street(|place| place), street(spread));
    let (one, other) = (ordered.solve(), shuffled.solve());
    for place in 0..NODES as usize {
        let number = shuffled.numbers[place] as usize;
        assert_eq!(one.quality(place), other.quality(number), "{place}");
        match (one.factor(place), other.factor(number)) {
            (Some(ours), Some(theirs)) => assert!(close(ours, theirs), "{place}: {ours} {theirs}"),
            (ours, theirs) => assert_eq!(ours, theirs),
        }
        let fluxes = [one.flux_megawatts(place), other.flux_megawatts(number)].map(Option::unwrap);
        assert!(close(fluxes[0], fluxes[1]), "{place}: {fluxes:?}");
        let left = [
            one.imbalance_megawatts(place),
            other.imbalance_megawatts(number),
        ]
        .map(Option::unwrap);
        assert!((left[0] - left[1]).abs() <= 1e-9, "{place}: {left:?}");
    }
    assert_eq!(one.quality(NODES as usize - 1), Some(Quality::Dead));
    for branch in 0..one.branches() {
        let losses = [one.branch(branch), other.branch(branch)].map(|rates| rates.unwrap().loss);
        assert!(close(losses[0].unwrap(), losses[1].unwrap()), "{branch}");
    }
    let balances = [one.balance(), other.balance()];
    assert!(close(balances[0].losses, balances[1].losses));
    assert!(balances.iter().all(|sums| sums.relative_residual() <= 1e-9));
}

#[test]
fn threads_change_no_bit() {
    let street = street(spread);
    let slots = [street.slot(); 3];
    let solved = |threads| {
        solve_slots(
            &street.grid,
            &slots,
            &Settings::default(),
            NonZeroUsize::new(threads),
        )
        .unwrap()
    };
    let factors = |solutions: &[Solution]| -> Vec<Option<u64>> {
        let nodes = 0..NODES as usize;
        let each = solutions.iter();
        each.flat_map(|solution| {
            nodes
                .clone()
                .map(|node| solution.factor(node).map(f64::to_bits))
        })
        .collect()
    };
    assert!(factors(&solved(1)) == factors(&solved(3)));
}
