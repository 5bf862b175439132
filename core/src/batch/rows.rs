//! Records as a batch is decoded to them. Units: mWh, µg, mg/kWh, ms UTC.

/// One interval record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are those of docs/wire.cddl, `intervals`"
)]
pub struct Interval {
    pub sequence: i64,
    pub meter: usize,
    pub start_ms: i64,
    pub duration_ms: i64,
    pub forward_mwh: i64,
    pub reverse_mwh: i64,
    pub forward_total_mwh: i64,
    pub reverse_total_mwh: i64,
    pub factor: Option<i64>,
    pub factor_quality: i64,
    pub carbon_forward_ug: i64,
    pub carbon_reverse_ug: i64,
    pub carbon_forward_total_ug: i64,
    pub carbon_reverse_total_ug: i64,
    pub readings: i64,
    pub quality: i64,
}

/// One freeze record (冻结).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are those of docs/wire.cddl, `freezes`"
)]
pub struct Freeze {
    pub sequence: i64,
    pub meter: usize,
    pub time_ms: i64,
    pub kind: i64,
    pub forward_total_mwh: i64,
    pub reverse_total_mwh: i64,
    pub carbon_forward_total_ug: i64,
    pub carbon_reverse_total_ug: i64,
    pub source: i64,
}

/// One adjustment record: what a late or corrected factor changes of an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are those of docs/wire.cddl, `adjustments`"
)]
pub struct Adjustment {
    pub sequence: i64,
    pub meter: usize,
    pub start_ms: i64,
    pub duration_ms: i64,
    pub forward_mwh: i64,
    pub reverse_mwh: i64,
    pub factor_used: Option<i64>,
    pub factor_now: Option<i64>,
    pub carbon_forward_ug: i64,
    pub carbon_reverse_ug: i64,
    pub solve_id: Vec<u8>,
}

/// One event record; without a meter it is the gateway's own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are those of docs/wire.cddl, `events`"
)]
pub struct Event {
    pub sequence: i64,
    pub meter: Option<usize>,
    pub time_ms: i64,
    pub code: i64,
    pub details: Vec<(i64, Detail)>,
}

/// A value among an event's details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
}
