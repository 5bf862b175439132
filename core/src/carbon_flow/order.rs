//! The numbers that a solver gives the nodes of a grid whose own numbers lie about at random.
//!
//! A solve goes from neighbour to neighbour. Where they are numbered far apart each step waits for memory, which takes
//! longer than all the arithmetic. Numbered as a walk in depth meets them, neighbours lie together. The numbers depend
//! on the grid alone: once made, they serve all slots.

use super::incidence::Incidence;

/// Branches that on average span no more nodes than this need no other numbers: a core's own cache holds as many.
const NEAR: u64 = 1 << 14;

/// The number of a node not yet met.
const UNMET: u32 = u32::MAX;

/// For each node its number for the solver; None where the grid's own numbers serve.
pub(super) fn order(ends: &[[u32; 2]], incidence: &Incidence) -> Option<Vec<u32>> {
    let span: u64 = ends.iter().map(|[a, b]| u64::from(a.abs_diff(*b))).sum();
    if span <= NEAR * ends.len() as u64 {
        return None;
    }
    let nodes = incidence.first.len().saturating_sub(1);
    let mut numbers = vec![UNMET; nodes];
    let mut stack = Vec::new();
    let mut next = 0;
    for root in (0..).take(nodes) {
        stack.push(root);
        while let Some(node) = stack.pop() {
            match numbers.get_mut(node as usize) {
                Some(number) if *number == UNMET => *number = next,
                _ => continue,
            }
            next += 1;
            let others = incidence.of(node).iter().copied();
            stack.extend(others.filter(|other| numbers.get(*other as usize) == Some(&UNMET)));
        }
    }
    Some(numbers)
}
