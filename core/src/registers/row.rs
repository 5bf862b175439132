//! Intervals as they are stored.

/// Quality of an interval: its energy was measured.
pub const MEASURED: i64 = 0;
/// It was divided or filled in between readings.
pub const INTERPOLATED: i64 = 1;
/// It lacks energy.
pub const PARTIAL: i64 = 3;

/// An interval of one meter; rows sort by their start, then by journal and record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// When it begins, ms.
    pub start_ms: i64,
    /// The gateway's journal (日志) that it came in.
    pub journal: i64,
    /// Its number there.
    pub sequence: i64,
    /// How long it is, ms.
    pub duration_ms: i64,
    /// What it counted, mWh.
    pub forward_mwh: i64,
    /// Likewise in the other direction, mWh.
    pub reverse_mwh: i64,
    /// The register at its end, mWh.
    pub forward_total_mwh: i64,
    /// The other register at its end, mWh.
    pub reverse_total_mwh: i64,
    /// How its energy is known: a code of the wire.
    pub quality: i64,
}

impl Row {
    /// When it ends, ms.
    #[must_use]
    pub const fn end_ms(&self) -> i64 {
        self.start_ms.saturating_add(self.duration_ms)
    }

    /// The same with both directions exchanged.
    #[must_use]
    pub const fn turned(self) -> Self {
        Self {
            forward_mwh: self.reverse_mwh,
            reverse_mwh: self.forward_mwh,
            forward_total_mwh: self.reverse_total_mwh,
            reverse_total_mwh: self.forward_total_mwh,
            ..self
        }
    }

    /// Both registers at its end, mWh.
    pub(super) fn closing(&self) -> (i128, i128) {
        (
            i128::from(self.forward_total_mwh),
            i128::from(self.reverse_total_mwh),
        )
    }

    /// Both registers at its start, mWh.
    pub(super) fn opening(&self) -> (i128, i128) {
        let (forward, reverse) = self.closing();
        (
            forward - i128::from(self.forward_mwh),
            reverse - i128::from(self.reverse_mwh),
        )
    }
}
