//! What the tests of carbon flow share: networks by hand or by proptest, and a dense solution to compare with.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "every test file uses a part of it"
)]

use diantan_core::carbon_flow::{
    EndPowers, EndRegisters, Flows, Grid, Load, Origin, Settings, Slot, Solution, Source, Storage,
    Workspace,
};
use proptest::prelude::*;

/// A grid and a slot of it.
#[derive(Debug, Clone, Default)]
pub struct Network {
    pub nodes: usize,
    pub branches: Vec<([u32; 2], EndRegisters)>,
    pub sources: Vec<(u32, Source)>,
    pub loads: Vec<(u32, Load)>,
    pub storages: Vec<(u32, Storage)>,
}

pub fn registers(from: f64, to: f64) -> EndRegisters {
    EndRegisters {
        from_in_megawatts: from.max(0.0),
        from_out_megawatts: (-from).max(0.0),
        to_in_megawatts: to.max(0.0),
        to_out_megawatts: (-to).max(0.0),
    }
}

pub fn source(node: u32, megawatts: f64, factor: f64) -> (u32, Source) {
    let origin = Origin::Factor(factor);
    (node, Source { megawatts, origin })
}

pub fn load(node: u32, megawatts: f64) -> (u32, Load) {
    let factor = None;
    (node, Load { megawatts, factor })
}

impl Network {
    pub fn new(
        nodes: usize,
        branches: &[(u32, u32, f64, f64)],
        sources: &[(u32, f64, f64)],
        loads: &[(u32, f64)],
    ) -> Self {
        Self {
            nodes,
            branches: branches
                .iter()
                .map(|(from, to, p, q)| ([*from, *to], registers(*p, *q)))
                .collect(),
            sources: sources.iter().map(|(n, p, f)| source(*n, *p, *f)).collect(),
            loads: loads.iter().map(|(n, p)| load(*n, *p)).collect(),
            storages: Vec::new(),
        }
    }

    pub fn grid(&self) -> Grid {
        let ends: Vec<[u32; 2]> = self.branches.iter().map(|b| b.0).collect();
        let at = |places: Vec<u32>| places;
        Grid::new(
            self.nodes,
            &ends,
            &at(self.sources.iter().map(|s| s.0).collect()),
            &at(self.loads.iter().map(|s| s.0).collect()),
            &at(self.storages.iter().map(|s| s.0).collect()),
        )
        .unwrap()
    }

    pub fn with_slot<T>(&self, net: bool, work: impl FnOnce(&Slot<'_>) -> T) -> T {
        let both: Vec<EndRegisters> = self.branches.iter().map(|b| b.1).collect();
        let single: Vec<EndPowers> = both
            .iter()
            .map(|flow| EndPowers {
                from_megawatts: flow.from_in_megawatts - flow.from_out_megawatts,
                to_megawatts: flow.to_in_megawatts - flow.to_out_megawatts,
            })
            .collect();
        let sources: Vec<Source> = self.sources.iter().map(|s| s.1).collect();
        let loads: Vec<Load> = self.loads.iter().map(|s| s.1).collect();
        let storages: Vec<Storage> = self.storages.iter().map(|s| s.1).collect();
        work(&Slot {
            flows: if net {
                Flows::Net(&single)
            } else {
                Flows::Registers(&both)
            },
            sources: &sources,
            loads: &loads,
            storages: &storages,
            hours: 0.25,
        })
    }

    pub fn solve_as(&self, net: bool) -> Solution {
        let mut work = Workspace::new();
        self.with_slot(net, |slot| {
            work.solve(&self.grid(), slot, &Settings::default())
                .unwrap()
                .clone()
        })
    }

    pub fn solve(&self) -> Solution {
        self.solve_as(true)
    }

    /// The arcs: start, end, sent, received.
    pub fn arcs(&self) -> Vec<(usize, usize, f64, f64)> {
        let mut arcs = Vec::new();
        for ([from, to], flow) in &self.branches {
            let (from, to) = (*from as usize, *to as usize);
            arcs.push((from, to, flow.from_in_megawatts, flow.to_out_megawatts));
            arcs.push((to, from, flow.to_in_megawatts, flow.from_out_megawatts));
        }
        arcs.retain(|arc| arc.2 > 0.0);
        arcs
    }

    /// Inflow from sources, less outflow to loads.
    pub fn injections(&self) -> Vec<f64> {
        let mut net = vec![0.0; self.nodes];
        for (node, source) in &self.sources {
            net[*node as usize] += source.megawatts;
        }
        for (node, load) in &self.loads {
            net[*node as usize] -= load.megawatts;
        }
        net
    }

    /// Add to each node the load, or the source of a factor from `factors`, that it needs to balance.
    pub fn close(mut self, factors: &[f64]) -> Self {
        let mut net = self.injections();
        for (start, end, sent, received) in self.arcs() {
            net[start] -= sent;
            net[end] += received;
        }
        for (node, surplus) in (0..).zip(net) {
            if surplus > 0.0 {
                self.loads.push(load(node, surplus));
            } else if surplus < 0.0 {
                let factor = factors[node as usize % factors.len()];
                self.sources.push(source(node, -surplus, factor));
            }
        }
        self
    }

    /// Through-flow and factor of each node by one dense elimination with partial pivoting, dead nodes dropped.
    pub fn dense(&self) -> Vec<(f64, Option<f64>)> {
        let count = self.nodes;
        let mut own = vec![0.0; count];
        let mut carbon = vec![0.0; count];
        for (node, source) in &self.sources {
            let Origin::Factor(factor) = source.origin else {
                panic!("the dense solution knows all factors")
            };
            if source.megawatts > 0.0 {
                own[*node as usize] += source.megawatts;
                carbon[*node as usize] += source.megawatts * factor;
            }
        }
        for (node, load) in &self.loads {
            if load.megawatts < 0.0 {
                own[*node as usize] -= load.megawatts;
                carbon[*node as usize] -= load.megawatts * load.factor.unwrap();
            }
        }
        let mut arcs = self.arcs();
        loop {
            let mut flux = own.clone();
            for (_, end, _, received) in &arcs {
                flux[*end] += received;
            }
            let dead = |node: usize| flux[node] < 1e-6;
            let before = arcs.len();
            arcs.retain(|arc| !dead(arc.0) && !dead(arc.1));
            if arcs.len() == before {
                break solve_dense(&flux, &arcs, &carbon);
            }
        }
    }
}

fn solve_dense(
    flux: &[f64],
    arcs: &[(usize, usize, f64, f64)],
    carbon: &[f64],
) -> Vec<(f64, Option<f64>)> {
    let count = flux.len();
    let mut rows: Vec<Vec<f64>> = (0..count)
        .map(|row| {
            let mut entries = vec![0.0; count + 1];
            entries[row] = if flux[row] < 1e-6 { 1.0 } else { flux[row] };
            entries[count] = carbon[row];
            entries
        })
        .collect();
    for (start, end, _, received) in arcs {
        rows[*end][*start] -= received;
    }
    for column in 0..count {
        let pivot = (column..count)
            .max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))
            .unwrap();
        rows.swap(column, pivot);
        let upper = rows[column].clone();
        for row in &mut rows[column + 1..] {
            let share = row[column] / upper[column];
            if share != 0.0 {
                for (entry, above) in row.iter_mut().zip(&upper) {
                    *entry -= share * above;
                }
            }
        }
    }
    let mut values = vec![0.0; count];
    for row in (0..count).rev() {
        let sum: f64 = (row + 1..count).map(|at| rows[row][at] * values[at]).sum();
        values[row] = (rows[row][count] - sum) / rows[row][row];
    }
    flux.iter()
        .zip(values)
        .map(|(flux, value)| (*flux, (*flux >= 1e-6).then_some(value)))
        .collect()
}

