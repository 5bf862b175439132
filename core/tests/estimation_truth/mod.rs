//! A station of known truth: sessions, losses, clocks and registers minute by minute. Shares nothing with the estimator
//! but the windows it hands over.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "every test file uses a part of it; small numbers"
)]

#[path = "../dice/mod.rs"]
mod dice;

use diantan_core::estimation::{Charger, Estimation, Settings, Windows, estimate};
pub use dice::{Dice, MIDNIGHT};

pub const MINUTE: i64 = 60_000;

/// What a station is made with.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub chargers: usize,
    pub days: usize,
    pub window_minutes: usize,
    pub sessions_per_day: f64,
    pub session_kwh: f64,
    pub power_kw: (f64, f64),
    pub master_step: f64,
    pub step: f64,
    pub jitter_s: f64,
    pub offset_sd_s: f64,
    pub gain_sd: f64,
    pub white: f64,
    pub load_dependence: f64,
    pub loss_share: f64,
    pub altered: Vec<(usize, f64)>,
    pub sound_sd: f64,
    pub cohort: f64,
    pub fixed_kw: f64,
    pub night_kw: f64,
    /// Loss of the conversion that lies before the chargers' meters: share, spread, kW while active.
    pub conversion: Option<(f64, f64, f64)>,
    /// Share of windows with a gross error of so many kWh.
    pub gross: (f64, f64),
    /// Share of readings that are missing.
    pub missing: f64,
    /// Whether design losses are told to the estimator.
    pub designed: bool,
    pub sessions_known: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            chargers: 20,
            days: 30,
            window_minutes: 15,
            sessions_per_day: 6.0,
            session_kwh: 22.0,
            power_kw: (25.0, 58.0),
            master_step: 0.01,
            step: 0.01,
            jitter_s: 1.0,
            offset_sd_s: 0.0,
            gain_sd: 0.0025,
            white: 0.0005,
            load_dependence: 0.0,
            loss_share: 0.01,
            altered: vec![(3, 0.03), (11, -0.04)],
            sound_sd: 0.0035,
            cohort: 0.0,
            fixed_kw: 0.5,
            night_kw: 0.0,
            conversion: None,
            gross: (0.0, 0.0),
            missing: 0.0,
            designed: true,
            sessions_known: true,
        }
    }
}

/// A station and what it is in truth.
pub struct Station {
    pub plan: Plan,
    pub errors: Vec<f64>,
    pub offsets_s: Vec<f64>,
    pub gain: f64,
    pub times_ms: Vec<i64>,
    pub master: Vec<f64>,
    pub registers: Vec<Vec<f64>>,
    pub sessions: Vec<Vec<(i64, i64)>>,
    pub trunk_design: f64,
    pub branch_design: f64,
    /// True losses of the branches, 1/kW.
    pub branch_losses: Vec<f64>,
    /// True power by minute and charger, kW, for tests that spoil the station.
    pub power: Vec<Vec<f64>>,
}

fn cumulate(power: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mut all = vec![0.0];
    for kw in power {
        sum += kw / 60.0;
        all.push(sum);
    }
    all
}

/// Cumulative value at an instant in minutes.
fn at(curve: &[f64], minute: f64) -> f64 {
    let minute = minute.clamp(0.0, (curve.len() - 1) as f64);
    let whole = (minute as usize).min(curve.len() - 2);
    curve[whole] + (curve[whole + 1] - curve[whole]) * (minute - whole as f64)
}

fn floor_to(value: f64, step: f64) -> f64 {
    if step > 0.0 {
        (value / step).floor() * step
    } else {
        value
    }
}

/// Power of one charger by minute, and its sessions in minutes.
fn charge(plan: &Plan, dice: &mut Dice, minutes: usize) -> (Vec<f64>, Vec<(f64, f64)>) {
    let mut power = vec![0.0; minutes];
    let mut sessions = Vec::new();
    let pause = 1440.0 / plan.sessions_per_day;
    let mut now = dice.between(0.0, pause);
    loop {
        let kwh = (plan.session_kwh.ln() + 0.6 * dice.normal())
            .exp()
            .min(4.0 * plan.session_kwh);
        let kw = dice.between(plan.power_kw.0, plan.power_kw.1);
        // The last fifth of the energy at 0.65 of the power.
        let lengths = [0.8 * kwh / kw * 60.0, 0.2 * kwh / (0.65 * kw) * 60.0];
        let end = now + lengths[0] + lengths[1];
        if end + 1.0 >= minutes as f64 {
            return (power, sessions);
        }
        for (from, to, kw) in [
            (now, now + lengths[0], kw),
            (now + lengths[0], end, 0.65 * kw),
        ] {
            for (minute, cell) in power
                .iter_mut()
                .enumerate()
                .take(to as usize + 1)
                .skip(from as usize)
            {
                let inside = (to.min(minute as f64 + 1.0) - from.max(minute as f64)).max(0.0);
                *cell += kw * inside;
            }
        }
        sessions.push((now, end));
        let free = pause - (end - now);
        now = end + 2.0 - free.max(5.0) * (1.0 - dice.unit()).ln();
    }
}

