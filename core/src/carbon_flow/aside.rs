//! Nodes that are set aside: dead ones (无潮流节点), and those whose measurements can't be used.
//!
//! What they hand on is of unknown origin. From a dead node it is next to nothing, and what is less than the least power
//! that counts is dropped, which can leave the next node dead.

use super::solution::Quality;
use super::workspace::Workspace;

/// Drop the weak inflows that come from nodes set aside, and those of the nodes that this leaves dead.
pub(super) fn drop_weak(work: &mut Workspace, least: f64) {
    let Workspace {
        nodes,
        rates,
        weak,
        walk,
        ..
    } = work;
    if weak.is_empty() {
        return;
    }
    weak.sort_unstable_by_key(|inflow| inflow.from);
    let bad = |node: u32| {
        let rates = rates.get(node as usize);
        rates.is_some_and(|rates| rates.quality == Quality::BadInput)
    };
    let stack = walk.stack();
    for senders in weak.chunk_by(|one, next| one.from == next.from) {
        if let Some(inflow) = senders.first()
            && let Some(node) = nodes.get(inflow.from as usize)
            && (node.flux < least || bad(inflow.from))
        {
            stack.push(inflow.from);
        }
    }
    while let Some(number) = stack.pop() {
        let start = weak.partition_point(|inflow| inflow.from < number);
        let own = weak.iter().skip(start);
        for inflow in own.take_while(|inflow| inflow.from == number) {
            if let Some(node) = nodes.get_mut(inflow.to as usize)
                && node.flux >= least
                && !bad(inflow.to)
            {
                node.flux -= inflow.received;
                if node.flux < least {
                    stack.push(inflow.to);
                }
            }
        }
    }
}
