//! From settled nodes to what is published, and to the balance.

use super::arcs::origin_rate;
use super::grid::Grid;
use super::slot::{EndPowers, EndRegisters, Flows, Load, Settings, Slot, Source, usable};
use super::solution::{Balance, BranchRates, Quality, Solution};
use super::workspace::{Node, Taken, Workspace};

pub(super) fn report(
    work: &mut Workspace,
    grid: &Grid,
    slot: &Slot<'_>,
    settings: &Settings,
    taken: Taken,
) {
    let mut balance = Balance {
        sources: taken.carbon,
        untraced: taken.untraced,
        unknown_megawatts: taken.unknown,
        dropped: work.loops.dropped,
        ..Balance::default()
    };
    let Workspace {
        nodes, solution, ..
    } = work;
    report_nodes(nodes, solution, settings.max_unknown_share, &mut balance);
    let least = settings.dead_below_megawatts;
    match slot.flows {
        Flows::Net(flows) => report_net(solution, grid, flows, least),
        Flows::Registers(flows) => report_registers(solution, grid, flows, least),
    }
    report_sources(nodes, solution, grid, slot.sources, &mut balance);
    report_loads(nodes, solution, grid, slot.loads, &mut balance);
    report_storages(nodes, solution, grid, slot, &mut balance);
    balance.residual = balance.sources
        - balance.loads
        - balance.losses
        - balance.negative_sources
        - balance.storages
        - balance.dropped
        - balance.imbalance;
    solution.balance = balance;
}

/// Whether a node was settled; carbon that comes to others is dropped.
fn settled(quality: Quality) -> bool {
    !matches!(quality, Quality::Dead | Quality::BadInput)
}

fn report_nodes(
    nodes: &[Node],
    solution: &mut Solution,
    max_unknown_share: f64,
    balance: &mut Balance,
) {
    solution.factors.clear();
    solution.flux.clear();
    solution.unknown.clear();
    solution.imbalance.clear();
    for (node, quality) in nodes.iter().zip(&mut solution.quality) {
        if !settled(*quality) {
            balance.dropped += node.carbon;
            solution.factors.push(f64::NAN);
            solution.flux.push(node.flux);
            solution.unknown.push(f64::NAN);
            let imbalance = node.flux - node.outflow;
            solution.imbalance.push(imbalance);
            if *quality == Quality::Dead {
                balance.imbalance_megawatts += imbalance.abs();
            }
            continue;
        }
        let imbalance = node.supply - node.outflow;
        balance.imbalance_megawatts += imbalance.abs();
        balance.imbalance += node.carbon * imbalance;
        balance.losses += node.carbon * node.lost;
        if *quality == Quality::Defined && node.unknown > max_unknown_share {
            *quality = Quality::UnknownOrigin;
        }
        let factor = if *quality == Quality::Defined {
            node.carbon / (1.0 - node.unknown)
        } else {
            balance.without_factor += node.carbon * node.lost;
            f64::NAN
        };
        solution.factors.push(factor);
        solution.flux.push(node.supply);
        solution.unknown.push(node.unknown);
        solution.imbalance.push(imbalance);
    }
}

/// The factor of a node, NaN for none.
fn factor(factors: &[f64], node: u32) -> f64 {
    factors.get(node as usize).copied().unwrap_or(f64::NAN)
}

/// The factor at which a node sends; the next to nothing that comes out of a dead one carries nothing.
fn sender(factors: &[f64], node: u32, sent: f64, least: f64) -> f64 {
    let factor = factor(factors, node);
    if factor.is_nan() && sent < least {
        0.0
    } else {
        factor
    }
}

fn report_net(solution: &mut Solution, grid: &Grid, flows: &[EndPowers], least: f64) {
    let Solution {
        factors, branches, ..
    } = solution;
    branches.clear();
    branches.extend(grid.ends.iter().zip(flows).map(|([start, end], flow)| {
        let (from, to) = (flow.from_megawatts, flow.to_megawatts);
        if from > 0.0 && to < 0.0 {
            let sender = sender(factors, *start, from, least);
            BranchRates {
                forward: sender * -to,
                reverse: 0.0,
                loss: sender * (from + to),
            }
        } else if to > 0.0 && from < 0.0 {
            let sender = sender(factors, *end, to, least);
            BranchRates {
                forward: 0.0,
                reverse: sender * -from,
                loss: sender * (to + from),
            }
        } else {
            rates(
                factors,
                [*start, *end],
                &EndRegisters {
                    from_in_megawatts: from.max(0.0),
                    from_out_megawatts: (-from).max(0.0),
                    to_in_megawatts: to.max(0.0),
                    to_out_megawatts: (-to).max(0.0),
                },
                usable(from) && usable(to),
                least,
            )
        }
    }));
}

