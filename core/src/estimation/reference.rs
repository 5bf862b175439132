//! What the rows of a window are made with besides the window: the point of linearisation.

use super::layout::Layout;
use super::noise::Noise;
use super::settings::{Charger, Settings};
use super::windows::Windows;

/// A solution that windows are judged against: which residuals are large, how far each clock is off, how loud the noise
/// is. With the same reference a window gives the same equations whenever it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Solution of the data columns; empty before there is one: all windows then weigh alike.
    pub(super) solution: Vec<f64>,
    /// Clock offsets the windows are realigned by, s.
    pub(super) offsets_s: Vec<f64>,
    pub(super) noise: Noise,
    /// Scale of the residuals that weights refer to.
    pub(super) scale: f64,
    /// Design loss of the trunk, 1/kW.
    pub(super) trunk_loss: f64,
    /// Design losses of the branches, 1/kW.
    pub(super) branch_loss: Vec<f64>,
    /// Usual power of each charger, kW.
    pub(super) typical_kw: Vec<f64>,
    /// Mean power of each charger while it charged, weighted with energy, relative to the usual one.
    pub(super) load: Vec<f64>,
    /// Chargers whose energy mostly comes with the wrong sign: their windows are kept as they are.
    pub(super) reversed: Vec<bool>,
}

impl Reference {
    /// Before anything is known but the windows themselves.
    pub(super) fn first(settings: &Settings, chargers: &[Charger], windows: &Windows) -> Self {
        let mut typical_kw = Vec::with_capacity(chargers.len());
        let mut load = Vec::with_capacity(chargers.len());
        let mut reversed = Vec::with_capacity(chargers.len());
        let (mut energy, mut own_squares, mut trunk_squares) = (0.0_f64, 0.0_f64, 0.0_f64);
        let mut sums = vec![0.0_f64; windows.len()];
        for (number, charger) in chargers.iter().enumerate() {
            let (mut powers, mut squares) = (Vec::new(), 0.0_f64);
            let (mut forward, mut backward) = (0.0_f64, 0.0_f64);
            for (window, sum) in sums.iter_mut().enumerate() {
                let (kwh, hours) = (windows.energy(window, number), windows.hours(window));
                let power = kwh.abs() / hours;
                if !(power > 1e-9 && power <= charger.max_kw) {
                    continue;
                }
                powers.push(power);
                forward += kwh.max(0.0);
                backward += (-kwh).max(0.0);
                own_squares += kwh.abs() * power;
                let active = windows.activity(window, number).active;
                let active = if active > 0.0 { active } else { hours };
                squares += kwh.abs() * (kwh.abs() / active).min(charger.max_kw);
                *sum += kwh.abs();
            }
            energy += forward + backward;
            reversed.push(backward > forward);
            let typical = upper_decile(&mut powers);
            let all = (forward + backward) * typical;
            load.push(if all > 0.0 { squares / all } else { 0.0 });
            typical_kw.push(typical);
        }
        for (window, sum) in sums.iter().enumerate() {
            let hours = windows.hours(window);
            if hours > 0.0 {
                trunk_squares += sum * sum / hours;
            }
        }
        let share = |squares: f64| {
            if squares > 0.0 {
                settings.loss_share * energy / squares
            } else {
                0.0
            }
        };
        let trunk = share(trunk_squares);
        let guess = usual_measured(chargers).unwrap_or_else(|| share(own_squares));
        Self {
            solution: Vec::new(),
            offsets_s: vec![0.0; chargers.len()],
            noise: Noise {
                white: settings.white,
                jitter_s: settings.jitter_s,
                floor_kwh: settings.floor_kwh,
            },
            scale: 1.0,
            trunk_loss: settings.trunk_loss.unwrap_or(trunk),
            branch_loss: chargers
                .iter()
                .map(|charger| branch_loss(charger, guess))
                .collect(),
            typical_kw,
            load,
            reversed,
        }
    }

    pub(super) fn fits(&self, layout: &Layout) -> bool {
        let columns = [
            self.offsets_s.len(),
            self.branch_loss.len(),
            self.typical_kw.len(),
            self.load.len(),
            self.reversed.len(),
        ];
        let finite = self
            .solution
            .iter()
            .chain(&self.offsets_s)
            .chain(&self.branch_loss)
            .chain(&self.typical_kw)
            .chain(&self.load)
            .chain([&self.noise.white, &self.noise.jitter_s])
            .chain([&self.noise.floor_kwh, &self.scale, &self.trunk_loss])
            .all(|value| value.is_finite());
        columns == [layout.chargers; 5]
            && (self.solution.is_empty() || self.solution.len() == layout.data)
            && finite
            && self.scale > 0.0
    }

    /// Clock offsets the windows were realigned by, s.
    #[must_use]
    pub fn offsets_s(&self) -> &[f64] {
        &self.offsets_s
    }

    /// White noise of the master, relative to a window's energy.
    #[must_use]
    pub const fn white(&self) -> f64 {
        self.noise.white
    }

    /// Jitter of readings, s.
    #[must_use]
    pub const fn jitter_s(&self) -> f64 {
        self.noise.jitter_s
    }

    /// Noise of any window, kWh.
    #[must_use]
    pub const fn floor_kwh(&self) -> f64 {
        self.noise.floor_kwh
    }
}

/// The loss that a branch's column is made with: its design; measured, where there is no design or one of 0; or a guess.
fn branch_loss(charger: &Charger, guess: f64) -> f64 {
    let measured = charger.branch_measured.map(|known| known.value);
    let known = [charger.branch_loss, measured];
    let known = known.into_iter().flatten().find(|loss| *loss > 0.0);
    known.or(charger.branch_loss).unwrap_or(guess)
}

/// The middle one of the measured losses of branches without a design: those that are not measured may be like them.
fn usual_measured(chargers: &[Charger]) -> Option<f64> {
    let undesigned = chargers
        .iter()
        .filter(|charger| charger.branch_loss.is_none());
    let measured = undesigned.filter_map(|charger| charger.branch_measured);
    let mut losses: Vec<f64> = measured.map(|known| known.value).collect();
    losses.retain(|loss| *loss > 0.0);
    let middle = losses.len() / 2;
    losses.sort_unstable_by(f64::total_cmp);
    losses.get(middle).copied()
}

/// The power that a tenth of the active windows is above; 0 without any.
fn upper_decile(powers: &mut [f64]) -> f64 {
    if powers.is_empty() {
        return 0.0;
    }
    let place = (powers.len() * 9 / 10).min(powers.len() - 1);
    *powers.select_nth_unstable_by(place, f64::total_cmp).1
}
