//! Ids of nodes and elements, so that what is refused is named as its owner names it.

use std::collections::HashMap;

use super::error::{Element, GridError};
use super::grid::Grid;

/// The ids of one kind of element, each there once.
#[derive(Debug, Clone)]
pub struct Names {
    element: Element,
    ids: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    /// # Errors
    /// For an id that is there twice.
    pub fn new(element: Element, ids: Vec<String>) -> Result<Self, GridError> {
        let mut numbers = HashMap::with_capacity(ids.len());
        for (number, id) in (0..).zip(&ids) {
            if numbers.insert(id.clone(), number).is_some() {
                return Err(GridError::Duplicate {
                    element,
                    id: id.clone(),
                });
            }
        }
        Ok(Self {
            element,
            ids,
            numbers,
        })
    }

    /// The ids in order.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The number of an id.
    #[must_use]
    pub fn number(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// The id of a number; a number that has none stands for itself.
    #[must_use]
    pub fn id(&self, number: u32) -> String {
        self.ids
            .get(number as usize)
            .cloned()
            .unwrap_or_else(|| format!("{} {number}", self.element))
    }
}

/// A grid whose nodes and elements have ids.
#[derive(Debug, Clone)]
pub struct NamedGrid {
    /// By numbers.
    pub grid: Grid,
    /// Ids of the nodes.
    pub nodes: Names,
    /// Ids of the branches.
    pub branches: Names,
    /// Ids of the sources.
    pub sources: Names,
    /// Ids of the loads.
    pub loads: Names,
    /// Ids of the storages.
    pub storages: Names,
}

impl NamedGrid {
    /// A grid of nodes, branches (id, from, to), and sources, loads and storages (id, node).
    ///
    /// # Errors
    /// As [`Grid::new`], and for an id that is there twice.
    pub fn new(
        nodes: Vec<String>,
        branches: Vec<(String, String, String)>,
        sources: Vec<(String, String)>,
        loads: Vec<(String, String)>,
        storages: Vec<(String, String)>,
    ) -> Result<Self, GridError> {
        let nodes = Names::new(Element::Node, nodes)?;
        let mut ends = Vec::with_capacity(branches.len());
        let mut ids = Vec::with_capacity(branches.len());
        for (id, from, to) in branches {
            let both = [
                number(&nodes, Element::Branch, &id, &from)?,
                number(&nodes, Element::Branch, &id, &to)?,
            ];
            if from == to {
                return Err(GridError::OneEnded { id, node: from });
            }
            ends.push(both);
            ids.push(id);
        }
        let branches = Names::new(Element::Branch, ids)?;
        let (sources, at_sources) = places(&nodes, Element::Source, sources)?;
        let (loads, at_loads) = places(&nodes, Element::Load, loads)?;
        let (storages, at_storages) = places(&nodes, Element::Storage, storages)?;
        Ok(Self {
            grid: Grid::new(nodes.ids.len(), &ends, &at_sources, &at_loads, &at_storages)?,
            nodes,
            branches,
            sources,
            loads,
            storages,
        })
    }

    /// The ids of a kind of element.
    #[must_use]
    pub fn names(&self, element: Element) -> &Names {
        match element {
            Element::Node => &self.nodes,
            Element::Branch => &self.branches,
            Element::Source => &self.sources,
            Element::Load => &self.loads,
            Element::Storage => &self.storages,
        }
    }
}

fn number(nodes: &Names, element: Element, id: &str, node: &str) -> Result<u32, GridError> {
    nodes.number(node).ok_or_else(|| GridError::UnknownNode {
        element,
        id: id.to_owned(),
        node: node.to_owned(),
    })
}

fn places(
    nodes: &Names,
    element: Element,
    entries: Vec<(String, String)>,
) -> Result<(Names, Vec<u32>), GridError> {
    let mut at = Vec::with_capacity(entries.len());
    let mut ids = Vec::with_capacity(entries.len());
    for (id, node) in entries {
        at.push(number(nodes, element, &id, &node)?);
        ids.push(id);
    }
    Ok((Names::new(element, ids)?, at))
}
