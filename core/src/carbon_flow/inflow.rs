//! What was measured at branch ends becomes the inflows of nodes.

use std::cell::Cell;

use super::grid::Layout;
use super::workspace::{Inflows, Node, Weak, Workspace};

/// Gather the inflows of each node, their sum, and what it sends.
///
/// Branches come in any order, and each writes to its two places without a look at what is there. Then the places of a
/// node are one beside the other, and all nodes are gone through in order: memory is met as it lies.
pub(super) fn gather(work: &mut Workspace, layout: &Layout<'_>, least: f64) {
    let Workspace {
        nodes,
        mixes,
        rates,
        inflows: Inflows { received, from },
        weak,
        ..
    } = work;
    nodes.resize(layout.nodes(), Node::default());
    weak.clear();
    // Only entries written in this slot are read: the rest may be of an earlier one.
    from.resize(received.len(), 0);
    let (mut received, mut from) = (received.as_mut_slice(), from.as_mut_slice());
    let mut neighbours = layout.neighbours;
    let each = layout.first.windows(2).zip(mixes.iter()).zip(rates);
    let each = each.zip(nodes);
    for (number, (((bounds, mix), rates), node)) in (0..).zip(each) {
        let [start, end] = *bounds else {
            continue;
        };
        let count = (end - start) as usize;
        let (own, rest) = std::mem::take(&mut received).split_at_mut(count);
        received = rest;
        let (senders, rest) = std::mem::take(&mut from).split_at_mut(count);
        from = rest;
        let (others, rest) = neighbours.split_at(count);
        neighbours = rest;
        let (mut flux, mut sent) = (mix.supply, rates.imbalance);
        let own = Cell::from_mut(own).as_slice_of_cells();
        let mut inflows = 0;
        for (power, other) in own.iter().zip(others) {
            let power = power.get();
            // Without a branch of the program, which it could not foresee: the next inflow overwrites an outflow.
            if let (Some(received), Some(sender)) = (own.get(inflows), senders.get_mut(inflows)) {
                received.set(power);
                *sender = *other;
            }
            inflows += usize::from(power > 0.0);
            flux += power.max(0.0);
            sent += power.min(0.0);
            if power > 0.0 && power < least {
                weak.push(Weak {
                    from: *other,
                    to: number,
                    received: power,
                });
            }
        }
        rates.imbalance = sent;
        *node = Node {
            flux,
            end: start + u32::try_from(inflows).unwrap_or_default(),
            order: 0,
        };
    }
}
