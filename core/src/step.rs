//! What the change of one register between two readings means.

/// mW·ms in one mWh.
const MW_MS_PER_MWH: i128 = 3_600_000;

/// What a register may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The register counts modulo this, mWh.
    pub(crate) rollover_mwh: Option<i64>,
    /// The most power the meter can have seen, mW.
    pub(crate) max_power_mw: Option<i64>,
    /// One unit of the register's display: two readings may each be short by it.
    pub(crate) resolution_mwh: i64,
}

/// The change of a register over a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It rose by so many mWh (or stayed).
    Rise(i64),
    /// It passed its largest value and moved on by so many mWh in all.
    Rollover(i64),
    /// It fell.
    Reset,
    /// It rose more than possible.
    Jump,
}

impl Limits {
    fn possible(&self, difference: i64, span_ms: i64) -> Option<bool> {
        let max_power = self.max_power_mw?;
        if difference <= self.resolution_mwh {
            return Some(true);
        }
        let excess = i128::from(difference) - i128::from(self.resolution_mwh);
        Some(excess * MW_MS_PER_MWH <= i128::from(max_power) * i128::from(span_ms))
    }

    /// Classify the change from `before` to `after` (both ≥ 0) over `span_ms` > 0.
    #[inline]
    pub(crate) fn classify(&self, before: i64, after: i64, span_ms: i64) -> Change {
        if after >= before {
            let rise = after - before;
            return match self.possible(rise, span_ms) {
                Some(false) => Change::Jump,
                _ => Change::Rise(rise),
            };
        }
        self.fall(before, after, span_ms)
    }

    #[cold]
    fn fall(&self, before: i64, after: i64, span_ms: i64) -> Change {
        let Some(modulus) = self.rollover_mwh.filter(|&modulus| before < modulus) else {
            return Change::Reset;
        };
        let moved = modulus - before + after;
        let plausible = self
            .possible(moved, span_ms)
            .unwrap_or(moved < modulus - moved);
        if plausible {
            Change::Rollover(moved)
        } else {
            Change::Reset
        }
    }
}