#[allow(clippy::too_many_lines, reason = "a station from top to bottom")]
pub fn build(plan: &Plan) -> Station {
    let mut dice = Dice(plan.seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let minutes = plan.days * 1440;
    let mut errors: Vec<f64> = (0..plan.chargers)
        .map(|_| plan.cohort + (plan.sound_sd * dice.normal()).clamp(-0.01, 0.01))
        .collect();
    for (charger, error) in &plan.altered {
        if let Some(cell) = errors.get_mut(*charger) {
            *cell = *error;
        }
    }
    let offsets_s: Vec<f64> = (0..plan.chargers)
        .map(|_| plan.offset_sd_s * dice.normal())
        .collect();
    let gain = plan.gain_sd * dice.normal();
    let spread: Vec<f64> = (0..plan.chargers)
        .map(|_| (0.3 * dice.normal()).exp())
        .collect();
    let mut power = Vec::new();
    let mut sessions = Vec::new();
    for offset_s in &offsets_s {
        let (own, spans) = charge(plan, &mut dice, minutes);
        let offset = offset_s / 60.0;
        let ms = |minute: f64| MIDNIGHT + ((minute - offset) * 60_000.0) as i64;
        sessions.push(
            spans
                .iter()
                .map(|(from, to)| (ms(*from), ms(*to)))
                .collect(),
        );
        power.push(own);
    }
    let energy: f64 = power.iter().flatten().sum();
    let own_squares: f64 = power.iter().flatten().map(|kw| kw * kw).sum();
    let totals: Vec<f64> = (0..minutes)
        .map(|minute| power.iter().map(|own| own[minute]).sum())
        .collect();
    let squares: f64 = totals.iter().map(|kw: &f64| kw * kw).sum();
    let trunk = plan.loss_share / 2.0 * energy / squares;
    let branch = plan.loss_share / 2.0 * energy / own_squares;
    let trunk_true = trunk * (0.2 * dice.normal()).exp();
    let mut station = vec![0.0; minutes];
    for (minute, cell) in station.iter_mut().enumerate() {
        let hour = minute / 60 % 24;
        let dark = !(6..18).contains(&hour);
        *cell = totals[minute] + trunk_true * totals[minute].powi(2) + plan.fixed_kw;
        *cell += if dark { plan.night_kw } else { 0.0 };
    }
    let mut outputs = Vec::new();
    for (number, own) in power.iter().enumerate() {
        let mut output = own.clone();
        let conversion = plan
            .conversion
            .map(|(share, sd, fixed)| (share + sd * dice.normal(), fixed));
        for (minute, kw) in own.iter().enumerate() {
            station[minute] += branch * spread[number] * kw * kw;
            if let Some((share, fixed)) = conversion
                && *kw > 0.0
            {
                output[minute] = ((kw - fixed) / (1.0 + share)).max(0.0);
            }
        }
        outputs.push(output);
    }
    let middle = f64::midpoint(plan.power_kw.0, plan.power_kw.1);
    let curves: Vec<Vec<f64>> = outputs
        .iter()
        .zip(&errors)
        .map(|(own, error)| {
            let shown: Vec<f64> = own
                .iter()
                .map(|kw| kw * (1.0 + error + plan.load_dependence * (kw / middle - 1.0)))
                .collect();
            cumulate(&shown)
        })
        .collect();
    let master_curve = cumulate(&station);
    let count = minutes / plan.window_minutes;
    let mut times_ms = Vec::new();
    let mut master = Vec::new();
    let mut registers = vec![Vec::new(); plan.chargers];
    let (mut walk, mut before) = (0.0, 0.0);
    for place in 0..=count {
        let minute = (place * plan.window_minutes) as f64;
        times_ms.push(MIDNIGHT + (place * plan.window_minutes) as i64 * MINUTE);
        let counted =
            at(&master_curve, minute + plan.jitter_s * dice.normal() / 60.0) * (1.0 + gain);
        walk += plan.white * (counted - before) * dice.normal();
        before = counted;
        if dice.unit() < plan.gross.0 {
            walk += plan.gross.1 * if dice.unit() < 0.5 { -1.0 } else { 1.0 };
        }
        let lost = dice.unit() < plan.missing;
        let shown = floor_to(counted + walk, plan.master_step);
        master.push(if lost { f64::NAN } else { shown });
        for (number, register) in registers.iter_mut().enumerate() {
            let seconds = offsets_s[number] + plan.jitter_s * dice.normal();
            register.push(floor_to(
                at(&curves[number], minute + seconds / 60.0),
                plan.step,
            ));
        }
    }
    Station {
        plan: plan.clone(),
        errors,
        offsets_s,
        gain,
        times_ms,
        master,
        registers,
        sessions,
        trunk_design: trunk,
        branch_design: branch,
        branch_losses: spread.iter().map(|share| branch * share).collect(),
        power,
    }
}

impl Station {
    pub fn windows(&self) -> Windows {
        let columns: Vec<&[f64]> = self.registers.iter().map(Vec::as_slice).collect();
        let mut windows = Windows::from_registers(&self.times_ms, &self.master, &columns).unwrap();
        if self.plan.sessions_known {
            for (number, sessions) in self.sessions.iter().enumerate() {
                windows.set_sessions(number, sessions).unwrap();
            }
        }
        windows
    }

    pub fn chargers(&self) -> Vec<Charger> {
        (0..self.registers.len())
            .map(|_| Charger {
                branch_loss: self.plan.designed.then_some(self.branch_design),
                dc_output: self.plan.conversion.is_some(),
                step_kwh: self.plan.step,
                ..Charger::default()
            })
            .collect()
    }

    pub fn settings(&self) -> Settings {
        Settings {
            trunk_loss: self.plan.designed.then_some(self.trunk_design),
            master_step_kwh: self.plan.master_step,
            ..Settings::default()
        }
    }

    pub fn estimate(&self) -> Estimation {
        estimate(&self.settings(), &self.chargers(), &self.windows()).unwrap()
    }
}

pub fn station(change: impl FnOnce(&mut Plan)) -> Station {
    let mut plan = Plan::default();
    change(&mut plan);
    build(&plan)
}
