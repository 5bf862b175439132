//! What does not change from slot to slot: which node each branch, source, load and storage is at.

use super::error::{Element, GridError};
use super::incidence::Incidence;
use super::order;

/// Elements of a kind, and nodes, that a grid may have: twice the branches have to fit 32 bits.
const LIMIT: usize = 1 << 30;

/// The elements of a grid and their nodes, by number. Parallel branches are kept apart.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    pub(super) ends: Vec<[u32; 2]>,
    pub(super) sources: Vec<u32>,
    pub(super) loads: Vec<u32>,
    pub(super) storages: Vec<u32>,
    incidence: Incidence,
    renumbered: Option<Renumbered>,
}

/// The elements by the solver's numbers of the nodes.
#[derive(Debug, Clone)]
struct Renumbered {
    /// For each node its number for the solver.
    order: Vec<u32>,
    ends: Vec<[u32; 2]>,
    sources: Vec<u32>,
    loads: Vec<u32>,
    storages: Vec<u32>,
}

/// A grid as a solver sees it: by its own numbers of the nodes, the elements in the order of the grid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    /// For each node of the grid its number here; None if it is the same.
    pub(super) order: Option<&'a [u32]>,
    pub(super) ends: &'a [[u32; 2]],
    pub(super) first: &'a [u32],
    pub(super) places: &'a [[u32; 2]],
    pub(super) neighbours: &'a [u32],
    pub(super) sources: &'a [u32],
    pub(super) loads: &'a [u32],
    pub(super) storages: &'a [u32],
}

impl Layout<'_> {
    pub(super) fn nodes(&self) -> usize {
        self.first.len().saturating_sub(1)
    }
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
        check_ends(nodes, branches)?;
        for (element, places) in [
            (Element::Source, sources),
            (Element::Load, loads),
            (Element::Storage, storages),
        ] {
            if let Some((index, node)) = (0..).zip(places).find(|(_, n)| **n as usize >= nodes) {
                return Err(unknown(element, index, *node));
            }
        }
        let incidence = Incidence::new(nodes, branches);
        let order = order::order(branches, &incidence);
        let renumbered = order.map(|order| renumber(order, branches, [sources, loads, storages]));
        let own = renumbered.as_ref();
        Ok(Self {
            incidence: own.map_or(incidence, |own| Incidence::new(nodes, &own.ends)),
            ends: branches.to_vec(),
            sources: sources.to_vec(),
            loads: loads.to_vec(),
            storages: storages.to_vec(),
            renumbered,
        })
    }

    pub(super) fn layout(&self) -> Layout<'_> {
        let Incidence {
            first,
            places,
            neighbours,
        } = &self.incidence;
        let own = self.renumbered.as_ref();
        Layout {
            order: own.map(|own| own.order.as_slice()),
            ends: own.map_or(&self.ends, |own| &own.ends),
            first,
            places,
            neighbours,
            sources: own.map_or(&self.sources, |own| &own.sources),
            loads: own.map_or(&self.loads, |own| &own.loads),
            storages: own.map_or(&self.storages, |own| &own.storages),
        }
    }

    /// Number of nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.incidence.first.len().saturating_sub(1)
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

fn check_ends(nodes: usize, branches: &[[u32; 2]]) -> Result<(), GridError> {
    for (index, [from, to]) in (0..).zip(branches) {
        if from == to {
            return Err(GridError::OneEnded {
                id: index.to_string(),
                node: from.to_string(),
            });
        }
        if let Some(node) = [from, to].into_iter().find(|node| **node as usize >= nodes) {
            return Err(unknown(Element::Branch, index, *node));
        }
    }
    Ok(())
}

fn renumber(order: Vec<u32>, ends: &[[u32; 2]], elements: [&[u32]; 3]) -> Renumbered {
    let new = |node: &u32| order.get(*node as usize).copied().unwrap_or_default();
    let [sources, loads, storages] = elements.map(|places| places.iter().map(new).collect());
    Renumbered {
        ends: ends.iter().map(|[from, to]| [new(from), new(to)]).collect(),
        sources,
        loads,
        storages,
        order,
    }
}
