//! Nodes are settled from the sources on: one after the other, and a loop (环流) at a time.

use super::component;
use super::grid::Grid;
use super::solution::Quality;
use super::workspace::{Arc, Mix, Node, Workspace, outgoing};

/// The mark of a node that is settled.
pub(super) const SETTLED: u32 = u32::MAX;

/// Settle all nodes that can have a factor.
pub(super) fn settle(work: &mut Workspace, grid: &Grid, least: f64) {
    let waiting = set_aside(work, grid, least);
    let settled = settle_ready(work, grid);
    if settled < waiting {
        settle_loops(work, grid);
    }
}

/// Set aside the dead nodes and those whose measurements can't be used; returns the number of the others.
///
/// What they hand on is of unknown origin. From a dead node it is next to nothing, and what is less than `least` is
/// dropped, which can leave the next node dead.
fn set_aside(work: &mut Workspace, grid: &Grid, least: f64) -> usize {
    let Workspace {
        nodes,
        mixes,
        arcs,
        stack,
        solution,
        ..
    } = work;
    let quality = &mut solution.quality;
    for (number, (node, quality)) in (0..).zip(nodes.iter().zip(quality.iter_mut())) {
        if *quality == Quality::Defined && node.flux >= least {
            continue;
        }
        if *quality == Quality::Defined {
            *quality = Quality::Dead;
        }
        stack.push(number);
    }
    let mut aside = 0;
    while let Some(number) = stack.pop() {
        aside += 1;
        let count = nodes.get(number as usize).map_or(0, |node| node.arcs);
        for arc in outgoing(arcs, &grid.first, number, count) {
            let place = arc.to as usize;
            let (Some(node), Some(quality)) = (nodes.get_mut(place), quality.get_mut(place)) else {
                continue;
            };
            if *quality != Quality::Defined {
                continue;
            }
            node.waiting = node.waiting.saturating_sub(1);
            if arc.received >= least {
                if let Some(mix) = mixes.get_mut(place) {
                    mix.supply += arc.received;
                    mix.unknown += arc.received;
                }
                continue;
            }
            node.flux -= arc.received;
            if node.flux < least {
                *quality = Quality::Dead;
                stack.push(arc.to);
            }
        }
    }
    nodes.len() - aside
}

/// Settle what waits for nothing, until only loops and what they feed is left.
fn settle_ready(work: &mut Workspace, grid: &Grid) -> usize {
    let Workspace {
        nodes,
        mixes,
        arcs,
        stack,
        solution,
        ..
    } = work;
    let ready = nodes.iter().zip(&solution.quality).enumerate();
    for (number, _) in ready.filter(|(_, (n, q))| n.waiting == 0 && **q == Quality::Defined) {
        stack.push(u32::try_from(number).unwrap_or(SETTLED));
    }
    let mut settled = 0;
    while let Some(number) = stack.pop() {
        settled += 1;
        let (Some(mean), Some(node)) = (mean(mixes, number), nodes.get_mut(number as usize)) else {
            continue;
        };
        node.waiting = SETTLED;
        for arc in outgoing(arcs, &grid.first, number, node.arcs) {
            if let (Some(node), Some(mix)) = (
                nodes.get_mut(arc.to as usize),
                mixes.get_mut(arc.to as usize),
            ) {
                receive(mix, arc, &mean);
                // A node set aside is never ready: it counts on from 0, or waits for another like it.
                node.waiting = node.waiting.wrapping_sub(1);
                if node.waiting == 0 && defined(&solution.quality, arc.to) {
                    stack.push(arc.to);
                }
            }
        }
    }
    settled
}

#[inline]
fn defined(quality: &[Quality], node: u32) -> bool {
    quality.get(node as usize) == Some(&Quality::Defined)
}

/// Settle one node: its carbon and unknown power become those of each MW.
#[inline]
fn mean(mixes: &mut [Mix], number: u32) -> Option<Mix> {
    let mix = mixes.get_mut(number as usize)?;
    mix.carbon /= mix.supply;
    mix.unknown /= mix.supply;
    Some(*mix)
}

#[inline]
fn receive(mix: &mut Mix, arc: &Arc, from: &Mix) {
    mix.supply += arc.received;
    mix.carbon += arc.received * from.carbon;
    mix.unknown += arc.received * from.unknown;
}

/// Settle what is left, a strongly connected component at a time, sources before sinks.
fn settle_loops(work: &mut Workspace, grid: &Grid) {
    let Workspace {
        nodes,
        mixes,
        arcs,
        loops,
        solution,
        ..
    } = work;
    loops.find(nodes, arcs, &grid.first, &solution.quality);
    for number in (0..loops.len()).rev() {
        if let [single] = loops.component(number) {
            // Nothing it feeds is settled before it.
            if let (Some(mean), Some(node)) = (mean(mixes, *single), nodes.get(*single as usize)) {
                for arc in outgoing(arcs, &grid.first, *single, node.arcs) {
                    if let Some(mix) = mixes.get_mut(arc.to as usize) {
                        receive(mix, arc, &mean);
                    }
                }
            }
            continue;
        }
        let parts = component::Parts {
            nodes,
            mixes,
            arcs,
            first: &grid.first,
            quality: &mut solution.quality,
        };
        component::settle(number, loops, parts);
        for member in loops.component(number) {
            hand_on(*member, nodes, mixes, arcs, &grid.first);
        }
    }
}

/// Hand on what a member of a component has to nodes beyond it: its own are settled.
fn hand_on(member: u32, nodes: &[Node], mixes: &mut [Mix], arcs: &[Arc], first: &[u32]) {
    let (Some(node), Some(mean)) = (
        nodes.get(member as usize),
        mixes.get(member as usize).copied(),
    ) else {
        return;
    };
    for arc in outgoing(arcs, first, member, node.arcs) {
        let target = nodes.get(arc.to as usize);
        if target.is_some_and(|node| node.waiting != SETTLED)
            && let Some(mix) = mixes.get_mut(arc.to as usize)
        {
            receive(mix, arc, &mean);
        }
    }
}
