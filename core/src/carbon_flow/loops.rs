//! Strongly connected components of what is not yet settled (Tarjan 1972), without recursion: a path may be as long as
//! the grid.

use super::solution::Quality;
use super::sweep::SETTLED;
use super::workspace::{Arc, Node};

/// The mark of a node that already belongs to a component.
const ASSIGNED: u32 = u32::MAX;

/// A node whose arcs are being followed.
#[derive(Debug, Clone, Copy)]
struct Call {
    node: u32,
    /// When it was met.
    order: u32,
    /// The earliest one it leads back to.
    low: u32,
    /// Its arcs that are left.
    next: u32,
    end: u32,
}

/// Components, sinks before sources, and the memory to find and solve them.
#[derive(Debug, Default)]
pub(super) struct Loops {
    /// For each node the order in which it was met, from 1; then the component that is being solved.
    pub(super) index: Vec<u32>,
    /// For each node its place in the component that is being solved.
    pub(super) places: Vec<u32>,
    /// The nodes of all components, one component after the other.
    members: Vec<u32>,
    /// Where each component ends in `members`.
    ends: Vec<u32>,
    path: Vec<u32>,
    calls: Vec<Call>,
    pub(super) matrix: Vec<f64>,
    pub(super) supply: Vec<f64>,
    pub(super) sides: Vec<[f64; 2]>,
    /// Carbon in t/h that came to components which were not solved.
    pub(super) dropped: f64,
}

impl Loops {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn component(&self, number: usize) -> &[u32] {
        let start = match number.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or_default(),
            None => 0,
        };
        let end = self.ends.get(number).copied().unwrap_or_default();
        self.members
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// Find the components of all nodes that are defined and not settled.
    pub(super) fn find(
        &mut self,
        nodes: &[Node],
        arcs: &[Arc],
        first: &[u32],
        quality: &[Quality],
    ) {
        self.members.clear();
        self.ends.clear();
        self.places.resize(nodes.len(), 0);
        self.index.clear();
        // What is settled or set aside is in nobody's component.
        let open = nodes.iter().zip(quality);
        self.index.extend(open.map(|(node, quality)| {
            let open = node.waiting != SETTLED && *quality == Quality::Defined;
            if open { 0 } else { ASSIGNED }
        }));
        let mut met = 0;
        for (root, _) in (0..).zip(nodes) {
            if self.index.get(root as usize) == Some(&0) {
                self.walk(root, &mut met, nodes, arcs, first);
            }
        }
    }

    fn walk(&mut self, root: u32, met: &mut u32, nodes: &[Node], arcs: &[Arc], first: &[u32]) {
        let mut call = self.enter(root, met, nodes, first);
        loop {
            let mut into = None;
            while call.next < call.end {
                let to = arcs.get(call.next as usize).map_or(ASSIGNED, |arc| arc.to);
                call.next += 1;
                match self.index.get(to as usize) {
                    Some(0) => {
                        into = Some(to);
                        break;
                    }
                    Some(&order) if order != ASSIGNED => call.low = call.low.min(order),
                    _ => {}
                }
            }
            if let Some(to) = into {
                self.calls.push(call);
                call = self.enter(to, met, nodes, first);
                continue;
            }
            if call.low == call.order {
                self.close(call.node);
            }
            let Some(mut above) = self.calls.pop() else {
                return;
            };
            above.low = above.low.min(call.low);
            call = above;
        }
    }

    fn enter(&mut self, node: u32, met: &mut u32, nodes: &[Node], first: &[u32]) -> Call {
        *met += 1;
        if let Some(index) = self.index.get_mut(node as usize) {
            *index = *met;
        }
        self.path.push(node);
        let next = first.get(node as usize).copied().unwrap_or_default();
        Call {
            node,
            order: *met,
            low: *met,
            next,
            end: next + nodes.get(node as usize).map_or(0, |node| node.arcs),
        }
    }

    fn close(&mut self, root: u32) {
        while let Some(node) = self.path.pop() {
            if let Some(index) = self.index.get_mut(node as usize) {
                *index = ASSIGNED;
            }
            self.members.push(node);
            if node == root {
                break;
            }
        }
        self.ends
            .push(u32::try_from(self.members.len()).unwrap_or(u32::MAX));
    }
}
