//! From settled nodes to what is published, and to the balance.

use super::arcs::origin_rate;
use super::grid::Grid;
use super::slot::{EndPowers, EndRegisters, Flows, Load, Settings, Slot, Source, usable};
use super::solution::{Balance, BranchRates, Quality, Solution};
use super::workspace::{Mix, Taken, Workspace};

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
    let strangers = report_nodes(work, settings.max_unknown_share, &mut balance);
    let Workspace {
        mixes, solution, ..
    } = work;
    let mut books = Books {
        mixes,
        strangers,
        least: settings.dead_below_megawatts,
        balance: &mut balance,
    };
    match slot.flows {
        Flows::Net(flows) => report_net(&mut books, solution, grid, flows),
        Flows::Registers(flows) => report_registers(&mut books, solution, grid, flows),
    }
    report_sources(&mut books, solution, grid, slot.sources);
    report_loads(&mut books, solution, grid, slot.loads);
    report_storages(&mut books, solution, grid, slot);
    report_imbalances(mixes, solution, &mut balance);
    balance.residual = balance.sources
        - balance.loads
        - balance.losses
        - balance.negative_sources
        - balance.storages
        - balance.dropped
        - balance.imbalance;
    solution.balance = balance;
}

/// What the books are kept with.
struct Books<'a> {
    mixes: &'a [Mix],
    /// Somewhere power of unknown origin is about, and the known carbon of a MW is not its factor.
    strangers: bool,
    least: f64,
    balance: &'a mut Balance,
}

/// Whether a node was settled; carbon that comes to others is dropped.
fn settled(quality: Quality) -> bool {
    !matches!(quality, Quality::Dead | Quality::BadInput)
}

fn report_nodes(work: &mut Workspace, max_unknown_share: f64, balance: &mut Balance) -> bool {
    let mut strangers = false;
    let Workspace {
        nodes,
        mixes,
        solution,
        ..
    } = work;
    solution.factors.clear();
    solution.flux.clear();
    solution.unknown.clear();
    let each = nodes.iter().zip(mixes.iter()).zip(&mut solution.quality);
    for ((node, mix), quality) in each {
        if !settled(*quality) {
            balance.dropped += mix.carbon;
            solution.factors.push(f64::NAN);
            solution.flux.push(node.flux);
            solution.unknown.push(f64::NAN);
            continue;
        }
        strangers |= mix.unknown > 0.0;
        if *quality == Quality::Defined && mix.unknown > max_unknown_share {
            *quality = Quality::UnknownOrigin;
        }
        solution.factors.push(if *quality == Quality::Defined {
            mix.carbon / (1.0 - mix.unknown)
        } else {
            f64::NAN
        });
        solution.flux.push(mix.supply);
        solution.unknown.push(mix.unknown);
    }
    // Outflows are added up where they are met; an imbalance is what is left of the flux.
    solution.imbalance.clear();
    solution.imbalance.extend_from_slice(&solution.flux);
    strangers
}

fn report_imbalances(mixes: &[Mix], solution: &Solution, balance: &mut Balance) {
    let each = mixes.iter().zip(&solution.imbalance).zip(&solution.quality);
    for ((mix, imbalance), quality) in each {
        if *quality != Quality::BadInput {
            balance.imbalance_megawatts += imbalance.abs();
        }
        if settled(*quality) {
            balance.imbalance += mix.carbon * imbalance;
        }
    }
}

fn flow_out(imbalance: &mut [f64], node: u32, power: f64) {
    if let Some(left) = imbalance.get_mut(node as usize) {
        *left -= power;
    }
}

/// The factor of a node, NaN for none.
fn factor(factors: &[f64], node: u32) -> f64 {
    factors.get(node as usize).copied().unwrap_or(f64::NAN)
}

fn report_net(books: &mut Books<'_>, solution: &mut Solution, grid: &Grid, flows: &[EndPowers]) {
    let mut rates = std::mem::take(&mut solution.branches);
    rates.clear();
    rates.extend(grid.ends.iter().zip(flows).map(|(ends, flow)| {
        let (from, to) = (flow.from_megawatts, flow.to_megawatts);
        let valid = usable(from) && usable(to);
        if from * to < 0.0 && valid {
            let forward = from > 0.0;
            let start = if forward { ends[0] } else { ends[1] };
            let (sent, received) = if forward { (from, -to) } else { (to, -from) };
            let factor = send(books, solution, start, sent, received);
            let delivered = factor * received;
            BranchRates {
                forward: if forward { delivered } else { 0.0 },
                reverse: if forward { 0.0 } else { delivered },
                loss: factor * (sent - received),
            }
        } else {
            let registers = EndRegisters {
                from_in_megawatts: from.max(0.0),
                from_out_megawatts: (-from).max(0.0),
                to_in_megawatts: to.max(0.0),
                to_out_megawatts: (-to).max(0.0),
            };
            both_ways(books, solution, *ends, &registers, valid)
        }
    }));
    solution.branches = rates;
}

