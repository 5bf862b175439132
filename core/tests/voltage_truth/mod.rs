//! A station whose voltages are known: a wandering grid, a trunk, branches of known resistance, and meters that drift, step
//! and scatter. Shares nothing with the regression but its input.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "every test file uses a part of it; small numbers"
)]

#[path = "../dice/mod.rs"]
mod dice;

use diantan_core::voltage_drop::{DropEstimation, DropMeter, voltage_drop};
pub use dice::{Dice, MIDNIGHT};

pub const QUARTER: i64 = 900_000;
/// Volts.
const NOMINAL: f64 = 230.0;

/// What a station is made with. Scatters are relative to the voltage.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub chargers: usize,
    pub days: usize,
    pub sessions_per_day: f64,
    pub quarters: (f64, f64),
    pub power_kw: (f64, f64),
    /// Drop of a usual branch at the middle power.
    pub drop: f64,
    /// Drop of the trunk with a third of the chargers at the middle power.
    pub trunk_drop: f64,
    /// White scatter of a mean.
    pub white: f64,
    /// Scatter that hangs together from quarter to quarter, and how much.
    pub slow: (f64, f64),
    /// Gain of a meter from day to day.
    pub drift: f64,
    /// Daily course of a meter's gain: the amplitude of a sine of the same mean square.
    pub daily: f64,
    /// Hour at which vehicles come, one a day to each charger; None: at any time.
    pub clock: Option<f64>,
    /// Steps of the voltages, V.
    pub step: f64,
    /// Share of means that are missing.
    pub missing: f64,
    /// Other load behind the master, kW, as it changes from hour to hour.
    pub other_kw: f64,
    /// How the voltages of the phases differ.
    pub unbalance: f64,
    /// Phase of each charger in turn: None for all three.
    pub phases: Vec<Option<usize>>,
    /// Resistance of the neutral, in those of a line.
    pub neutral: f64,
    pub master: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            chargers: 10,
            days: 30,
            sessions_per_day: 6.0,
            quarters: (1.0, 3.5),
            power_kw: (25.0, 58.0),
            drop: 0.01,
            trunk_drop: 0.01,
            white: 3e-4,
            slow: (3e-4, 0.8),
            drift: 5e-4,
            daily: 0.0,
            clock: None,
            step: 0.0,
            missing: 0.02,
            other_kw: 5.0,
            unbalance: 0.004,
            phases: vec![None],
            neutral: 1.0,
            master: true,
        }
    }
}

/// Columns of a meter: voltages, and power.
pub type Columns = (Vec<Vec<f64>>, Vec<f64>);

/// A station and what it is in truth.
pub struct Supply {
    pub plan: Plan,
    pub times_ms: Vec<i64>,
    pub chargers: Vec<Columns>,
    pub master: Columns,
    /// Loss of each branch at the voltage while it charges, 1/kW.
    pub losses: Vec<f64>,
    /// Loss of the trunk per square of the master's power, 1/kW.
    pub trunk: f64,
}

fn walk(dice: &mut Dice, count: usize, sd: f64, keep: f64) -> Vec<f64> {
    let mut value = sd * dice.normal();
    let fresh = sd * (1.0 - keep * keep).sqrt();
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        all.push(value);
        value = keep * value + fresh * dice.normal();
    }
    all
}

/// How warm it is by hour of the day, with the mean square of a sine: up from six to two, down by night. No harmonics.
fn warmth(hour: f64) -> f64 {
    let since = (hour - 6.0).rem_euclid(24.0);
    let share = if since < 8.0 {
        since / 8.0
    } else {
        (24.0 - since) / 16.0
    };
    1.5_f64.sqrt() * (2.0 * share - 1.0)
}

/// From when to when a vehicle charges that comes by the clock: each day another a little later.
fn by_the_clock(plan: &Plan, hour: f64, day: usize, dice: &mut Dice) -> (f64, f64) {
    let start = 96.0 * day as f64 + 4.0 * (hour + 0.5 * dice.normal()).max(0.0);
    (
        start,
        start + dice.between(plan.quarters.0, plan.quarters.1),
    )
}

