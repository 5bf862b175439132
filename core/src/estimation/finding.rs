//! What is odd in the data, with its numbers.

use super::decide::Reason;

/// What a charger whose energy the balance does not bear out may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suspicion {
    /// Its energy flows the other way: wired or read the wrong way round, or it feeds in.
    Reversed,
    /// The master does not see it: fed from elsewhere, or its records are another's.
    NotBehindMaster,
    /// A wrong transformer ratio, multiplier or unit.
    Multiplier,
}

impl Suspicion {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reversed => "reversed",
            Self::NotBehindMaster => "not_behind_master",
            Self::Multiplier => "multiplier",
        }
    }
}

/// Something to know before an estimate is believed.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// Windows left out: no number, register went back, more than the power allows.
    Excluded {
        /// By cause, in that order.
        windows: [u64; 3],
    },
    /// Fewer windows than unknowns, or fewer than five times as many that contradict each other: what is said rests on
    /// priors, or on which of them is believed, and nothing is decided.
    FewWindows {
        /// Usable windows.
        windows: u64,
        /// Unknowns.
        unknowns: usize,
    },
    /// Windows are half a day or longer on average.
    Daily {
        /// Mean length, h.
        hours: f64,
    },
    /// A charger without energy.
    NeverCharged {
        /// Its number.
        charger: usize,
    },
    /// Energy of a charger mostly negative: it is read or wired the wrong way round.
    Negative {
        /// Its number.
        charger: usize,
        /// Windows with negative energy.
        windows: u64,
        /// Their energy, kWh.
        kwh: f64,
    },
    /// Two chargers charge alike.
    Collinear {
        /// One.
        first: usize,
        /// The other.
        second: usize,
        /// Cosine of their whitened columns.
        cosine: f64,
    },
    /// The master indicates another multiple of what the chargers do: wrong transformer ratio (CT 变比).
    Gain {
        /// Master by chargers.
        ratio: f64,
        /// Standard deviations from what was to be expected.
        tension: f64,
    },
    /// The balance does not bear out a charger's energy.
    Implausible {
        /// Its number.
        charger: usize,
        /// True energy by indicated energy, as the balance has it.
        ratio: f64,
        /// What that may be.
        suspicion: Suspicion,
    },
    /// A clock offset beyond what realignment bears.
    Offset {
        /// The charger.
        charger: usize,
        /// s; positive: its readings are too late.
        seconds: f64,
        /// Standard uncertainty, s.
        u: f64,
    },
    /// A charger's energies fit the balance if they are moved by hours.
    ClockShift {
        /// The charger.
        charger: usize,
        /// h; positive: its clock is behind, its energies belong to later windows.
        hours: f64,
        /// Share of its energy that the move explains.
        share: f64,
    },
    /// The sessions of two chargers fit each other's registers. The balance does not depend on it: errors are those of
    /// the registers, whatever they are called.
    Swapped {
        /// One.
        first: usize,
        /// The other.
        second: usize,
    },
    /// Energy where no session was.
    OutsideSessions {
        /// The charger.
        charger: usize,
        /// Share of its energy.
        share: f64,
    },
    /// The master ran backwards, or the fixed load is negative: something generates behind it (PV, storage).
    Generation {
        /// Windows in which the master ran backwards.
        windows: u64,
        /// Fixed load, kW.
        fixed_load_kw: f64,
        /// Mean residual by day less that by night, kW.
        by_day_kw: f64,
    },
    /// The master counts energy that no charger did, in a pattern: an unmetered load, or missing records.
    UnexplainedLoad {
        /// Share of the master's energy in it.
        share: f64,
        /// Its power when it is there, kW.
        kw: f64,
    },
    /// Residuals in a pattern, with both signs.
    Unexplained {
        /// Share of the master's energy in it.
        share: f64,
    },
    /// Residuals far larger than the stated noise.
    Misfit {
        /// Their scale, by the noise model that was chosen.
        scale: f64,
        /// White noise that was chosen, relative.
        white: f64,
    },
    /// The master's register step is most of the noise.
    MasterRegister {
        /// Share of the variance.
        share: f64,
    },
    /// The chargers' register steps are most of the noise.
    ChargerRegister {
        /// Share of the variance.
        share: f64,
    },
}

impl Finding {
    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Excluded { .. } => "excluded",
            Self::FewWindows { .. } => "few_windows",
            Self::Daily { .. } => "daily",
            Self::NeverCharged { .. } => "never_charged",
            Self::Negative { .. } => "negative",
            Self::Collinear { .. } => "collinear",
            Self::Gain { .. } => "gain",
            Self::Implausible { .. } => "implausible",
            Self::Offset { .. } => "offset",
            Self::ClockShift { .. } => "clock_shift",
            Self::Swapped { .. } => "swapped",
            Self::OutsideSessions { .. } => "outside_sessions",
            Self::Generation { .. } => "generation",
            Self::UnexplainedLoad { .. } => "unexplained_load",
            Self::Unexplained { .. } => "unexplained",
            Self::Misfit { .. } => "misfit",
            Self::MasterRegister { .. } => "master_register",
            Self::ChargerRegister { .. } => "charger_register",
        }
    }

    /// Whether no charger of the station can be judged while this holds.
    #[must_use]
    pub const fn blocks(&self) -> bool {
        matches!(
            self,
            Self::Gain { .. }
                | Self::ClockShift { .. }
                | Self::Generation { .. }
                | Self::UnexplainedLoad { .. }
                | Self::Unexplained { .. }
        )
    }

    /// The chargers it is about; none where it is about the station.
    #[must_use]
    pub fn chargers(&self) -> Vec<usize> {
        match self {
            Self::NeverCharged { charger }
            | Self::Negative { charger, .. }
            | Self::Implausible { charger, .. }
            | Self::Offset { charger, .. }
            | Self::ClockShift { charger, .. }
            | Self::OutsideSessions { charger, .. } => vec![*charger],
            Self::Collinear { first, second, .. } | Self::Swapped { first, second } => {
                vec![*first, *second]
            }
            _ => Vec::new(),
        }
    }

    /// Why it would leave `charger` undetermined.
    pub(super) fn reason(&self, charger: usize) -> Option<Reason> {
        if self.blocks() {
            return Some(Reason::Station);
        }
        let own = self.chargers().contains(&charger);
        match self {
            Self::NeverCharged { .. } if own => Some(Reason::NeverCharged),
            Self::Negative { .. } | Self::Implausible { .. } if own => Some(Reason::Implausible),
            Self::Offset { .. } if own => Some(Reason::Offset),
            Self::Collinear { .. } if own => Some(Reason::Collinear),
            Self::FewWindows { .. } => Some(Reason::FewWindows),
            Self::Daily { .. } => Some(Reason::Daily),
            Self::MasterRegister { .. } => Some(Reason::MasterRegister),
            Self::ChargerRegister { .. } => Some(Reason::ChargerRegister),
            Self::Misfit { .. } => Some(Reason::Misfit),
            _ => None,
        }
    }

    /// Whether `charger` can't be judged, whatever the numbers say.
    pub(super) fn forbids(&self, charger: usize) -> bool {
        match self {
            Self::Negative { .. } | Self::Implausible { .. } | Self::Offset { .. } => {
                self.chargers().contains(&charger)
            }
            other => other.blocks(),
        }
    }
}
