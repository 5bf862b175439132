//! The nodes of one loop, or of several that are tied together, are solved at once.
//!
//! Supply (what comes in from outside), and flows between the nodes, are all that is needed, and all are positive:
//! elimination in the manner of Grassmann, Taksar and Heyman (1985) adds, multiplies and divides positive numbers only.
//! It needs no pivoting and loses no digit to cancellation, even where megawatts circulate on watts of supply, where
//! an elimination on the matrix flux − inflow would have to find that supply as a difference.

use super::elimination::{Arcs, Elimination};
use super::loops::Loops;
use super::solution::Quality;
use super::workspace::{Arc, Mix, Node, outgoing};

/// Up to this many nodes the matrix is dense; loops of public grids have 2 to 75.
const DENSE: usize = 96;

/// What a component is settled with.
pub(super) struct Parts<'a> {
    pub(super) nodes: &'a mut [Node],
    pub(super) mixes: &'a mut [Mix],
    pub(super) arcs: &'a [Arc],
    pub(super) first: &'a [u32],
    pub(super) quality: &'a mut [Quality],
}

/// Settle the nodes of a component: `carbon` and `unknown` become amounts per MW.
pub(super) fn settle(number: usize, loops: &mut Loops, parts: Parts<'_>) {
    let Parts {
        nodes,
        mixes,
        arcs,
        first,
        quality,
    } = parts;
    let mark = u32::try_from(number).unwrap_or_default();
    let size = enter(number, mark, loops, mixes);
    let fed = loops.supply.iter().sum::<f64>() > 0.0;
    let solved = fed
        && if size <= DENSE {
            fill(number, mark, size, loops, nodes, arcs, first);
            dense(&mut loops.matrix, &mut loops.supply, &mut loops.sides)
        } else {
            sparse(number, mark, loops, nodes, arcs, first)
        };
    let verdict = if !fed {
        Some(Quality::NoSource)
    } else if !solved {
        Some(Quality::Unsolved)
    } else {
        None
    };
    if verdict.is_some() {
        let members = loops.component(number).iter();
        let came = members.map(|member| mixes.get(*member as usize).map_or(0.0, |mix| mix.carbon));
        loops.dropped += came.sum::<f64>();
    }
    for place in 0..size {
        let Some(member) = loops.component(number).get(place).copied() else {
            continue;
        };
        let (Some(node), Some(mix), Some(quality)) = (
            nodes.get_mut(member as usize),
            mixes.get_mut(member as usize),
            quality.get_mut(member as usize),
        ) else {
            continue;
        };
        let shares = loops.sides.get(place).copied().unwrap_or_default();
        [mix.carbon, mix.unknown] = if verdict.is_some() {
            [0.0, 1.0]
        } else {
            shares
        };
        // What circulates without a source is known from the arcs only.
        mix.supply = node.flux;
        node.waiting = super::sweep::SETTLED;
        if let Some(verdict) = verdict {
            *quality = verdict;
        }
    }
}

/// Give each member its place, and take its supply and right-hand sides.
fn enter(number: usize, mark: u32, loops: &mut Loops, mixes: &[Mix]) -> usize {
    let size = loops.component(number).len();
    loops.supply.clear();
    loops.sides.clear();
    for place in 0..size {
        let Some(member) = loops.component(number).get(place).copied() else {
            continue;
        };
        let mix = mixes.get(member as usize).copied().unwrap_or_default();
        loops.supply.push(mix.supply);
        loops.sides.push([mix.carbon, mix.unknown]);
        if let (Some(index), Some(own)) = (
            loops.index.get_mut(member as usize),
            loops.places.get_mut(member as usize),
        ) {
            *index = mark;
            *own = u32::try_from(place).unwrap_or_default();
        }
    }
    size
}

/// Call `with` for each arc within the component: places of its ends and what it carries.
fn within(
    number: usize,
    mark: u32,
    loops: &Loops,
    nodes: &[Node],
    arcs: &[Arc],
    first: &[u32],
    mut with: impl FnMut(u32, u32, f64),
) {
    for (place, member) in (0..).zip(loops.component(number)) {
        let count = nodes.get(*member as usize).map_or(0, |node| node.arcs);
        for arc in outgoing(arcs, first, *member, count) {
            if loops.index.get(arc.to as usize) == Some(&mark) {
                let to = loops
                    .places
                    .get(arc.to as usize)
                    .copied()
                    .unwrap_or_default();
                with(place, to, arc.received);
            }
        }
    }
}

/// Write the flows between the members: row by receiver, column by sender.
fn fill(
    number: usize,
    mark: u32,
    size: usize,
    loops: &mut Loops,
    nodes: &[Node],
    arcs: &[Arc],
    first: &[u32],
) {
    let mut matrix = std::mem::take(&mut loops.matrix);
    matrix.clear();
    matrix.resize(size * size, 0.0);
    within(
        number,
        mark,
        loops,
        nodes,
        arcs,
        first,
        |from, to, received| {
            if let Some(entry) = matrix.get_mut(to as usize * size + from as usize) {
                *entry += received;
            }
        },
    );
    loops.matrix = matrix;
}

/// Solve supplyᵢ xᵢ + Σⱼ flowᵢⱼ (xᵢ − xⱼ) = sideᵢ for both sides at once; false where a node has no inflow left.
fn dense(matrix: &mut [f64], supply: &mut [f64], sides: &mut [[f64; 2]]) -> bool {
    let count = supply.len();
    for last in (0..count).rev() {
        let (rows, row) = matrix.split_at_mut(last * count);
        let Some(row) = row.get(..last) else {
            return false;
        };
        let (others, own) = supply.split_at_mut(last);
        let (before, side) = sides.split_at_mut(last);
        let (Some(own), Some(side)) = (own.first_mut(), side.first()) else {
            return false;
        };
        let inflow = *own + row.iter().sum::<f64>();
        if inflow <= 0.0 {
            return false;
        }
        let targets = rows.chunks_exact_mut(count).zip(others).zip(before);
        for ((target, supply), target_side) in targets {
            let weight = target.get(last).copied().unwrap_or_default() / inflow;
            if weight == 0.0 {
                continue;
            }
            *supply += weight * *own;
            target_side[0] += weight * side[0];
            target_side[1] += weight * side[1];
            for (entry, through) in target.iter_mut().zip(row.iter()) {
                *entry += weight * through;
            }
        }
        *own = inflow;
    }
    for (place, row) in matrix.chunks_exact(count).enumerate() {
        let (known, rest) = sides.split_at_mut(place);
        let (Some(side), Some(inflow)) = (rest.first_mut(), supply.get(place)) else {
            return false;
        };
        for (entry, value) in row.iter().zip(known) {
            side[0] += entry * value[0];
            side[1] += entry * value[1];
        }
        side[0] /= inflow;
        side[1] /= inflow;
    }
    true
}

fn sparse(
    number: usize,
    mark: u32,
    loops: &mut Loops,
    nodes: &[Node],
    arcs: &[Arc],
    first: &[u32],
) -> bool {
    let mut flows = Vec::new();
    within(
        number,
        mark,
        loops,
        nodes,
        arcs,
        first,
        |from, to, received| flows.push((to, from, received)),
    );
    let Some(elimination) = Elimination::new(&loops.supply, Arcs::new(loops.supply.len(), flows))
    else {
        return false;
    };
    elimination.solve(&mut loops.sides);
    true
}
