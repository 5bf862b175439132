//! What is refused as a whole, and what is reported of one element while the rest is solved.

use std::fmt;

use thiserror::Error;

/// A kind of element of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// A node (节点).
    Node,
    /// A branch (支路): a line or a transformer.
    Branch,
    /// A source (电源): a generating unit, or power that comes in over a boundary.
    Source,
    /// A load (负荷).
    Load,
    /// A storage (储能).
    Storage,
}

impl Element {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Branch => "branch",
            Self::Source => "source",
            Self::Load => "load",
            Self::Storage => "storage",
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A grid that can't be: found once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GridError {
    /// An element names a node that is not there.
    #[error("{element} {id}: there is no node {node}")]
    UnknownNode {
        /// Kind of the element.
        element: Element,
        /// Its id, or its number.
        id: String,
        /// The node it names.
        node: String,
    },
    /// Two elements of a kind have one id.
    #[error("{element} {id} is there twice")]
    Duplicate {
        /// Kind of the elements.
        element: Element,
        /// The id.
        id: String,
    },
    /// Both ends of a branch are one node.
    #[error("branch {id}: both ends are node {node}")]
    OneEnded {
        /// Id of the branch, or its number.
        id: String,
        /// The node.
        node: String,
    },
    /// More elements than 32-bit numbers allow.
    #[error("{count} of kind {element}: expected at most {limit}")]
    TooMany {
        /// Kind of the elements.
        element: Element,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// Values that don't fit their grid: nothing of such a slot is solved.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SlotError {
    /// Another number of values than the grid has elements.
    #[error("{got} values for {element} elements: the grid has {expected}")]
    Length {
        /// Kind of the elements.
        element: Element,
        /// Number in the grid.
        expected: usize,
        /// Number given.
        got: usize,
    },
    /// A setting that makes no sense.
    #[error("{name} {value}: expected {expected}")]
    Setting {
        /// Which.
        name: &'static str,
        /// As given.
        value: f64,
        /// The range.
        expected: &'static str,
    },
}

/// Why a value of one element can't be taken as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// A power is NaN, infinite or beyond [`super::MAX_MEGAWATTS`]: the nodes of the element get no factor.
    BadPower,
    /// A branch delivers what nobody sent: power of unknown origin at the node that receives it.
    Gain,
    /// A branch delivers more than was sent: its loss is negative.
    NegativeLoss,
    /// A source, or a load that feeds in, has neither factor nor emission: power of unknown origin.
    NoFactor,
    /// A factor or emission is NaN, infinite, negative or beyond [`super::MAX_FACTOR`]: power of unknown origin.
    BadFactor,
    /// A source emits and delivers nothing: its carbon is on no flow (`Balance::untraced`).
    EmissionWithoutPower,
    /// A storage gives more than its tank holds: the rest is power of unknown origin.
    Overdrawn,
    /// A register of a slot, a tank or an efficiency is negative, NaN or out of range: the node gets no factor.
    BadValue,
}

impl FaultKind {
    /// What it says to a reader.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::BadPower => "power is no number or out of range",
            Self::Gain => "delivers power that was not sent",
            Self::NegativeLoss => "delivers more than was sent",
            Self::NoFactor => "feeds in and has no carbon factor",
            Self::BadFactor => "carbon factor or emission is out of range",
            Self::EmissionWithoutPower => "emits and delivers nothing",
            Self::Overdrawn => "gives more than the tank holds",
            Self::BadValue => "value is negative or out of range",
        }
    }
}

/// A fault of one element. It costs that element's nodes, and those mainly fed by them, their factor, and nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Kind of the element.
    pub element: Element,
    /// Its number among those of its kind.
    pub index: u32,
    /// What is wrong.
    pub kind: FaultKind,
}