/// How a branch is used: a transfer with some loss, the other way, both within the slot, both ends absorb, or not.
fn flow() -> impl Strategy<Value = EndRegisters> {
    let power = prop_oneof![8 => 0.5..200.0, 1 => 1e-7..1e-2];
    (power.clone(), 0.9..=1.0, power, 0.9..=1.0, 0..10_u8).prop_map(
        |(first, kept, second, also_kept, kind)| match kind {
            0..=2 => registers(first, -first * kept),
            3..=5 => registers(-first * kept, first),
            6 | 7 => EndRegisters {
                from_in_megawatts: first,
                from_out_megawatts: second * also_kept,
                to_in_megawatts: second,
                to_out_megawatts: first * kept,
            },
            8 => registers(first * 1e-3, second * 1e-3),
            _ => registers(0.0, 0.0),
        },
    )
}

/// Balanced networks with loops, two-way branches, dead nodes and negative sources; every circulation is fed.
pub fn network(most: u32) -> impl Strategy<Value = Network> {
    (2..=most).prop_flat_map(|nodes| {
        let size = nodes as usize;
        let branch = (0..nodes, 1..nodes, flow())
            .prop_map(move |(from, step, flow)| ([from, (from + step) % nodes], flow));
        let place = (0..nodes, -20.0..150.0, 0.0..1.2);
        (
            prop::collection::vec(branch, size..=3 * size),
            prop::collection::vec(place, 1..=size),
            prop::collection::vec((0..nodes, 0.0..50.0), 0..=size),
            prop::collection::vec(0.0..1.2, 1..=5),
        )
            .prop_map(move |(branches, sources, loads, factors)| {
                Network {
                    nodes: size,
                    branches,
                    sources: sources
                        .into_iter()
                        .map(|(node, power, factor)| source(node, power, factor))
                        .collect(),
                    loads: loads
                        .into_iter()
                        .map(|(node, power)| load(node, power))
                        .collect(),
                    storages: Vec::new(),
                }
                .close(&factors)
            })
    })
}

pub fn assert_close(ours: f64, expected: f64) {
    assert!(
        (ours - expected).abs() <= 1e-12 * expected.abs().max(1.0),
        "{ours}, expected {expected}"
    );
}

pub fn factors(network: &Network) -> Vec<Option<f64>> {
    let solution = network.solve();
    (0..network.nodes)
        .map(|node| solution.factor(node))
        .collect()
}

/// Two plants, one line, two loads: an island that is always well.
pub fn sound() -> Network {
    Network::new(
        2,
        &[(0, 1, 40.0, -39.0)],
        &[(0, 60.0, 0.8), (0, 40.0, 0.3)],
        &[(0, 60.0), (1, 39.0)],
    )
}