fn sessions(plan: &Plan, dice: &mut Dice, count: usize) -> Vec<f64> {
    let mut kw = vec![0.03; count];
    let mut day = 0;
    let pause = 96.0 / plan.sessions_per_day;
    let mut now = dice.between(0.0, pause);
    loop {
        let mut end = now + dice.between(plan.quarters.0, plan.quarters.1);
        if let Some(hour) = plan.clock {
            (now, end) = by_the_clock(plan, hour, day, dice);
            day += 1;
        }
        let power = dice.between(plan.power_kw.0, plan.power_kw.1);
        if end + 1.0 >= count as f64 {
            return kw;
        }
        for (quarter, cell) in kw
            .iter_mut()
            .enumerate()
            .take(end as usize + 1)
            .skip(now as usize)
        {
            let inside = end.min(quarter as f64 + 1.0) - now.max(quarter as f64);
            *cell += power * inside.max(0.0);
        }
        now = end + 0.2 - (pause - (end - now)).max(0.5) * (1.0 - dice.unit()).ln();
    }
}

/// What a meter shows of a voltage.
fn shown(plan: &Plan, dice: &mut Dice, volts: &[f64]) -> Vec<f64> {
    let gain = 1.0 + 0.003 * dice.normal();
    let slow = walk(dice, volts.len(), plan.slow.0, plan.slow.1);
    let swing = plan.daily * dice.normal();
    let mut drift = 0.0;
    let mut all = Vec::with_capacity(volts.len());
    for (quarter, (volts, slow)) in volts.iter().zip(slow).enumerate() {
        if quarter % 96 == 0 {
            drift = plan.drift * dice.normal();
        }
        let course = swing * warmth((quarter % 96) as f64 / 4.0);
        let relative = drift + slow + course + plan.white * dice.normal();
        let value = volts * gain * (1.0 + relative);
        let value = if plan.step > 0.0 {
            (value / plan.step).round() * plan.step
        } else {
            value
        };
        all.push(if dice.unit() < plan.missing {
            f64::NAN
        } else {
            value
        });
    }
    all
}

/// The voltage at the end of a cable that takes `kw` there: V + kP/V is what comes in, `k` in V²/kW.
pub fn end_of(volts: f64, k: f64, kw: f64) -> f64 {
    f64::midpoint(volts, (volts * volts - 4.0 * k * kw).sqrt())
}

