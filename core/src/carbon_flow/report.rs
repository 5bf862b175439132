//! From settled nodes to what is published, and to the balance.

use std::hint::select_unpredictable;

use super::arcs::origin_rate;
use super::grid::Layout;
use super::settle::Outcome;
use super::slot::{EndPowers, EndRegisters, Flows, Load, Settings, Slot, Source, usable};
use super::solution::{Balance, BranchRates, NodeRates, Quality, Solution};
use super::workspace::{Mix, Taken, Workspace};

pub(super) fn report(
    work: &mut Workspace,
    layout: &Layout<'_>,
    slot: &Slot<'_>,
    settings: &Settings,
    taken: Taken,
    outcome: Outcome,
) {
    let mut books = Books {
        factors: &work.factors,
        mixes: &work.mixes,
        strangers: outcome.strangers,
        least: settings.dead_below_megawatts,
        balance: Balance {
            sources: taken.carbon,
            untraced: taken.untraced,
            unknown_megawatts: taken.unknown,
            dropped: outcome.dropped,
            ..Balance::default()
        },
    };
    let solution = &mut work.solution;
    match slot.flows {
        Flows::Net(flows) => report_net(&mut books, solution, layout, flows),
        Flows::Registers(flows) => report_registers(&mut books, solution, layout, flows),
    }
    report_sources(&mut books, solution, layout, slot.sources);
    report_loads(&mut books, solution, layout, slot.loads);
    report_storages(&mut books, solution, layout, slot);
    let mut balance = books.balance;
    report_imbalances(&work.rates, &work.mixes, &mut balance);
    balance.residual = balance.sources
        - balance.loads
        - balance.losses
        - balance.negative_sources
        - balance.storages
        - balance.dropped
        - balance.imbalance;
    solution.balance = balance;
    match layout.order {
        None => std::mem::swap(&mut solution.nodes, &mut work.rates),
        Some(order) => {
            let own = order.iter().map(|place| work.rates.get(*place as usize));
            let own = own.map(|rates| rates.copied().unwrap_or_default());
            solution.nodes.clear();
            solution.nodes.extend(own);
        }
    }
}

fn report_imbalances(rates: &[NodeRates], mixes: &[Mix], balance: &mut Balance) {
    for (rates, mix) in rates.iter().zip(mixes) {
        if rates.quality != Quality::BadInput {
            balance.imbalance_megawatts += rates.imbalance.abs();
        }
        // Carbon that came to a node set aside is dropped, and none is left of it.
        balance.imbalance += mix.carbon * rates.imbalance;
    }
}

/// What the books are kept with.
struct Books<'a> {
    factors: &'a [f64],
    mixes: &'a [Mix],
    strangers: bool,
    least: f64,
    balance: Balance,
}

/// What a node gives with a MW.
#[derive(Debug, Clone, Copy)]
struct Given {
    /// The factor, NaN for none.
    factor: f64,
    /// Carbon that is traced: not that of unknown origin.
    carbon: f64,
    /// Whether the node has a factor.
    defined: bool,
}

