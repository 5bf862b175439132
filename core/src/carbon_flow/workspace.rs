//! The memory of a solver, and the order of its steps.

use super::arcs;
use super::error::{Fault, SlotError};
use super::grid::Grid;
use super::loops::Loops;
use super::report;
use super::slot::{self, Settings, Slot};
use super::solution::{Quality, Solution};
use super::sweep;

/// What the arcs say of a node: small, since it is met at random.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Node {
    /// All that flows in, in MW, known when the arcs are made.
    pub(super) flux: f64,
    /// Arcs that come in from nodes not yet settled.
    pub(super) waiting: u32,
    /// Number of outgoing arcs.
    pub(super) arcs: u32,
}

/// What has come to a node so far, in the order of settling; carbon and unknown power are per MW once it is settled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mix {
    /// MW.
    pub(super) supply: f64,
    /// t/h.
    pub(super) carbon: f64,
    /// MW of unknown origin.
    pub(super) unknown: f64,
}

/// What a node hands on over a branch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arc {
    pub(super) received: f64,
    pub(super) to: u32,
}

/// Carbon that came in, and carbon that is on no flow, in t/h.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) carbon: f64,
    pub(super) untraced: f64,
    pub(super) unknown: f64,
}

/// The memory of a solver: used again and again it allocates nothing more, whatever the slots are.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(super) nodes: Vec<Node>,
    pub(super) mixes: Vec<Mix>,
    pub(super) arcs: Vec<Arc>,
    pub(super) stack: Vec<u32>,
    pub(super) loops: Loops,
    pub(super) solution: Solution,
}

impl Workspace {
    /// An empty workspace; it grows with the first slot.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Solve one slot. Direction belongs to the slot: nothing of an earlier one is used but its memory.
    ///
    /// # Errors
    /// For another number of values than the grid has elements, and for settings out of range. A value that can't be
    /// used costs only the nodes it concerns: see [`Solution::faults`].
    pub fn solve(
        &mut self,
        grid: &Grid,
        slot: &Slot<'_>,
        settings: &Settings,
    ) -> Result<&Solution, SlotError> {
        slot::check(grid, slot, settings)?;
        self.clear(grid);
        let taken = arcs::take(self, grid, slot, settings.dead_below_megawatts);
        sweep::settle(self, grid, settings.dead_below_megawatts);
        report::report(self, grid, slot, settings, taken);
        Ok(&self.solution)
    }

    /// The solution of the last slot.
    #[must_use]
    pub fn solution(&self) -> &Solution {
        &self.solution
    }

    /// Give the solution away; the next slot makes a new one.
    #[must_use]
    pub fn take_solution(&mut self) -> Solution {
        std::mem::take(&mut self.solution)
    }

    fn clear(&mut self, grid: &Grid) {
        self.nodes.clear();
        self.nodes.resize(grid.nodes(), Node::default());
        self.mixes.clear();
        self.mixes.resize(grid.nodes(), Mix::default());
        // Only entries written in this slot are read: the rest may be of an earlier one.
        self.arcs.resize(grid.ends.len() * 2, Arc::default());
        self.stack.clear();
        self.loops.dropped = 0.0;
        self.solution.faults.clear();
        self.solution.quality.clear();
        self.solution.quality.resize(grid.nodes(), Quality::Defined);
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.solution.faults.push(fault);
    }

    /// A node whose measurements can't be used.
    pub(super) fn spoil(&mut self, node: u32) {
        if let Some(quality) = self.solution.quality.get_mut(node as usize) {
            *quality = Quality::BadInput;
        }
    }
}

/// The outgoing arcs of a node.
pub(super) fn outgoing<'a>(arcs: &'a [Arc], first: &[u32], node: u32, count: u32) -> &'a [Arc] {
    let start = first.get(node as usize).copied().unwrap_or_default() as usize;
    arcs.get(start..start + count as usize).unwrap_or_default()
}
