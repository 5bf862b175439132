//! Stations with a fault, and what may be said of them.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "every test file uses a part of it"
)]

use super::estimation_truth::{Plan, Station, station};
use diantan_core::estimation::{Decision, Estimation, Finding, Reason};

pub fn month(change: impl FnOnce(&mut Plan)) -> Station {
    station(|plan| {
        plan.chargers = 8;
        plan.days = 21;
        plan.altered = vec![(2, 0.04)];
        plan.sessions_known = false;
        change(plan);
    })
}

pub fn names(found: &Estimation) -> Vec<&'static str> {
    found.findings.iter().map(Finding::name).collect()
}

/// Nobody is accused who is sound, and nobody cleared who is altered.
pub fn honest(found: &Estimation, truth: &Station) {
    for (one, error) in found.chargers.iter().zip(&truth.errors) {
        match one.decision {
            Decision::Flag => assert!(
                error.abs() > 0.02,
                "{error} flagged: {one:?} {:?}",
                found.findings
            ),
            Decision::Clear => assert!(
                error.abs() < 0.02,
                "{error} cleared: {one:?} {:?}",
                found.findings
            ),
            Decision::Undetermined => assert!(one.reason.is_some()),
        }
    }
}

pub fn nobody_decided(found: &Estimation) {
    for one in &found.chargers {
        assert_eq!(one.decision, Decision::Undetermined, "{one:?}");
        assert_eq!(one.reason, Some(Reason::Station), "{:?}", found.findings);
    }
}
