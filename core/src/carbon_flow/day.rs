//! Many slots: in parallel, since one solve is one chain of steps, and each slot is solved alone.

use std::num::NonZeroUsize;
use std::thread;

use super::error::SlotError;
use super::grid::Grid;
use super::slot::{Settings, Slot};
use super::solution::Solution;
use super::storage::{Storage, Tank};
use super::workspace::Workspace;

/// Nodes to solve that take longer than a thread takes to start, by far.
const WORTH_A_THREAD: usize = 50_000;

/// Solve slots that don't depend on each other, on up to `threads` threads (None: as many as the machine has).
///
/// The results are the same, to the bit, for any number of threads.
///
/// # Errors
/// Of the first slot that has one; see [`Workspace::solve`].
pub fn solve_slots(
    grid: &Grid,
    slots: &[Slot<'_>],
    settings: &Settings,
    threads: Option<NonZeroUsize>,
) -> Result<Vec<Solution>, SlotError> {
    let available = || {
        let all = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        all.min((grid.nodes() * slots.len()).div_ceil(WORTH_A_THREAD))
    };
    let threads = threads.map_or_else(available, NonZeroUsize::get).max(1);
    let share = slots.len().div_ceil(threads).max(1);
    let mut solved: Vec<Result<Solution, SlotError>> = Vec::new();
    solved.resize_with(slots.len(), || Ok(Solution::default()));
    thread::scope(|scope| {
        for (slots, solved) in slots.chunks(share).zip(solved.chunks_mut(share)) {
            let solve = move || {
                let mut work = Workspace::new();
                for (slot, place) in slots.iter().zip(solved) {
                    let done = work.solve(grid, slot, settings).map(|_| ());
                    *place = done.map(|()| work.take_solution());
                }
            };
            if threads == 1 {
                solve();
            } else {
                scope.spawn(solve);
            }
        }
    });
    solved.into_iter().collect()
}

/// Solve slots one after the other, the tanks of the storages carried from each to the next; those of the first are
/// taken as they are. Without storages this is [`solve_slots`].
///
/// # Errors
/// Of the first slot that has one; see [`Workspace::solve`].
pub fn solve_day(
    grid: &Grid,
    slots: &[Slot<'_>],
    settings: &Settings,
    threads: Option<NonZeroUsize>,
) -> Result<Vec<Solution>, SlotError> {
    if grid.storages.is_empty() {
        return solve_slots(grid, slots, settings, threads);
    }
    let mut work = Workspace::new();
    let mut tanks: Option<Vec<Tank>> = None;
    let mut solved = Vec::with_capacity(slots.len());
    for slot in slots {
        let mut storages: Vec<Storage> = slot.storages.to_vec();
        for (storage, tank) in storages.iter_mut().zip(tanks.iter().flatten()) {
            storage.tank = *tank;
        }
        let carried = Slot {
            storages: &storages,
            ..*slot
        };
        let solution = work.solve(grid, &carried, settings)?.clone();
        tanks = Some(solution.tanks.clone());
        solved.push(solution);
    }
    Ok(solved)
}