fn report_registers(
    books: &mut Books<'_>,
    solution: &mut Solution,
    grid: &Grid,
    flows: &[EndRegisters],
) {
    let mut rates = std::mem::take(&mut solution.branches);
    rates.clear();
    rates.extend(grid.ends.iter().zip(flows).map(|(ends, flow)| {
        let powers = [
            flow.from_in_megawatts,
            flow.from_out_megawatts,
            flow.to_in_megawatts,
            flow.to_out_megawatts,
        ];
        let valid = powers.iter().all(|power| *power >= 0.0 && usable(*power));
        both_ways(books, solution, *ends, flow, valid)
    }));
    solution.branches = rates;
}

/// Book what a node sends and what of it is lost; returns the factor at which it sends.
#[inline]
fn send(
    books: &mut Books<'_>,
    solution: &mut Solution,
    node: u32,
    sent: f64,
    received: f64,
) -> f64 {
    flow_out(&mut solution.imbalance, node, sent);
    let factor = factor(&solution.factors, node);
    let (carbon, defined) = if factor.is_nan() || books.strangers {
        traced(books.mixes, solution, node)
    } else {
        (factor, true)
    };
    let lost = carbon * (sent - received);
    books.balance.losses += lost;
    if !defined {
        books.balance.without_factor += lost;
    }
    if factor.is_nan() && sent < books.least {
        // The next to nothing that comes out of a dead node carries nothing.
        0.0
    } else {
        factor
    }
}

fn both_ways(
    books: &mut Books<'_>,
    solution: &mut Solution,
    [from, to]: [u32; 2],
    flow: &EndRegisters,
    valid: bool,
) -> BranchRates {
    if !valid {
        return BranchRates {
            forward: f64::NAN,
            reverse: f64::NAN,
            loss: f64::NAN,
        };
    }
    let mut one = |node, sent: f64, received: f64| {
        if sent > 0.0 {
            let factor = send(books, solution, node, sent, received);
            (factor * received, factor * (sent - received))
        } else if received >= books.least {
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
fn traced(mixes: &[Mix], solution: &Solution, node: u32) -> (f64, bool) {
    let quality = solution
        .quality
        .get(node as usize)
        .copied()
        .unwrap_or(Quality::Dead);
    let carbon = mixes.get(node as usize).map_or(0.0, |mix| mix.carbon);
    let carbon = if settled(quality) { carbon } else { 0.0 };
    (carbon, quality == Quality::Defined)
}

fn report_sources(books: &mut Books<'_>, solution: &mut Solution, grid: &Grid, sources: &[Source]) {
    let mut rates = std::mem::take(&mut solution.sources);
    rates.clear();
    for (node, source) in grid.sources.iter().zip(sources) {
        let power = source.megawatts;
        if !usable(power) {
            rates.push(f64::NAN);
        } else if power > 0.0 {
            rates.push(origin_rate(source).unwrap_or(f64::NAN));
        } else if power < 0.0 {
            let (carbon, defined) = traced(books.mixes, solution, *node);
            books.balance.negative_sources -= carbon * power;
            flow_out(&mut solution.imbalance, *node, -power);
            if !defined {
                books.balance.without_factor -= carbon * power;
            }
            rates.push(factor(&solution.factors, *node) * power);
        } else {
            rates.push(0.0);
        }
    }
    solution.sources = rates;
}

fn report_loads(books: &mut Books<'_>, solution: &mut Solution, grid: &Grid, loads: &[Load]) {
    let mut rates = std::mem::take(&mut solution.loads);
    rates.clear();
    for (node, load) in grid.loads.iter().zip(loads) {
        let power = load.megawatts;
        if !usable(power) {
            rates.push(f64::NAN);
        } else if power > 0.0 {
            let (carbon, defined) = traced(books.mixes, solution, *node);
            books.balance.loads += carbon * power;
            flow_out(&mut solution.imbalance, *node, power);
            if !defined {
                books.balance.without_factor += carbon * power;
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

fn report_storages(books: &mut Books<'_>, solution: &mut Solution, grid: &Grid, slot: &Slot<'_>) {
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
        let (carbon, defined) = traced(books.mixes, solution, *node);
        let charged = carbon * storage.charge_megawatts;
        books.balance.storages += charged;
        flow_out(&mut solution.imbalance, *node, storage.charge_megawatts);
        if !defined {
            books.balance.without_factor += charged;
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