impl Books<'_> {
    #[inline]
    fn given(&self, node: u32) -> Given {
        let factor = self.factors.get(node as usize).copied();
        let factor = factor.unwrap_or(f64::NAN);
        let defined = !factor.is_nan();
        let carbon = if defined && !self.strangers {
            factor
        } else {
            self.mixes.get(node as usize).map_or(0.0, |mix| mix.carbon)
        };
        Given {
            factor,
            carbon,
            defined,
        }
    }

    /// Book what of a node's power is lost on a branch; returns the factor at which it sends.
    #[inline]
    fn send(&mut self, node: u32, sent: f64, received: f64) -> f64 {
        let given = self.given(node);
        let lost = given.carbon * (sent - received);
        self.balance.losses += lost;
        if !given.defined {
            self.balance.without_factor += lost;
            if sent < self.least {
                // The next to nothing that comes out of a dead node carries nothing.
                return 0.0;
            }
        }
        given.factor
    }

    fn both_ways(&mut self, [from, to]: [u32; 2], flow: &EndRegisters, valid: bool) -> BranchRates {
        if !valid {
            return BranchRates {
                forward: f64::NAN,
                reverse: f64::NAN,
                loss: f64::NAN,
            };
        }
        let mut one = |node, sent: f64, received: f64| {
            if sent > 0.0 {
                let factor = self.send(node, sent, received);
                (factor * received, factor * (sent - received))
            } else if received >= self.least {
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
}

fn report_net(
    books: &mut Books<'_>,
    solution: &mut Solution,
    layout: &Layout<'_>,
    flows: &[EndPowers],
) {
    let mut losses = 0.0;
    // All are written: what is there of an earlier slot needs no clearing.
    let branches = &mut solution.branches;
    branches.resize(flows.len(), BranchRates::default());
    for ((ends, flow), rates) in layout.ends.iter().zip(flows).zip(branches) {
        let (from, to) = (flow.from_megawatts, flow.to_megawatts);
        let valid = usable(from) && usable(to);
        if from * to < 0.0 && valid {
            // By far the most branches; which way they flow no program could foresee.
            let forward = from > 0.0;
            let start = select_unpredictable(forward, ends[0], ends[1]);
            let (sent, received) = (from.max(to), -from.min(to));
            let given = books.given(start);
            if given.defined {
                let loss = sent - received;
                losses += given.carbon * loss;
                let delivered = given.factor * received;
                *rates = BranchRates {
                    forward: select_unpredictable(forward, delivered, 0.0),
                    reverse: select_unpredictable(forward, 0.0, delivered),
                    loss: given.factor * loss,
                };
                continue;
            }
        }
        let registers = EndRegisters {
            from_in_megawatts: from.max(0.0),
            from_out_megawatts: (-from).max(0.0),
            to_in_megawatts: to.max(0.0),
            to_out_megawatts: (-to).max(0.0),
        };
        *rates = books.both_ways(*ends, &registers, valid);
    }
    books.balance.losses += losses;
}

fn report_registers(
    books: &mut Books<'_>,
    solution: &mut Solution,
    layout: &Layout<'_>,
    flows: &[EndRegisters],
) {
    solution.branches.clear();
    let rates = layout.ends.iter().zip(flows).map(|(ends, flow)| {
        let powers = [
            flow.from_in_megawatts,
            flow.from_out_megawatts,
            flow.to_in_megawatts,
            flow.to_out_megawatts,
        ];
        let valid = powers.iter().all(|power| *power >= 0.0 && usable(*power));
        books.both_ways(*ends, flow, valid)
    });
    solution.branches.extend(rates);
}

fn report_sources(
    books: &mut Books<'_>,
    solution: &mut Solution,
    layout: &Layout<'_>,
    sources: &[Source],
) {
    solution.sources.clear();
    let rates = layout.sources.iter().zip(sources).map(|(node, source)| {
        let power = source.megawatts;
        if !usable(power) {
            f64::NAN
        } else if power > 0.0 {
            origin_rate(source).unwrap_or(f64::NAN)
        } else if power < 0.0 {
            let given = books.given(*node);
            books.balance.negative_sources -= given.carbon * power;
            if !given.defined {
                books.balance.without_factor -= given.carbon * power;
            }
            given.factor * power
        } else {
            0.0
        }
    });
    solution.sources.extend(rates);
}

fn report_loads(
    books: &mut Books<'_>,
    solution: &mut Solution,
    layout: &Layout<'_>,
    loads: &[Load],
) {
    let (mut sum, mut without_factor) = (0.0, 0.0);
    solution.loads.resize(loads.len(), 0.0);
    let each = layout.loads.iter().zip(loads).zip(&mut solution.loads);
    for ((node, load), rate) in each {
        let power = load.megawatts;
        *rate = if !usable(power) {
            f64::NAN
        } else if power > 0.0 {
            let given = books.given(*node);
            sum += given.carbon * power;
            if !given.defined {
                without_factor += given.carbon * power;
            }
            given.factor * power
        } else if power < 0.0 {
            load.usable_factor().map_or(f64::NAN, |own| own * power)
        } else {
            0.0
        };
    }
    books.balance.loads += sum;
    books.balance.without_factor += without_factor;
}

fn report_storages(
    books: &mut Books<'_>,
    solution: &mut Solution,
    layout: &Layout<'_>,
    slot: &Slot<'_>,
) {
    solution.storages.clear();
    solution.tanks.clear();
    for (node, storage) in layout.storages.iter().zip(slot.storages) {
        if !storage.valid() {
            solution.storages.push(f64::NAN);
            solution.tanks.push(storage.tank);
            continue;
        }
        let given = books.given(*node);
        let charged = given.carbon * storage.charge_megawatts;
        books.balance.storages += charged;
        if !given.defined {
            books.balance.without_factor += charged;
        }
        let unknown = books.mixes.get(*node as usize);
        let unknown = unknown.map_or(1.0, |mix| mix.unknown);
        let tank = storage.after(slot.hours, given.carbon, unknown);
        solution.tanks.push(tank);
        let draw = storage.draw(slot.hours);
        let taken_in = if storage.charge_megawatts > 0.0 {
            given.factor * storage.charge_megawatts
        } else {
            0.0
        };
        solution.storages.push(if draw.unknown > 0.0 {
            f64::NAN
        } else {
            taken_in - draw.carbon
        });
    }
}
