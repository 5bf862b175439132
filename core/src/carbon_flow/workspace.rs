//! The memory of a solver, and the order of its steps.

use super::arcs;
use super::aside;
use super::component::Loops;
use super::error::{Fault, SlotError};
use super::grid::{Grid, Layout};
use super::inflow;
use super::report;
use super::slot::{self, Settings, Slot};
use super::solution::{NodeRates, Quality, Solution};
use super::walk;

/// What the walk needs of a node: small, since a large grid's nodes are met at random.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Node {
    /// All that flows in, in MW.
    pub(super) flux: f64,
    /// Where its inflows end; they begin where its branch ends do.
    pub(super) end: u32,
    /// When the walk met it; see there.
    pub(super) order: u32,
}

/// What comes to a node from outside the branches; carbon and unknown power are per MW once it is settled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mix {
    /// MW.
    pub(super) supply: f64,
    /// t/h.
    pub(super) carbon: f64,
    /// MW of unknown origin.
    pub(super) unknown: f64,
}

/// An inflow that is dropped if it comes from a dead node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weak {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) received: f64,
}

/// Carbon that came in, and carbon that is on no flow, in t/h.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) carbon: f64,
    pub(super) untraced: f64,
    pub(super) unknown: f64,
}

/// The steps of a solve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The measurements are taken, and the equations of all nodes are there.
    Equations,
    /// They are solved: all nodes that can have a factor have it.
    Factors,
    /// Branches, sources, loads and storages have their carbon, and the balance is drawn up.
    Results,
}

/// The memory of a solver: used again and again it allocates nothing more, whatever the slots are.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(super) nodes: Vec<Node>,
    pub(super) mixes: Vec<Mix>,
    /// The factor of each node, NaN for none.
    pub(super) factors: Vec<f64>,
    /// What is published of each node; `imbalance` is inflow less outflow of what is counted so far.
    pub(super) rates: Vec<NodeRates>,
    pub(super) inflows: Inflows,
    pub(super) weak: Vec<Weak>,
    pub(super) walk: walk::Walk,
    pub(super) loops: Loops,
    pub(super) solution: Solution,
}

/// What flows into each node over branches, one node after the other.
#[derive(Debug, Default)]
pub(super) struct Inflows {
    /// MW that arrive; before they are gathered, by branch end: what arrives there, or what is sent there, negative.
    pub(super) received: Vec<f64>,
    /// The node that sends.
    pub(super) from: Vec<u32>,
}

impl Inflows {
    /// Those of a node: what arrives, and from where.
    #[inline]
    pub(super) fn of(
        &self,
        first: &[u32],
        number: u32,
        node: &Node,
    ) -> impl Iterator<Item = (f64, u32)> {
        let start = first.get(number as usize).copied().unwrap_or_default() as usize;
        let received = self.received.get(start..node.end as usize);
        let from = self.from.get(start..node.end as usize);
        let both = received
            .unwrap_or_default()
            .iter()
            .zip(from.unwrap_or_default());
        both.map(|(received, from)| (*received, *from))
    }
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
        self.solve_in_steps(grid, slot, settings, |_| ())
    }

    /// The same; `done` is told each step as it is done. It serves to measure them.
    ///
    /// # Errors
    /// As [`Workspace::solve`].
    pub fn solve_in_steps(
        &mut self,
        grid: &Grid,
        slot: &Slot<'_>,
        settings: &Settings,
        mut done: impl FnMut(Step),
    ) -> Result<&Solution, SlotError> {
        slot::check(grid, slot, settings)?;
        let layout = grid.layout();
        let least = settings.dead_below_megawatts;
        self.clear(&layout);
        let taken = arcs::take(self, &layout, slot, least);
        inflow::gather(self, &layout, least);
        aside::drop_weak(self, least);
        done(Step::Equations);
        let settled = walk::settle(self, &layout, settings);
        done(Step::Factors);
        report::report(self, &layout, slot, settings, taken, settled);
        done(Step::Results);
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

    fn clear(&mut self, layout: &Layout<'_>) {
        let nodes = layout.nodes();
        self.mixes.clear();
        self.mixes.resize(nodes, Mix::default());
        self.rates.clear();
        self.rates.resize(nodes, NodeRates::default());
        // Every factor, and every end of a branch, is written before it is read.
        self.factors.resize(nodes, f64::NAN);
        self.inflows.received.resize(layout.ends.len() * 2, 0.0);
        self.solution.faults.clear();
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.solution.faults.push(fault);
    }

    /// A node whose measurements can't be used.
    pub(super) fn spoil(&mut self, node: u32) {
        if let Some(rates) = self.rates.get_mut(node as usize) {
            rates.quality = Quality::BadInput;
        }
    }

    /// What flows out of a node, but over a branch whose other end gets it.
    #[inline]
    pub(super) fn flow_out(&mut self, node: u32, power: f64) {
        if let Some(rates) = self.rates.get_mut(node as usize) {
            rates.imbalance -= power;
        }
    }
}
