//! Times the nodal carbon flow: `carbon_flow NETWORK FACTORS ROUNDS SLOTS`.
//!
//! Reads a network and its flows from a file that `bench/carbon_flow.py` writes, writes the factors (NaN for none), and
//! prints one JSON object: the best seconds of a solve in a used workspace, of its steps, and of SLOTS slots on one and on all threads.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "an example")]

use std::fs;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use diantan_core::carbon_flow::{
    EndPowers, Flows, Grid, Load, Origin, Settings, Slot, Source, Step, Workspace, solve_slots,
};

/// The numbers of a file, one after the other.
struct Numbers(Vec<u8>, usize);

impl Numbers {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let start = self.1;
        self.1 += N;
        self.0[start..self.1].try_into().unwrap()
    }

    fn count(&mut self) -> usize {
        usize::try_from(u64::from_le_bytes(self.take())).unwrap()
    }

    fn integers(&mut self, count: usize) -> Vec<u32> {
        (0..count)
            .map(|_| u32::from_le_bytes(self.take()))
            .collect()
    }

    fn floats(&mut self, count: usize) -> Vec<f64> {
        (0..count)
            .map(|_| f64::from_le_bytes(self.take()))
            .collect()
    }
}

fn pairs<T: Copy>(values: &[T]) -> Vec<[T; 2]> {
    values.chunks_exact(2).map(|two| [two[0], two[1]]).collect()
}

/// The best seconds until the equations are there, of solving them, and of the results.
fn steps(work: &mut Workspace, grid: &Grid, slot: &Slot<'_>, tries: u32) -> [f64; 3] {
    let mut best = [f64::INFINITY; 3];
    for _ in 0..tries {
        let mut last = Instant::now();
        let told = |step| {
            let now = Instant::now();
            let place = match step {
                Step::Equations => &mut best[0],
                Step::Factors => &mut best[1],
                Step::Results => &mut best[2],
            };
            *place = place.min((now - last).as_secs_f64());
            last = now;
        };
        let slot = black_box(slot);
        work.solve_in_steps(grid, slot, &Settings::default(), told)
            .unwrap();
    }
    best
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [network, factors, rounds, count] = arguments.as_slice() else {
        eprintln!("carbon_flow: expected NETWORK FACTORS ROUNDS SLOTS");
        std::process::exit(2);
    };
    let (rounds, count): (u32, usize) = (rounds.parse().unwrap(), count.parse().unwrap());
    let mut numbers = Numbers(fs::read(network).unwrap(), 0);
    let [nodes, branches, plants, towns] = [(); 4].map(|()| numbers.count());
    let ends = pairs(&numbers.integers(2 * branches));
    let flows: Vec<EndPowers> = pairs(&numbers.floats(2 * branches))
        .iter()
        .map(|&[from_megawatts, to_megawatts]| EndPowers {
            from_megawatts,
            to_megawatts,
        })
        .collect();
    let at_sources = numbers.integers(plants);
    let sources: Vec<Source> = pairs(&numbers.floats(2 * plants))
        .iter()
        .map(|&[megawatts, factor]| Source {
            megawatts,
            origin: Origin::Factor(factor),
        })
        .collect();
    let at_loads = numbers.integers(towns);
    let loads: Vec<Load> = numbers
        .floats(towns)
        .iter()
        .map(|&megawatts| Load {
            megawatts,
            factor: None,
        })
        .collect();
    let started = Instant::now();
    let grid = Grid::new(nodes, &ends, &at_sources, &at_loads, &[]).unwrap();
    let made = started.elapsed().as_secs_f64();
    let slot = Slot {
        flows: Flows::Net(&flows),
        sources: &sources,
        loads: &loads,
        storages: &[],
        hours: 0.25,
    };
    let settings = Settings::default();
    let mut work = Workspace::new();
    let mut solve = || black_box(work.solve(&grid, black_box(&slot), &settings).unwrap()).nodes();
    solve();
    // Rounds of a millisecond or so: of many, some are not interrupted on a machine that does other work too.
    let repeats = (40_000 / nodes).max(1);
    let tries = if nodes < 20_000 { rounds * 30 } else { rounds };
    let mut best = f64::INFINITY;
    for _ in 0..tries {
        let started = Instant::now();
        for _ in 0..repeats {
            black_box(solve());
        }
        best =
            best.min(started.elapsed().as_secs_f64() / f64::from(u32::try_from(repeats).unwrap()));
    }
    let steps = steps(&mut work, &grid, &slot, tries);
    let solution = work.solution();
    let values: Vec<u8> = (0..nodes)
        .flat_map(|node| solution.factor(node).unwrap_or(f64::NAN).to_le_bytes())
        .collect();
    fs::write(factors, values).unwrap();
    let residual = solution.balance().relative_residual();
    let slots = vec![slot; count];
    let day = |threads: Option<NonZeroUsize>| {
        let mut best = f64::INFINITY;
        for _ in 0..rounds.min(5) {
            let started = Instant::now();
            black_box(solve_slots(&grid, &slots, &settings, threads).unwrap());
            best = best.min(started.elapsed().as_secs_f64());
        }
        best
    };
    let (one, all) = (day(NonZeroUsize::new(1)), day(None));
    let [equations, factors, results] = steps;
    println!(
        "{{\"equations\": {equations:e}, \"factors\": {factors:e}, \"results\": {results:e}, \
         \"grid\": {made:e}, \"solve\": {best:e}, \"day_one\": {one:e}, \"day_all\": {all:e}, \"residual\": {residual:e}}}"
    );
}
