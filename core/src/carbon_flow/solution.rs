//! What a slot's solution says of nodes, branches, sources, loads and storages, and the balance that proves it.

use super::error::Fault;
use super::storage::Tank;
use crate::error::QuantityError;
use crate::quantity::Factor;

/// Whether a node has a factor, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Quality {
    /// It has.
    #[default]
    Defined = 0,
    /// No through-flow (无潮流节点).
    Dead = 1,
    /// Power only circulates here: no source feeds it.
    NoSource = 2,
    /// Too large a share of its power comes from where no factor is known.
    UnknownOrigin = 3,
    /// A measurement at the node can't be used.
    BadInput = 4,
    /// A loop too large and too tangled to be solved.
    Unsolved = 5,
}

impl Quality {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Defined => "defined",
            Self::Dead => "dead",
            Self::NoSource => "no_source",
            Self::UnknownOrigin => "unknown_origin",
            Self::BadInput => "bad_input",
            Self::Unsolved => "unsolved",
        }
    }
}

/// Carbon of a branch in t/h; None where the sending node has no factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BranchCarbon {
    /// Delivered at the to end: the carbon flow rate (支路碳流率) in that direction.
    pub forward: Option<f64>,
    /// Delivered at the from end.
    pub reverse: Option<f64>,
    /// Of the branch's loss, at the factors of the sending nodes.
    pub loss: Option<f64>,
}

/// The same with NaN for none: only inside.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BranchRates {
    pub(super) forward: f64,
    pub(super) reverse: f64,
    pub(super) loss: f64,
}

/// What is known of a node, with NaN for none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NodeRates {
    pub(super) factor: f64,
    pub(super) flux: f64,
    pub(super) unknown: f64,
    pub(super) imbalance: f64,
    pub(super) quality: Quality,
}

impl NodeRates {
    /// Whether the node is dead or has measurements that can't be used; all others are settled.
    pub(super) fn is_aside(&self) -> bool {
        matches!(self.quality, Quality::Dead | Quality::BadInput)
    }
}

/// Where the carbon came in and where it went, in t/h: `sources` = all the others below it, but for `residual`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Balance {
    /// Came in at sources, loads that feed in, and discharging storages.
    pub sources: f64,
    /// Went to loads (用户).
    pub loads: f64,
    /// Went to losses on branches (网损).
    pub losses: f64,
    /// Went to sources of negative power.
    pub negative_sources: f64,
    /// Went into storages.
    pub storages: f64,
    /// Went to, or came in at, nodes that are dead or whose measurements can't be used.
    pub dropped: f64,
    /// Of power that flowed into a node and, by the measurements, not out of it; negative the other way round.
    pub imbalance: f64,
    /// What the arithmetic left over: nothing but rounding.
    pub residual: f64,
    /// Of what is in `loads`, `losses`, `negative_sources` and `storages`: went to nodes that got no factor.
    pub without_factor: f64,
    /// Emission of sources that delivered nothing: on no flow, and not in `sources`.
    pub untraced: f64,
    /// Power of unknown origin that came in, in MW.
    pub unknown_megawatts: f64,
    /// Sum of the absolute imbalances of the nodes, in MW.
    pub imbalance_megawatts: f64,
}

impl Balance {
    /// `residual` as a share of `sources`; 0 where nothing came in.
    #[must_use]
    pub fn relative_residual(&self) -> f64 {
        if self.sources > 0.0 {
            self.residual.abs() / self.sources
        } else {
            self.residual.abs()
        }
    }
}

/// The solution of one slot.
#[derive(Debug, Clone, Default)]
pub struct Solution {
    pub(super) nodes: Vec<NodeRates>,
    pub(super) branches: Vec<BranchRates>,
    pub(super) sources: Vec<f64>,
    pub(super) loads: Vec<f64>,
    pub(super) storages: Vec<f64>,
    pub(super) tanks: Vec<Tank>,
    pub(super) faults: Vec<Fault>,
    pub(super) balance: Balance,
}

pub(super) fn known(value: Option<&f64>) -> Option<f64> {
    value.copied().filter(|value| !value.is_nan())
}

impl Solution {
    /// Number of nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Number of branches.
    #[must_use]
    pub fn branches(&self) -> usize {
        self.branches.len()
    }

