//! What was measured is taken: at branch ends, and of what nodes get from elsewhere.

use super::error::{Element, Fault, FaultKind};
use super::grid::Layout;
use super::slot::{EndPowers, EndRegisters, Flows, MAX_FACTOR, Origin, Slot, Source, usable};
use super::workspace::{Taken, Workspace};

/// Take all measurements of a slot; returns the carbon that comes in.
pub(super) fn take(
    work: &mut Workspace,
    layout: &Layout<'_>,
    slot: &Slot<'_>,
    least: f64,
) -> Taken {
    match slot.flows {
        Flows::Net(flows) => take_net(work, layout, flows, least),
        Flows::Registers(flows) => take_registers(work, layout, flows, least),
    }
    let mut taken = Taken::default();
    take_sources(work, layout, slot, least, &mut taken);
    take_loads(work, layout, slot, least, &mut taken);
    take_storages(work, layout, slot, &mut taken);
    taken
}

fn take_net(work: &mut Workspace, layout: &Layout<'_>, flows: &[EndPowers], least: f64) {
    for (index, (places, flow)) in (0..).zip(layout.places.iter().zip(flows)) {
        let (from, to) = (flow.from_megawatts, flow.to_megawatts);
        // By far the most branches: in at one end, out at the other, with a loss.
        if from * to < 0.0 && from + to >= 0.0 && usable(from) && usable(to) {
            carry(work, places[0], -from);
            carry(work, places[1], -to);
        } else if usable(from) && usable(to) {
            let registers = EndRegisters {
                from_in_megawatts: from.max(0.0),
                from_out_megawatts: (-from).max(0.0),
                to_in_megawatts: to.max(0.0),
                to_out_megawatts: (-to).max(0.0),
            };
            both_ways(work, layout, index, *places, &registers, least);
        } else {
            spoil_branch(work, layout, index, FaultKind::BadPower);
        }
    }
}

fn take_registers(work: &mut Workspace, layout: &Layout<'_>, flows: &[EndRegisters], least: f64) {
    for (index, (places, flow)) in (0..).zip(layout.places.iter().zip(flows)) {
        let powers = [
            flow.from_in_megawatts,
            flow.from_out_megawatts,
            flow.to_in_megawatts,
            flow.to_out_megawatts,
        ];
        if !powers.iter().all(|power| usable(*power)) {
            spoil_branch(work, layout, index, FaultKind::BadPower);
        } else if powers.iter().any(|power| *power < 0.0) {
            spoil_branch(work, layout, index, FaultKind::BadValue);
        } else {
            both_ways(work, layout, index, *places, flow, least);
        }
    }
}

fn spoil_branch(work: &mut Workspace, layout: &Layout<'_>, index: u32, kind: FaultKind) {
    work.fault(Fault {
        element: Element::Branch,
        index,
        kind,
    });
    for node in layout.ends.get(index as usize).into_iter().flatten() {
        work.spoil(*node);
    }
    for place in layout.places.get(index as usize).into_iter().flatten() {
        carry(work, *place, 0.0);
    }
}

/// A branch by direction: what went in at one end and what came out at the other belong together.
fn both_ways(
    work: &mut Workspace,
    layout: &Layout<'_>,
    index: u32,
    places: [u32; 2],
    flow: &EndRegisters,
    least: f64,
) {
    let Some([from, to]) = layout.ends.get(index as usize).copied() else {
        return;
    };
    let ways = [
        (
            from,
            flow.from_in_megawatts,
            to,
            places[1],
            flow.to_out_megawatts,
        ),
        (
            to,
            flow.to_in_megawatts,
            from,
            places[0],
            flow.from_out_megawatts,
        ),
    ];
    for (_, _, _, place, _) in ways {
        carry(work, place, 0.0);
    }
    for (start, sent, end, place, received) in ways {
        if sent > 0.0 {
            work.flow_out(start, sent);
        }
        if received > 0.0 && sent > 0.0 {
            if received > sent && received - sent >= least {
                work.fault(Fault {
                    element: Element::Branch,
                    index,
                    kind: FaultKind::NegativeLoss,
                });
            }
            carry(work, place, received);
        } else if sent > 0.0 {
            // Nothing arrives: the intake is lost at the end that takes it in, and is no inflow.
        } else if received >= least {
            work.fault(Fault {
                element: Element::Branch,
                index,
                kind: FaultKind::Gain,
            });
            supply(work, end, received, 0.0, received);
        }
    }
}

/// What arrives at a branch end, or, negative, is sent there.
#[inline]
fn carry(work: &mut Workspace, place: u32, power: f64) {
    if let Some(own) = work.inflows.received.get_mut(place as usize) {
        *own = power;
    }
}

