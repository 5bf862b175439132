//! What does not change from slot to slot: which node each branch, source, load and storage is at.

use super::error::{Element, GridError};

/// Elements of a kind, and nodes, that a grid may have: twice the branches have to fit 32 bits.
const LIMIT: usize = 1 << 30;

/// The elements of a grid and their nodes, by number. Parallel branches are kept apart.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    pub(super) ends: Vec<[u32; 2]>,
    /// For each node the number of branch ends at the nodes before it: where its outgoing arcs have room.
    pub(super) first: Vec<u32>,
    pub(super) sources: Vec<u32>,
    pub(super) loads: Vec<u32>,
    pub(super) storages: Vec<u32>,
}

impl Grid {
    /// A grid of `nodes` nodes; branches by the numbers of their ends (from, to), the others by that of their node.
    ///
    /// # Errors
    /// For a node that is not there, a branch from a node to itself, and more than 2³⁰ elements of a kind.
    pub fn new(
        nodes: usize,
        branches: &[[u32; 2]],
        sources: &[u32],
        loads: &[u32],
        storages: &[u32],
    ) -> Result<Self, GridError> {
        let counts = [
            (Element::Node, nodes),
            (Element::Branch, branches.len()),
            (Element::Source, sources.len()),
            (Element::Load, loads.len()),
            (Element::Storage, storages.len()),
        ];
        for (element, count) in counts {
            if count > LIMIT {
                return Err(GridError::TooMany {
                    element,
                    count,
                    limit: LIMIT,
                });
            }
        }
        let first = count_ends(nodes, branches)?;
        for (element, places) in [
            (Element::Source, sources),
            (Element::Load, loads),
            (Element::Storage, storages),
        ] {
            if let Some((index, node)) = (0..).zip(places).find(|(_, n)| **n as usize >= nodes) {
                return Err(unknown(element, index, *node));
            }
        }
        Ok(Self {
            ends: branches.to_vec(),
            first,
            sources: sources.to_vec(),
            loads: loads.to_vec(),
            storages: storages.to_vec(),
        })
    }

    /// Number of nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.first.len().saturating_sub(1)
    }

    /// The nodes of each branch: from, to.
    #[must_use]
    pub fn branches(&self) -> &[[u32; 2]] {
        &self.ends
    }

    /// The node of each source.
    #[must_use]
    pub fn sources(&self) -> &[u32] {
        &self.sources
    }

    /// The node of each load.
    #[must_use]
    pub fn loads(&self) -> &[u32] {
        &self.loads
    }

    /// The node of each storage.
    #[must_use]
    pub fn storages(&self) -> &[u32] {
        &self.storages
    }
}

fn unknown(element: Element, index: u64, node: u32) -> GridError {
    GridError::UnknownNode {
        element,
        id: index.to_string(),
        node: node.to_string(),
    }
}

fn count_ends(nodes: usize, branches: &[[u32; 2]]) -> Result<Vec<u32>, GridError> {
    let mut first = vec![0_u32; nodes + 1];
    for (index, [from, to]) in (0..).zip(branches) {
        if from == to {
            return Err(GridError::OneEnded {
                id: index.to_string(),
                node: from.to_string(),
            });
        }
        for node in [from, to] {
            match first.get_mut(*node as usize) {
                Some(count) if (*node as usize) < nodes => *count += 1,
                _ => return Err(unknown(Element::Branch, index, *node)),
            }
        }
    }
    let mut before = 0;
    for count in &mut first {
        let own = *count;
        *count = before;
        before += own;
    }
    Ok(first)
}