    /// The factor (节点碳势) of a node in kg/kWh; None where it has none, see [`Solution::quality`].
    #[must_use]
    pub fn factor(&self, node: usize) -> Option<f64> {
        known(self.nodes.get(node).map(|node| &node.factor))
    }

    /// The factor of a node as it is dispatched: quantised once, half to even.
    ///
    /// # Errors
    /// For a factor beyond the 32 bits of mg/kWh, as a storage that is nearly empty can have.
    pub fn factor_mg_per_kwh(&self, node: usize) -> Result<Option<Factor>, QuantityError> {
        self.factor(node).map(quantise).transpose()
    }

    /// Why a node has no factor, or that it has; None for a node that is not there.
    #[must_use]
    pub fn quality(&self, node: usize) -> Option<Quality> {
        self.nodes.get(node).map(|node| node.quality)
    }

    /// The through-flow (节点有功通量) of a node in MW.
    #[must_use]
    pub fn flux_megawatts(&self, node: usize) -> Option<f64> {
        self.nodes.get(node).map(|node| node.flux)
    }

    /// The share of a node's power whose origin is unknown; None for a dead node and one with unusable measurements.
    #[must_use]
    pub fn unknown_share(&self, node: usize) -> Option<f64> {
        known(self.nodes.get(node).map(|node| &node.unknown))
    }

    /// What flows into a node and, by the measurements, not out of it, in MW.
    #[must_use]
    pub fn imbalance_megawatts(&self, node: usize) -> Option<f64> {
        self.nodes.get(node).map(|node| node.imbalance)
    }

    /// The carbon of a branch.
    #[must_use]
    pub fn branch(&self, branch: usize) -> Option<BranchCarbon> {
        self.branches.get(branch).map(|rates| BranchCarbon {
            forward: known(Some(&rates.forward)),
            reverse: known(Some(&rates.reverse)),
            loss: known(Some(&rates.loss)),
        })
    }

    /// The carbon that a source brings in, in t/h; of negative power, what it takes out, negative. None if unknown.
    #[must_use]
    pub fn source(&self, source: usize) -> Option<f64> {
        known(self.sources.get(source))
    }

    /// The carbon of a load in t/h; of one that feeds in, what it brings in, negative. None if unknown.
    #[must_use]
    pub fn load(&self, load: usize) -> Option<f64> {
        known(self.loads.get(load))
    }

    /// The carbon that a storage charges less what it discharges, in t/h. None if unknown.
    #[must_use]
    pub fn storage(&self, storage: usize) -> Option<f64> {
        known(self.storages.get(storage))
    }

    /// The tank of each storage when the slot ends.
    #[must_use]
    pub fn tanks(&self) -> &[Tank] {
        &self.tanks
    }

    /// What could not be taken as it was measured, in order of branches, sources, loads and storages.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Where the carbon came from and went.
    #[must_use]
    pub fn balance(&self) -> &Balance {
        &self.balance
    }
}

/// A factor in kg/kWh as an integer of mg/kWh: the nearest, half to even, of the exact value of the `f64`.
///
/// # Errors
/// For one that is no number or out of range.
pub fn quantise(kg_per_kwh: f64) -> Result<Factor, QuantityError> {
    const STEPS: f64 = 1e6;
    let product = kg_per_kwh * STEPS;
    let mut whole = product.round_ties_even();
    let beyond = product - whole;
    #[expect(
        clippy::float_cmp,
        reason = "a tie is exact, and so is this difference"
    )]
    if beyond.abs() == 0.5 {
        // The product itself is rounded: what it lost says on which side of the tie the value really lies.
        let lost = kg_per_kwh.mul_add(STEPS, -product);
        if lost != 0.0 && (lost > 0.0) == (beyond > 0.0) {
            whole += 2.0 * beyond;
        }
    }
    if (0.0..=f64::from(u32::MAX)).contains(&whole) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number within u32"
        )]
        return Ok(Factor::from_mg_per_kwh(whole as u32));
    }
    Err(QuantityError::OutOfRange {
        what: "carbon factor",
        text: format!("{kg_per_kwh} kg/kWh"),
        expected: "0 to 4294.967295 kg/kWh",
    })
}
