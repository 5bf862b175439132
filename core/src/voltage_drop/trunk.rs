//! What flows through the trunk as each voltage of the master feels it.

use super::result::Follows;
use super::series::Series;

/// Powers that move a voltage of the master against the bus: what the phase carries, and what the neutral adds.
#[derive(Debug, Clone, Default)]
pub(super) struct Flow {
    pub(super) line_kw: Vec<f64>,
    /// Empty where the neutral adds nothing.
    pub(super) neutral_kw: Vec<f64>,
}

/// Flows of the mean and of the three phases.
///
/// A phase that carries P drops as a trunk with 3P through all of its phases would. Through the neutral flows what phases
/// differ by: of the currents' parts along phase a, Pₐ less half of what the other two carry. The mean of the phases feels the whole alone.
/// What no single-phase charger took flows through all three alike.
pub(super) fn flows(master_kw: &[f64], chargers: &[Series], follows: &[Follows]) -> Vec<Flow> {
    let phases = by_phase(master_kw.len(), chargers, follows);
    let single = follows.iter().any(|follows| follows.phase().is_some());
    let mut flows = vec![Flow {
        line_kw: master_kw.to_vec(),
        neutral_kw: Vec::new(),
    }];
    if !single {
        return flows;
    }
    let [a, b, c] = &phases;
    let own: Vec<f64> = a
        .iter()
        .zip(b)
        .zip(c)
        .map(|((a, b), c)| a + b + c)
        .collect();
    for phase in &phases {
        let mut flow = Flow::default();
        for ((kw, own), phase) in master_kw.iter().zip(&own).zip(phase) {
            let line = 3.0 * phase + (kw - own);
            flow.line_kw.push(line);
            flow.neutral_kw.push(1.5 * (line - kw));
        }
        flows.push(flow);
    }
    flows
}

/// What chargers of one phase took from each, kW; what is not known of one is 0.
pub(super) fn by_phase(length: usize, chargers: &[Series], follows: &[Follows]) -> [Vec<f64>; 3] {
    let mut phases = [vec![0.0; length], vec![0.0; length], vec![0.0; length]];
    let sound = chargers.iter().zip(follows);
    for (charger, follows) in sound.filter(|(charger, _)| charger.fault.is_none()) {
        let phase = follows.phase().and_then(|phase| phases.get_mut(phase));
        for (sum, kw) in phase.into_iter().flatten().zip(&charger.kw) {
            *sum += if kw.is_finite() { *kw } else { 0.0 };
        }
    }
    phases
}