pub fn supply(change: impl FnOnce(&mut Plan)) -> Supply {
    let mut plan = Plan::default();
    change(&mut plan);
    let mut dice = Dice(plan.seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let count = plan.days * 96;
    let middle = f64::midpoint(plan.power_kw.0, plan.power_kw.1);
    let power: Vec<Vec<f64>> = (0..plan.chargers)
        .map(|_| sessions(&plan, &mut dice, count))
        .collect();
    let other = walk(&mut dice, count, plan.other_kw, 0.9);
    let branch: Vec<f64> = (0..plan.chargers)
        .map(|_| plan.drop / middle * (0.3 * dice.normal()).exp() * NOMINAL * NOMINAL)
        .collect();
    let trunk = plan.trunk_drop / (middle * (plan.chargers as f64 / 3.0).max(1.0));
    let grid = walk(&mut dice, count, 0.012, 0.97);
    let phase_of = |charger: usize| plan.phases[charger % plan.phases.len()];
    let mut total = vec![0.0; count];
    let mut master = [vec![0.0; count], vec![0.0; count], vec![0.0; count]];
    let mut bus = master.clone();
    let own: Vec<Vec<f64>> = (0..3)
        .map(|_| walk(&mut dice, count, plan.unbalance, 0.95))
        .collect();
    for quarter in 0..count {
        let mut loads = [(2.0 * plan.other_kw + other[quarter]).max(0.0) / 3.0; 3];
        for (charger, kw) in power.iter().enumerate() {
            // With its branch's loss.
            let kw = kw[quarter] * (1.0 + branch[charger] * kw[quarter] / (NOMINAL * NOMINAL));
            match phase_of(charger) {
                Some(phase) => loads[phase] += kw,
                None => loads.iter_mut().for_each(|load| *load += kw / 3.0),
            }
        }
        let sum: f64 = loads.iter().sum();
        for phase in 0..3 {
            let volts = NOMINAL * (1.0 + grid[quarter] + own[phase][quarter]);
            let neutral =
                loads[phase] - f64::midpoint(loads[(phase + 1) % 3], loads[(phase + 2) % 3]);
            let lost = 1.0 + trunk * sum;
            let level = (NOMINAL / volts).powi(2);
            let drop = 3.0 * trunk * lost * level * (loads[phase] + plan.neutral * neutral);
            master[phase][quarter] = volts;
            bus[phase][quarter] = volts * (1.0 - drop);
        }
        total[quarter] = sum * (1.0 + trunk * sum);
    }
    let mean = |all: &[Vec<f64>; 3], quarter: usize| {
        (all[0][quarter] + all[1][quarter] + all[2][quarter]) / 3.0
    };
    let mut chargers = Vec::new();
    let mut losses = Vec::new();
    for (charger, kw) in power.iter().enumerate() {
        let volts: Vec<f64> = (0..count)
            .map(|quarter| {
                let above = phase_of(charger)
                    .map_or_else(|| mean(&bus, quarter), |phase| bus[phase][quarter]);
                end_of(above, branch[charger], kw[quarter])
            })
            .collect();
        let lost: f64 = volts
            .iter()
            .zip(kw)
            .map(|(volts, kw)| branch[charger] * (kw / volts).powi(2))
            .sum();
        losses.push(lost / kw.iter().map(|kw| kw * kw).sum::<f64>());
        chargers.push((vec![shown(&plan, &mut dice, &volts)], kw.clone()));
    }
    let seen = master.iter().map(|volts| shown(&plan, &mut dice, volts));
    let lost: f64 = (0..count)
        .map(|quarter| trunk * (total[quarter] * NOMINAL / mean(&master, quarter)).powi(2))
        .sum();
    Supply {
        trunk: lost / total.iter().map(|kw| kw * kw).sum::<f64>(),
        times_ms: (0..count as i64)
            .map(|quarter| MIDNIGHT + quarter * QUARTER)
            .collect(),
        master: (seen.collect(), total),
        chargers,
        losses,
        plan,
    }
}

impl Supply {
    pub fn drop(&self) -> DropEstimation {
        let meters = self.chargers.iter().map(meter);
        let meters: Vec<DropMeter> = meters.collect();
        let lent: Vec<&DropMeter> = meters.iter().collect();
        let master = self.plan.master.then(|| meter(&self.master));
        voltage_drop(&self.times_ms, &lent, master.as_ref(), 480).unwrap()
    }
}

pub fn meter(columns: &Columns) -> DropMeter {
    DropMeter::new(columns.0.clone(), columns.1.clone()).unwrap()
}

/// Share of branches within 2 u, root mean square of the errors, and of u, relative; all branches must have a loss.
pub fn judged(seeds: u64, change: impl Fn(&mut Plan)) -> (f64, f64, f64) {
    let (mut inside, mut squares, mut stated, mut count) = (0.0, 0.0, 0.0, 0.0);
    for seed in 1..=seeds {
        let truth = supply(|plan| {
            change(plan);
            plan.seed = seed;
        });
        for (branch, loss) in truth.drop().branches.iter().zip(&truth.losses) {
            let off = branch.loss.unwrap_or_else(|| panic!("{seed}: {branch:?}")) - loss;
            inside += f64::from(u8::from(off.abs() < 2.0 * branch.u));
            squares += (off / loss).powi(2);
            stated += (branch.u / loss).powi(2);
            count += 1.0;
        }
    }
    (
        inside / count,
        (squares / count).sqrt(),
        (stated / count).sqrt(),
    )
}

pub fn covers(name: &str, most: f64, change: impl Fn(&mut Plan)) {
    let change = |plan: &mut Plan| {
        (plan.chargers, plan.days) = (6, 14);
        change(plan);
    };
    let chargers = supply(change).plan.chargers;
    let (inside, error, u) = judged(90_u64.div_ceil(chargers as u64), change);
    assert!(inside >= 0.9, "{name}: {inside}");
    // Of ninety all may lie inside by chance; what is too wide shows beside the error.
    assert!(error < most && u < 1.6 * error, "{name}: {error} ± {u}");
}
