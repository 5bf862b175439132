//! The order of settling: each node after all that feeds it, back from a node to its senders, and theirs, and a loop
//! (环流) as soon as it is closed.
//!
//! The walk is Tarjan's (1972) for strongly connected components, against the flow, so that components are found sources
//! first. It needs no recursion: a path may be as long as the grid.

use super::component::{self, Loops};
use super::grid::Layout;
use super::settle::{Outcome, Parts};
use super::slot::Settings;
use super::solution::Quality;
use super::workspace::{Mix, Workspace};

/// The order of a node whose turn to be settled has come. One not yet met has 0, one on the way its turn, from 1.
pub(super) const SETTLED: u32 = u32::MAX;

/// The memory of a walk.
#[derive(Debug, Default)]
pub(super) struct Walk {
    path: Vec<u32>,
    calls: Vec<Call>,
    /// Nodes that are dead or whose measurements can't be used.
    aside: Vec<u32>,
}

impl Walk {
    /// An empty stack, for use before the walk.
    pub(super) fn stack(&mut self) -> &mut Vec<u32> {
        self.path.clear();
        &mut self.path
    }
}

/// A node whose senders are being followed, and what has come from those that are settled.
#[derive(Debug, Clone, Copy)]
struct Call {
    node: u32,
    order: u32,
    /// The earliest turn it leads back to.
    low: u32,
    /// Its inflows that are left.
    next: u32,
    end: u32,
    mix: Mix,
}

/// Settle all nodes that can have a factor.
pub(super) fn settle(work: &mut Workspace, layout: &Layout<'_>, settings: &Settings) -> Outcome {
    let mut walker = Walker {
        parts: Parts {
            first: layout.first,
            inflows: &work.inflows,
            nodes: &mut work.nodes,
            mixes: &mut work.mixes,
            factors: &mut work.factors,
            rates: &mut work.rates,
            settings,
            outcome: Outcome::default(),
        },
        walk: &mut work.walk,
        loops: &mut work.loops,
        met: 0,
    };
    walker.walk.path.clear();
    walker.walk.aside.clear();
    for root in (0..).take(layout.nodes()) {
        walker.walk(root);
    }
    let Walker {
        mut parts, walk, ..
    } = walker;
    for number in &walk.aside {
        parts.drop_inflows(*number);
    }
    parts.outcome
}

struct Walker<'a> {
    parts: Parts<'a>,
    walk: &'a mut Walk,
    loops: &'a mut Loops,
    /// Nodes met so far.
    met: u32,
}

impl Walker<'_> {
    fn walk(&mut self, root: u32) {
        let Some(mut call) = self.enter(root) else {
            return;
        };
        loop {
            let mut into = None;
            while call.next < call.end {
                let Some(sender) = self.parts.inflows.from.get(call.next as usize).copied() else {
                    break;
                };
                match self.parts.nodes.get(sender as usize).map(|node| node.order) {
                    Some(SETTLED) => self.parts.receive(&mut call.mix, call.next, sender),
                    Some(0) => {
                        // It is looked at again when it is settled, or known to be of the same loop.
                        into = self.enter(sender);
                        if into.is_some() {
                            break;
                        }
                        continue;
                    }
                    Some(order) => call.low = call.low.min(order),
                    None => {}
                }
                call.next += 1;
            }
            if let Some(sender) = into {
                self.walk.calls.push(call);
                call = sender;
                continue;
            }
            self.leave(&call);
            let Some(mut above) = self.walk.calls.pop() else {
                return;
            };
            above.low = above.low.min(call.low);
            call = above;
        }
    }

    /// Meet a node; None for one that was met, or is set aside.
    #[inline]
    fn enter(&mut self, number: u32) -> Option<Call> {
        let node = self.parts.nodes.get_mut(number as usize)?;
        if node.order != 0 {
            return None;
        }
        let rates = self.parts.rates.get(number as usize)?;
        let bad = rates.quality == Quality::BadInput;
        if node.flux < self.parts.settings.dead_below_megawatts || bad {
            self.parts.set_aside(number);
            self.walk.aside.push(number);
            return None;
        }
        self.met += 1;
        node.order = self.met;
        self.walk.path.push(number);
        Some(Call {
            node: number,
            order: self.met,
            low: self.met,
            next: self.parts.first.get(number as usize).copied()?,
            end: node.end,
            mix: self.parts.mixes.get(number as usize).copied()?,
        })
    }

    /// All that feeds a node has been met: settle it, or the loop that it closes.
    #[inline]
    fn leave(&mut self, call: &Call) {
        if call.low == call.order && self.walk.path.last() == Some(&call.node) {
            self.walk.path.pop();
            self.parts.settle(call.node, &call.mix);
            return;
        }
        if let Some(mix) = self.parts.mixes.get_mut(call.node as usize) {
            *mix = call.mix;
        }
        if call.low == call.order {
            let first = self.walk.path.iter().rposition(|node| *node == call.node);
            let first = first.unwrap_or_default();
            let members = self.walk.path.get(first..).unwrap_or_default();
            component::settle(self.loops, members, &mut self.parts);
            self.walk.path.truncate(first);
        }
    }
}
