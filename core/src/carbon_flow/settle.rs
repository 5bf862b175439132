//! The carbon of a MW of a node, once that of all its senders is known.

use super::slot::Settings;
use super::solution::{NodeRates, Quality};
use super::walk::SETTLED;
use super::workspace::{Inflows, Mix, Node};

/// What nodes are settled with.
pub(super) struct Parts<'a> {
    pub(super) first: &'a [u32],
    pub(super) inflows: &'a Inflows,
    pub(super) nodes: &'a mut [Node],
    pub(super) mixes: &'a mut [Mix],
    pub(super) factors: &'a mut [f64],
    pub(super) rates: &'a mut [NodeRates],
    pub(super) settings: &'a Settings,
    pub(super) outcome: Outcome,
}

/// What came of it beyond the nodes' own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    /// Carbon in t/h that came to nodes which got no factor, and is on no flow out of them.
    pub(super) dropped: f64,
    /// Somewhere power of unknown origin is about, and the known carbon of a MW is not its factor.
    pub(super) strangers: bool,
}

impl Parts<'_> {
    /// Add to what came to a node the inflow at a place, from a sender that is settled.
    #[inline]
    pub(super) fn receive(&self, mix: &mut Mix, place: u32, from: u32) {
        let (Some(received), Some(sender)) = (
            self.inflows.received.get(place as usize),
            self.mixes.get(from as usize),
        ) else {
            return;
        };
        if *received < self.settings.dead_below_megawatts && self.is_aside(from) {
            return;
        }
        mix.supply += received;
        mix.carbon += received * sender.carbon;
        mix.unknown += received * sender.unknown;
    }

    fn is_aside(&self, number: u32) -> bool {
        let rates = self.rates.get(number as usize);
        rates.is_some_and(NodeRates::is_aside)
    }

    /// Settle a node: all that came to it is known.
    #[inline]
    pub(super) fn settle(&mut self, number: u32, mix: &Mix) {
        if let Some(node) = self.nodes.get_mut(number as usize) {
            node.order = SETTLED;
        }
        let (carbon, unknown) = (mix.carbon / mix.supply, mix.unknown / mix.supply);
        self.conclude(number, mix.supply, carbon, unknown);
    }

    /// A node's flux, and carbon and unknown power of each MW, are known.
    #[inline]
    pub(super) fn conclude(&mut self, number: u32, flux: f64, carbon: f64, unknown: f64) {
        let place = number as usize;
        let (Some(mix), Some(rates), Some(factor)) = (
            self.mixes.get_mut(place),
            self.rates.get_mut(place),
            self.factors.get_mut(place),
        ) else {
            return;
        };
        (mix.carbon, mix.unknown) = (carbon, unknown);
        self.outcome.strangers |= unknown > 0.0;
        if rates.quality == Quality::Defined && unknown > self.settings.max_unknown_share {
            rates.quality = Quality::UnknownOrigin;
        }
        *factor = if rates.quality == Quality::Defined {
            carbon / (1.0 - unknown)
        } else {
            f64::NAN
        };
        rates.factor = *factor;
        rates.flux = flux;
        rates.unknown = unknown;
        rates.imbalance += flux;
    }

    /// Set a node aside that is dead or whose measurements can't be used: what it hands on is of unknown origin.
    #[cold]
    pub(super) fn set_aside(&mut self, number: u32) {
        let place = number as usize;
        let (Some(node), Some(mix), Some(rates), Some(factor)) = (
            self.nodes.get_mut(place),
            self.mixes.get_mut(place),
            self.rates.get_mut(place),
            self.factors.get_mut(place),
        ) else {
            return;
        };
        node.order = SETTLED;
        self.outcome.dropped += mix.carbon;
        (mix.carbon, mix.unknown) = (0.0, 1.0);
        if rates.quality == Quality::Defined {
            rates.quality = Quality::Dead;
        }
        (*factor, rates.factor, rates.unknown) = (f64::NAN, f64::NAN, f64::NAN);
        rates.flux = node.flux;
        rates.imbalance += node.flux;
    }

    /// What others send to a node set aside goes nowhere; all are settled.
    pub(super) fn drop_inflows(&mut self, number: u32) {
        if let Some(node) = self.nodes.get(number as usize) {
            for (received, from) in self.inflows.of(self.first, number, node) {
                let carbon = self.mixes.get(from as usize).map_or(0.0, |mix| mix.carbon);
                self.outcome.dropped += received * carbon;
            }
        }
    }
}
