//! The nodes of one loop, or of several that are tied together, are solved at once.
//!
//! Supply (what comes in from outside), and flows between the nodes, are all that is needed, and all are positive:
//! elimination in the manner of Grassmann, Taksar and Heyman (1985) adds, multiplies and divides positive numbers only.
//! It needs no pivoting and loses no digit to cancellation, even where megawatts circulate on watts of supply, where
//! an elimination on the matrix flux − inflow would have to find that supply as a difference.

use super::elimination::{Arcs, Elimination};
use super::settle::Parts;
use super::solution::Quality;
use super::walk::SETTLED;

/// Up to this many nodes the matrix is dense; loops of public grids have 2 to 75.
const DENSE: usize = 96;

/// The memory to solve components.
#[derive(Debug, Default)]
pub(super) struct Loops {
    matrix: Vec<f64>,
    supply: Vec<f64>,
    sides: Vec<[f64; 2]>,
}

/// Settle the nodes of a component; what feeds it is settled.
pub(super) fn settle(loops: &mut Loops, members: &[u32], parts: &mut Parts<'_>) {
    enter(loops, members, parts);
    let fed = loops.supply.iter().sum::<f64>() > 0.0;
    let came: f64 = loops.sides.iter().map(|side| side[0]).sum();
    let solved = fed
        && if members.len() <= DENSE {
            fill(loops, members, parts);
            dense(&mut loops.matrix, &mut loops.supply, &mut loops.sides)
        } else {
            sparse(loops, members, parts)
        };
    if !solved {
        parts.outcome.dropped += came;
    }
    for (member, side) in members.iter().zip(&loops.sides) {
        let place = *member as usize;
        let (Some(node), Some(rates)) = (parts.nodes.get_mut(place), parts.rates.get_mut(place))
        else {
            continue;
        };
        node.order = SETTLED;
        if !fed {
            rates.quality = Quality::NoSource;
        } else if !solved {
            rates.quality = Quality::Unsolved;
        }
        // What circulates without a source is known from the inflows only.
        let flux = node.flux;
        let [carbon, unknown] = if solved { *side } else { [0.0, 1.0] };
        parts.conclude(*member, flux, carbon, unknown);
    }
}

/// Take supply and right-hand sides of the members, and give each its place.
fn enter(loops: &mut Loops, members: &[u32], parts: &mut Parts<'_>) {
    loops.supply.clear();
    loops.sides.clear();
    for (place, member) in (0..).zip(members) {
        let mix = parts.mixes.get(*member as usize);
        let mix = mix.copied().unwrap_or_default();
        loops.supply.push(mix.supply);
        loops.sides.push([mix.carbon, mix.unknown]);
        if let Some(node) = parts.nodes.get_mut(*member as usize) {
            node.order = place;
        }
    }
}

/// Call `with` for each inflow from within the component: places of its ends (to, from) and what it carries.
fn within(members: &[u32], parts: &Parts<'_>, mut with: impl FnMut(u32, u32, f64)) {
    for (place, member) in (0..).zip(members) {
        let Some(node) = parts.nodes.get(*member as usize) else {
            continue;
        };
        for (received, from) in parts.inflows.of(parts.first, *member, node) {
            if let Some(sender) = parts.nodes.get(from as usize)
                && sender.order != SETTLED
            {
                with(place, sender.order, received);
            }
        }
    }
}

/// Write the flows between the members: row by receiver, column by sender.
fn fill(loops: &mut Loops, members: &[u32], parts: &Parts<'_>) {
    let size = members.len();
    loops.matrix.clear();
    loops.matrix.resize(size * size, 0.0);
    within(members, parts, |to, from, received| {
        if let Some(entry) = loops.matrix.get_mut(to as usize * size + from as usize) {
            *entry += received;
        }
    });
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

fn sparse(loops: &mut Loops, members: &[u32], parts: &Parts<'_>) -> bool {
    let mut flows = Vec::new();
    within(members, parts, |to, from, received| {
        flows.push((to, from, received));
    });
    let Some(elimination) = Elimination::new(&loops.supply, Arcs::new(loops.supply.len(), flows))
    else {
        return false;
    };
    elimination.solve(&mut loops.sides);
    true
}