fn report_registers(solution: &mut Solution, grid: &Grid, flows: &[EndRegisters], least: f64) {
    let Solution {
        factors, branches, ..
    } = solution;
    branches.clear();
    branches.extend(grid.ends.iter().zip(flows).map(|(ends, flow)| {
        let powers = [
            flow.from_in_megawatts,
            flow.from_out_megawatts,
            flow.to_in_megawatts,
            flow.to_out_megawatts,
        ];
        let valid = powers.iter().all(|power| *power >= 0.0 && usable(*power));
        rates(factors, *ends, flow, valid, least)
    }));
}

fn rates(
    factors: &[f64],
    [from, to]: [u32; 2],
    flow: &EndRegisters,
    valid: bool,
    least: f64,
) -> BranchRates {
    if !valid {
        return BranchRates {
            forward: f64::NAN,
            reverse: f64::NAN,
            loss: f64::NAN,
        };
    }
    let one = |node, sent: f64, received: f64| {
        if sent > 0.0 {
            let sender = sender(factors, node, sent, least);
            (sender * received, sender * (sent - received))
        } else if received >= least {
            (f64::NAN, 0.0)
        } else {
            (0.0, 0.0)
        }
    };
    let (forward, forward_loss) = one(from, flow.from_in_megawatts, flow.to_out_megawatts);
    let (reverse, reverse_loss) = one(to, flow.to_in_megawatts, flow.from_out_megawatts);
    BranchRates {
        forward,
        reverse,
        loss: forward_loss + reverse_loss,
    }
}

/// Carbon per MW of a node that is settled, 0 of any other; and whether the node has a factor.
fn traced(nodes: &[Node], solution: &Solution, node: u32) -> (f64, bool) {
    let quality = solution
        .quality
        .get(node as usize)
        .copied()
        .unwrap_or(Quality::Dead);
    let carbon = nodes.get(node as usize).map_or(0.0, |node| node.carbon);
    let carbon = if settled(quality) { carbon } else { 0.0 };
    (carbon, quality == Quality::Defined)
}

fn report_sources(
    nodes: &[Node],
    solution: &mut Solution,
    grid: &Grid,
    sources: &[Source],
    balance: &mut Balance,
) {
    let mut rates = std::mem::take(&mut solution.sources);
    rates.clear();
    for (node, source) in grid.sources.iter().zip(sources) {
        let power = source.megawatts;
        if !usable(power) {
            rates.push(f64::NAN);
        } else if power > 0.0 {
            rates.push(origin_rate(source).unwrap_or(f64::NAN));
        } else if power < 0.0 {
            let (carbon, defined) = traced(nodes, solution, *node);
            balance.negative_sources -= carbon * power;
            if !defined {
                balance.without_factor -= carbon * power;
            }
            rates.push(factor(&solution.factors, *node) * power);
        } else {
            rates.push(0.0);
        }
    }
    solution.sources = rates;
}

fn report_loads(
    nodes: &[Node],
    solution: &mut Solution,
    grid: &Grid,
    loads: &[Load],
    balance: &mut Balance,
) {
    let mut rates = std::mem::take(&mut solution.loads);
    rates.clear();
    for (node, load) in grid.loads.iter().zip(loads) {
        let power = load.megawatts;
        if !usable(power) {
            rates.push(f64::NAN);
        } else if power > 0.0 {
            let (carbon, defined) = traced(nodes, solution, *node);
            balance.loads += carbon * power;
            if !defined {
                balance.without_factor += carbon * power;
            }
            rates.push(factor(&solution.factors, *node) * power);
        } else if power < 0.0 {
            rates.push(load.usable_factor().map_or(f64::NAN, |own| own * power));
        } else {
            rates.push(0.0);
        }
    }
    solution.loads = rates;
}

fn report_storages(
    nodes: &[Node],
    solution: &mut Solution,
    grid: &Grid,
    slot: &Slot<'_>,
    balance: &mut Balance,
) {
    let mut rates = std::mem::take(&mut solution.storages);
    let mut tanks = std::mem::take(&mut solution.tanks);
    rates.clear();
    tanks.clear();
    for (node, storage) in grid.storages.iter().zip(slot.storages) {
        if !storage.valid() {
            rates.push(f64::NAN);
            tanks.push(storage.tank);
            continue;
        }
        let (carbon, defined) = traced(nodes, solution, *node);
        let charged = carbon * storage.charge_megawatts;
        balance.storages += charged;
        if !defined {
            balance.without_factor += charged;
        }
        let unknown = match solution.unknown.get(*node as usize) {
            Some(share) if !share.is_nan() => *share,
            _ => 1.0,
        };
        tanks.push(storage.after(slot.hours, carbon, unknown));
        let draw = storage.draw(slot.hours);
        let taken_in = if storage.charge_megawatts > 0.0 {
            factor(&solution.factors, *node) * storage.charge_megawatts
        } else {
            0.0
        };
        rates.push(if draw.unknown > 0.0 {
            f64::NAN
        } else {
            taken_in - draw.carbon
        });
    }
    solution.storages = rates;
    solution.tanks = tanks;
}