fn supply(work: &mut Workspace, node: u32, power: f64, carbon: f64, unknown: f64) {
    if let Some(mix) = work.mixes.get_mut(node as usize) {
        mix.supply += power;
        mix.carbon += carbon;
        mix.unknown += unknown;
    }
}

/// The carbon rate of a source of positive power in t/h, or why it has none.
fn rate(source: &Source) -> Result<f64, FaultKind> {
    let power = source.megawatts;
    match source.origin {
        Origin::Factor(factor) if (0.0..=MAX_FACTOR).contains(&factor) => Ok(power * factor),
        Origin::Emission(rate) if rate >= 0.0 && rate <= power * MAX_FACTOR => Ok(rate),
        Origin::Factor(_) | Origin::Emission(_) => Err(FaultKind::BadFactor),
        Origin::Unknown => Err(FaultKind::NoFactor),
    }
}

/// The carbon rate of a source of positive power in t/h, if it has one.
pub(super) fn origin_rate(source: &Source) -> Option<f64> {
    rate(source).ok()
}

fn take_sources(
    work: &mut Workspace,
    layout: &Layout<'_>,
    slot: &Slot<'_>,
    least: f64,
    taken: &mut Taken,
) {
    for (index, (place, source)) in (0..).zip(layout.sources.iter().zip(slot.sources)) {
        let fault = |kind| Fault {
            element: Element::Source,
            index,
            kind,
        };
        let power = source.megawatts;
        if !usable(power) {
            work.fault(fault(FaultKind::BadPower));
            work.spoil(*place);
        } else if power > 0.0 {
            let carbon = rate(source);
            feed(work, *place, power, carbon.ok(), taken);
            if let Err(kind) = carbon
                && (power >= least || kind != FaultKind::NoFactor)
            {
                work.fault(fault(kind));
            }
        } else {
            if power < 0.0 {
                work.flow_out(*place, -power);
            }
            if let Some(kind) = idle_fault(source, taken) {
                work.fault(fault(kind));
            }
        }
    }
}

/// What is wrong with the carbon of a source that delivers nothing; an emission goes to the untraced.
fn idle_fault(source: &Source, taken: &mut Taken) -> Option<FaultKind> {
    match source.origin {
        Origin::Emission(rate) if rate > 0.0 && rate.is_finite() => {
            taken.untraced += rate;
            Some(FaultKind::EmissionWithoutPower)
        }
        Origin::Emission(0.0) | Origin::Unknown => None,
        Origin::Factor(factor) if (0.0..=MAX_FACTOR).contains(&factor) => None,
        Origin::Emission(_) | Origin::Factor(_) => Some(FaultKind::BadFactor),
    }
}

fn feed(work: &mut Workspace, node: u32, power: f64, carbon: Option<f64>, taken: &mut Taken) {
    let unknown = if carbon.is_some() { 0.0 } else { power };
    let carbon = carbon.unwrap_or_default();
    taken.carbon += carbon;
    taken.unknown += unknown;
    supply(work, node, power, carbon, unknown);
}

fn take_loads(
    work: &mut Workspace,
    layout: &Layout<'_>,
    slot: &Slot<'_>,
    least: f64,
    taken: &mut Taken,
) {
    for (index, (place, load)) in (0..).zip(layout.loads.iter().zip(slot.loads)) {
        let fault = |kind| Fault {
            element: Element::Load,
            index,
            kind,
        };
        let power = load.megawatts;
        if !usable(power) {
            work.fault(fault(FaultKind::BadPower));
            work.spoil(*place);
            continue;
        }
        if power >= 0.0 {
            work.flow_out(*place, power);
            continue;
        }
        let factor = load.usable_factor();
        feed(
            work,
            *place,
            -power,
            factor.map(|factor| -power * factor),
            taken,
        );
        if factor.is_none() && -power >= least {
            let kind = if load.factor.is_some() {
                FaultKind::BadFactor
            } else {
                FaultKind::NoFactor
            };
            work.fault(fault(kind));
        }
    }
}

fn take_storages(work: &mut Workspace, layout: &Layout<'_>, slot: &Slot<'_>, taken: &mut Taken) {
    for (index, (place, storage)) in (0..).zip(layout.storages.iter().zip(slot.storages)) {
        let fault = |kind| Fault {
            element: Element::Storage,
            index,
            kind,
        };
        if !storage.valid() {
            work.fault(fault(FaultKind::BadValue));
            work.spoil(*place);
            continue;
        }
        work.flow_out(*place, storage.charge_megawatts);
        let draw = storage.draw(slot.hours);
        if draw.overdrawn {
            work.fault(fault(FaultKind::Overdrawn));
        }
        taken.carbon += draw.carbon;
        taken.unknown += draw.unknown;
        supply(
            work,
            *place,
            storage.discharge_megawatts,
            draw.carbon,
            draw.unknown,
        );
    }
}
