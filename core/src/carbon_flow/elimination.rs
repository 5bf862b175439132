//! Sparse elimination without subtraction: supplyᵢ xᵢ + Σⱼ flowⱼᵢ (xᵢ − xⱼ) = sideᵢ, all flows and supplies ≥ 0.
//!
//! Both the loops of a grid and its reconciliation have this form. Nodes go in order of least fill (inflows times
//! outflows), and whatever they pass on is added to their neighbours: see `component` for why nothing is subtracted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// List entries looked at after which a component is given up: about a second. A grid of a hundred thousand nodes in
/// one loop needs less; a random graph of ten thousand nodes, or a node with thirty thousand neighbours, does not.
const MOST_WORK: usize = 500_000_000;

/// Flows between nodes; parallel ones add up.
#[derive(Debug)]
pub(super) struct Arcs {
    /// For each node who flows in, and how much.
    inflow: Vec<Vec<(u32, f64)>>,
    /// For each node whom it flows to.
    outflow: Vec<Vec<u32>>,
}

impl Arcs {
    /// The flows between `size` nodes: (to, from, flow).
    pub(super) fn new(size: usize, mut flows: Vec<(u32, u32, f64)>) -> Self {
        flows.sort_by_key(|(to, from, _)| (*to, *from));
        let mut arcs = Self {
            inflow: vec![Vec::new(); size],
            outflow: vec![Vec::new(); size],
        };
        for (to, from, flow) in flows {
            let (Some(inflow), Some(outflow)) = (
                arcs.inflow.get_mut(to as usize),
                arcs.outflow.get_mut(from as usize),
            ) else {
                continue;
            };
            match inflow.last_mut() {
                Some((last, known)) if *last == from => *known += flow,
                _ => {
                    inflow.push((from, flow));
                    outflow.push(to);
                }
            }
        }
        arcs
    }

    /// What it takes to eliminate a node: the lists of those it flows to are gone through.
    fn work(&self, node: u32) -> usize {
        let place = node as usize;
        let from = self.inflow.get(place).map_or(0, Vec::len);
        let targets = self.outflow.get(place).into_iter().flatten();
        let lists = targets.map(|target| self.inflow.get(*target as usize).map_or(0, Vec::len));
        lists.map(|list| list + from).sum()
    }

    fn fill(&self, node: u32) -> usize {
        let place = node as usize;
        self.inflow.get(place).map_or(0, Vec::len) * self.outflow.get(place).map_or(0, Vec::len)
    }
}

/// One node's turn.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) node: u32,
    /// What flows in from outside and from nodes whose turn comes later.
    pub(super) inflow: f64,
    /// Nodes whose turn comes later, and what they flow in.
    pub(super) from: Vec<(u32, f64)>,
    /// Nodes whose turn comes later, and the share of this one's value each takes.
    to: Vec<(u32, f64)>,
}

/// The order of elimination and what each node was then.
#[derive(Debug)]
pub(super) struct Elimination {
    pub(super) steps: Vec<Step>,
}

impl Elimination {
    /// Eliminate all nodes; None where a node has no inflow left, or where the fill grows beyond all measure.
    pub(super) fn new(supply: &[f64], mut arcs: Arcs) -> Option<Self> {
        let mut supply = supply.to_vec();
        let count = u32::try_from(supply.len()).ok()?;
        let mut queue: BinaryHeap<Reverse<(usize, u32)>> = (0..count)
            .map(|node| Reverse((arcs.fill(node), node)))
            .collect();
        let mut done = vec![false; supply.len()];
        let mut places = vec![0_u32; supply.len()];
        let mut steps = Vec::with_capacity(supply.len());
        let mut work = 0;
        while let Some(Reverse((fill, node))) = queue.pop() {
            if done.get(node as usize).copied().unwrap_or(true) {
                continue;
            }
            let now = arcs.fill(node);
            if now > fill {
                queue.push(Reverse((now, node)));
                continue;
            }
            work += arcs.work(node);
            if work > MOST_WORK {
                return None;
            }
            *done.get_mut(node as usize)? = true;
            let step = eliminate(node, &mut supply, &mut arcs, &mut places)?;
            // A neighbour may have come to less; an entry that says more is put right when its turn comes.
            let near = step.to.iter().chain(&step.from);
            queue.extend(near.map(|(other, _)| Reverse((arcs.fill(*other), *other))));
            steps.push(step);
        }
        Some(Self { steps })
    }

    /// Replace the right-hand sides by the values.
    pub(super) fn solve<const N: usize>(&self, sides: &mut [[f64; N]]) {
        for step in &self.steps {
            let own = value(sides, step.node);
            for (node, share) in &step.to {
                add(sides, *node, *share, own);
            }
        }
        for step in self.steps.iter().rev() {
            let mut own = value(sides, step.node);
            for (node, flow) in &step.from {
                let other = value(sides, *node);
                for (sum, value) in own.iter_mut().zip(other) {
                    *sum += flow * value;
                }
            }
            if let Some(side) = sides.get_mut(step.node as usize) {
                *side = own.map(|sum| sum / step.inflow);
            }
        }
    }
}

fn value<const N: usize>(sides: &[[f64; N]], node: u32) -> [f64; N] {
    sides.get(node as usize).copied().unwrap_or([0.0; N])
}

fn add<const N: usize>(sides: &mut [[f64; N]], node: u32, share: f64, values: [f64; N]) {
    if let Some(side) = sides.get_mut(node as usize) {
        for (sum, value) in side.iter_mut().zip(values) {
            *sum += share * value;
        }
    }
}

fn eliminate(node: u32, supply: &mut [f64], arcs: &mut Arcs, places: &mut [u32]) -> Option<Step> {
    let from = std::mem::take(arcs.inflow.get_mut(node as usize)?);
    let targets = std::mem::take(arcs.outflow.get_mut(node as usize)?);
    let own = supply.get(node as usize).copied()?;
    let inflow = own + from.iter().map(|(_, flow)| flow).sum::<f64>();
    if inflow <= 0.0 {
        return None;
    }
    for (other, _) in &from {
        arcs.outflow
            .get_mut(*other as usize)?
            .retain(|to| *to != node);
    }
    let mut to = Vec::with_capacity(targets.len());
    for target in targets {
        let into = arcs.inflow.get_mut(target as usize)?;
        let place = into.iter().position(|(other, _)| *other == node)?;
        let share = into.swap_remove(place).1 / inflow;
        to.push((target, share));
        *supply.get_mut(target as usize)? += share * own;
        // Where in `into` a node is, from 1: with it the sum of both lists takes one pass over each.
        for (place, (other, _)) in (1..).zip(into.iter()) {
            *places.get_mut(*other as usize)? = place;
        }
        for (other, flow) in &from {
            if *other == target {
                continue;
            }
            let place = places.get(*other as usize).copied()?;
            if let Some(known) = place
                .checked_sub(1)
                .and_then(|place| into.get_mut(place as usize))
            {
                known.1 += share * flow;
            } else {
                into.push((*other, share * flow));
                arcs.outflow.get_mut(*other as usize)?.push(target);
            }
        }
        for (other, _) in into.iter() {
            *places.get_mut(*other as usize)? = 0;
        }
    }
    Some(Step {
        node,
        inflow,
        from,
        to,
    })
}
