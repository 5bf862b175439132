//! What is known of a station before its readings: noise, priors, chargers. Every default is a parameter, and none of
//! them is a standard's text.

use super::error::EstimationError;

/// Most chargers behind one master meter.
pub const MAX_CHARGERS: usize = 512;

/// What is known of a quantity: its value, and the standard uncertainty of that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// Best value.
    pub value: f64,
    /// Standard uncertainty.
    pub u: f64,
}

/// One charger (充电桩) behind the master meter.
#[derive(Debug, Clone, PartialEq)]
pub struct Charger {
    /// Maximum permissible error L of its class, relative: 0.02 for class 2.
    pub class_limit: f64,
    /// Loss of its branch (支路) by design: power lost per power squared, 1/kW. None: from [`Settings::loss_share`].
    pub branch_loss: Option<f64>,
    /// Loss of its branch by measurement, 1/kW, as [`crate::voltage_drop`] has it from voltages: the branch's own, without
    /// what conversion loses. It stands beside design and spread, and in the place of a design that is not known or 0.
    pub branch_measured: Option<Known>,
    /// What its branch loses beyond that, of its energy, where its load stands unevenly on the phases (三相不平衡).
    pub uneven_loss: Option<Known>,
    /// It meters its output (DC side): the conversion loss lies between the master and its meter.
    pub dc_output: bool,
    /// The meter, or its adjustment, is another from this time on: what was before has an error of its own.
    pub from_ms: Option<i64>,
    /// Its error by verification (检定): relative, holds from `from_ms` on, or always.
    pub verified: Option<Known>,
    /// Step of its register, kWh.
    pub step_kwh: f64,
    /// Power beyond which a window is not believed, kW.
    pub max_kw: f64,
}

impl Default for Charger {
    fn default() -> Self {
        Self {
            class_limit: 0.02,
            branch_loss: None,
            branch_measured: None,
            uneven_loss: None,
            dc_output: false,
            from_ms: None,
            verified: None,
            step_kwh: 0.01,
            max_kw: 2_000.0,
        }
    }
}

/// When the auxiliaries' night load burns: minutes of the local day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Night {
    /// First minute of the night, 0 to 1439.
    pub from_minute: u32,
    /// First minute of the day, 0 to 1439.
    pub to_minute: u32,
    /// Local time less UTC, minutes.
    pub utc_offset_minutes: i32,
    /// Load at night beyond the load by day, kW.
    pub load: Known,
}

/// Noise and priors. Defaults are those of the method's simulations: see docs of each field.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Relative error g of the master meter (总表): 0 ± 0.25 % without a certificate, its value and u with one.
    pub gain: Known,
    /// Mean error expected of the chargers as a cohort, relative (0): what other stations tell of their make.
    pub cohort_mean: f64,
    /// Mean error of the chargers as a cohort, around what is expected: sd, relative (0.03 %: what a
    /// calibrating device of class 0.05 leaves in common, evenly distributed).
    ///
    /// The balance knows only the difference of the master's error and this one, and shares it out by both sd. The larger
    /// this is, the more of a master's error is blamed on the chargers; the smaller, the surer and the more wrong is what
    /// is said of a cohort that is off as a whole: 0.3 % is right where a whole make may be, and verified chargers settle it.
    pub cohort_sd: f64,
    /// Error of a sound charger around the cohort's mean: sd, relative (0.35 %).
    pub sound_sd: f64,
    /// Error of an altered or failing one: sd, relative (3 %).
    pub altered_sd: f64,
    /// Share of such chargers expected (0.1).
    pub altered_share: f64,
    /// Share of chargers whose register is not what it is taken for (0.001): turned round, of another ratio, not behind
    /// the master. Their errors are of the order of 1; as merely altered ones they would pull the master's gain, and with
    /// it every other charger. 0: none.
    pub strange_share: f64,
    /// How much a charger's error changes between no load and its usual highest power: sd, relative (0.08 %); 0: not at all.
    ///
    /// The balance can't tell such a change from the loss of the charger's branch: it only knows both together.
    pub curve_sd: f64,
    /// Loss of the trunk (干线) by design: power lost per power squared, 1/kW. None: from `loss_share`.
    pub trunk_loss: Option<f64>,
    /// How well that is known, relative (0.3).
    pub trunk_sd: f64,
    /// How well the level of all branches' design losses is known, relative (0.3).
    pub branch_sd: f64,
    /// How far single branches differ from that level, relative (0.3).
    pub branch_own_sd: f64,
    /// Where no design is known: share of the energy lost in the trunk, and again in the branches, known to as much as
    /// itself (0.5 %).
    pub loss_share: f64,
    /// Clock offset of a charger against the master, around 0: sd, s (60).
    pub offset_sd_s: f64,
    /// Offsets beyond this are told: the energies at the edges of its windows are then mostly guessed, s (450).
    pub max_offset_s: f64,
    /// Whether offsets are unknowns; else they are 0.
    pub fit_offsets: bool,
    /// Fixed load of the station, kW (0 ± 10).
    pub fixed_load: Known,
    /// Load by night beyond it; None: no such term.
    pub night: Option<Night>,
    /// How much the load of single hours of the day differs from these two: sd, kW (1); 0: not at all.
    pub profile_kw: f64,
    /// Conversion loss of DC-output chargers that is linear in energy, share of output (0.05 ± 0.02).
    pub conversion: Known,
    /// Spread of that from charger to charger: sd (0.003).
    pub conversion_spread: f64,
    /// How well that spread is known: sd of its natural logarithm (0.35: twice of it is a factor of two); 0: as given.
    ///
    /// The balance tells how far a station's chargers differ, of which the errors of sound ones are a part that is known
    /// ([`Self::sound_sd`]): a spread that bears out the differences better weighs more.
    pub conversion_doubt: f64,
    /// Loss of a DC-output charger while it charges, whatever its power, kW (0.2 ± 0.3).
    pub standby: Known,
    /// Step of the master's register at its primary side, kWh.
    pub master_step_kwh: f64,
    /// Jitter of a reading's instant, s.
    pub jitter_s: f64,
    /// White noise of the master, relative to the energy of a window.
    pub white: f64,
    /// Noise of any window, kWh: what the station's own load does from window to window.
    pub floor_kwh: f64,
    /// Whether jitter, white noise and that floor are chosen by the data's likelihood; else they are as given.
    pub fit_noise: bool,
    /// Residuals beyond so many standard deviations weigh less (Huber).
    pub huber: f64,
    /// Rounds of expectation and maximisation over the mixture of sound and altered chargers.
    pub rounds: u32,
    /// What every stated u is multiplied with (1: with noise chosen by the data, simulated intervals cover what they say;
    /// on real data it is to be calibrated by split halves).
    pub u_factor: f64,
    /// Flag beyond this probability of nonconformity.
    pub flag_above: f64,
    /// Clear below this one.
    pub clear_below: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gain: Known {
                value: 0.0,
                u: 0.0025,
            },
            cohort_mean: 0.0,
            cohort_sd: 0.0003,
            sound_sd: 0.0035,
            altered_sd: 0.03,
            altered_share: 0.1,
            strange_share: 0.001,
            curve_sd: 0.0008,
            trunk_loss: None,
            trunk_sd: 0.3,
            branch_sd: 0.3,
            branch_own_sd: 0.3,
            loss_share: 0.005,
            offset_sd_s: 60.0,
            max_offset_s: 450.0,
            fit_offsets: true,
            fixed_load: Known {
                value: 0.0,
                u: 10.0,
            },
            night: Some(Night {
                from_minute: 18 * 60,
                to_minute: 6 * 60,
                utc_offset_minutes: 8 * 60,
                load: Known { value: 0.0, u: 2.0 },
            }),
            profile_kw: 1.0,
            conversion: Known {
                value: 0.05,
                u: 0.02,
            },
            conversion_spread: 0.003,
            conversion_doubt: 0.35,
            standby: Known { value: 0.2, u: 0.3 },
            master_step_kwh: 0.01,
            jitter_s: 1.0,
            white: 0.0005,
            floor_kwh: 0.001,
            fit_noise: true,
            huber: 2.5,
            rounds: 12,
            u_factor: 1.0,
            flag_above: 0.95,
            clear_below: 0.05,
        }
    }
}

const POSITIVE: &str = "more than 0 and at most 1e6";
const NOT_NEGATIVE: &str = "0 to 1e6";
const SHARE: &str = "more than 0 and less than 1";
const SHARE_OR_NONE: &str = "0 to less than 1";

fn positive(value: f64) -> bool {
    value > 0.0 && value <= 1e6
}

impl Settings {
    /// Whether all of it makes sense.
    ///
    /// # Errors
    /// Names the first setting that does not.
    pub fn check(&self, chargers: &[Charger]) -> Result<(), EstimationError> {
        let sure = [
            ("gain u", self.gain.u),
            ("cohort_sd", self.cohort_sd),
            ("sound_sd", self.sound_sd),
            ("altered_sd", self.altered_sd),
            ("trunk_sd", self.trunk_sd),
            ("branch_sd", self.branch_sd),
            ("branch_own_sd", self.branch_own_sd),
            ("loss_share", self.loss_share),
            ("offset_sd_s", self.offset_sd_s),
            ("max_offset_s", self.max_offset_s),
            ("fixed_load u", self.fixed_load.u),
            ("night load u", self.night.map_or(1.0, |night| night.load.u)),
            ("conversion u", self.conversion.u),
            ("conversion_spread", self.conversion_spread),
            ("standby u", self.standby.u),
            ("floor_kwh", self.floor_kwh),
            ("huber", self.huber),
            ("u_factor", self.u_factor),
        ];
        if let Some((name, value)) = sure.into_iter().find(|(_, value)| !positive(*value)) {
            return Err(setting(name, value, POSITIVE));
        }
        let zero_too = [
            ("curve_sd", self.curve_sd),
            ("profile_kw", self.profile_kw),
            ("master_step_kwh", self.master_step_kwh),
            ("jitter_s", self.jitter_s),
            ("white", self.white),
            ("trunk_loss", self.trunk_loss.unwrap_or(0.0)),
        ];
        let mut zero_too = zero_too.into_iter();
        if let Some((name, value)) = zero_too.find(|(_, value)| !(0.0..=1e6).contains(value)) {
            return Err(setting(name, value, NOT_NEGATIVE));
        }
        if !(0.0..1.0).contains(&self.strange_share) {
            return Err(setting("strange_share", self.strange_share, SHARE_OR_NONE));
        }
        let shares = [
            ("altered_share", self.altered_share),
            ("flag_above", self.flag_above),
            ("clear_below", self.clear_below),
        ];
        let mut shares = shares.into_iter();
        if let Some((name, value)) = shares.find(|(_, value)| !(*value > 0.0 && *value < 1.0)) {
            return Err(setting(name, value, SHARE));
        }
        if self.clear_below > self.flag_above {
            return Err(setting(
                "clear_below",
                self.clear_below,
                "at most flag_above",
            ));
        }
        let small = [
            ("gain", self.gain.value),
            ("cohort_mean", self.cohort_mean),
            ("conversion", self.conversion.value),
        ];
        let mut small = small.into_iter();
        if let Some((name, value)) = small.find(|(_, value)| !(-0.5..=0.5).contains(value)) {
            return Err(setting(name, value, "-0.5 to 0.5"));
        }
        let loads = [
            ("fixed_load", self.fixed_load.value),
            (
                "night load",
                self.night.map_or(0.0, |night| night.load.value),
            ),
            ("standby", self.standby.value),
        ];
        let mut loads = loads.into_iter();
        if let Some((name, value)) = loads.find(|(_, value)| !(-1e6..=1e6).contains(value)) {
            return Err(setting(name, value, "-1e6 to 1e6"));
        }
        if let Some(night) = self.night {
            for (name, minute) in [
                ("night from_minute", night.from_minute),
                ("night to_minute", night.to_minute),
            ] {
                if minute >= 1440 {
                    return Err(setting(name, f64::from(minute), "0 to 1439"));
                }
            }
            let offset = night.utc_offset_minutes;
            if offset.unsigned_abs() > 1440 {
                return Err(setting(
                    "night utc_offset_minutes",
                    f64::from(offset),
                    "-1440 to 1440",
                ));
            }
        }
        if !(0.0..=2.0).contains(&self.conversion_doubt) {
            return Err(setting("conversion_doubt", self.conversion_doubt, "0 to 2"));
        }
        if !(1..=100).contains(&self.rounds) {
            return Err(setting("rounds", f64::from(self.rounds), "1 to 100"));
        }
        check_chargers(chargers)
    }
}

fn setting(name: &'static str, value: f64, expected: &'static str) -> EstimationError {
    EstimationError::Setting {
        name,
        value,
        expected,
    }
}

fn check_chargers(chargers: &[Charger]) -> Result<(), EstimationError> {
    if chargers.is_empty() {
        return Err(setting("chargers", 0.0, "at least one"));
    }
    if chargers.len() > MAX_CHARGERS {
        return Err(EstimationError::TooMany {
            name: "chargers",
            count: chargers.len(),
            limit: MAX_CHARGERS,
        });
    }
    for (number, charger) in chargers.iter().enumerate() {
        let refuse = |name, value, expected| EstimationError::Charger {
            charger: number,
            name,
            value,
            expected,
        };
        if !(charger.class_limit > 0.0 && charger.class_limit < 1.0) {
            return Err(refuse("class_limit", charger.class_limit, SHARE));
        }
        if !positive(charger.max_kw) {
            return Err(refuse("max_kw", charger.max_kw, POSITIVE));
        }
        let loss = charger.branch_loss.unwrap_or(0.0);
        for (name, value) in [("branch_loss", loss), ("step_kwh", charger.step_kwh)] {
            if !(0.0..=1e6).contains(&value) {
                return Err(refuse(name, value, NOT_NEGATIVE));
            }
        }
        if let Some(known) = charger.branch_measured {
            if !(0.0..=1e6).contains(&known.value) {
                return Err(refuse("branch_measured", known.value, NOT_NEGATIVE));
            }
            if !positive(known.u) {
                return Err(refuse("branch_measured u", known.u, POSITIVE));
            }
        }
        if let Some(known) = charger.uneven_loss {
            if !(0.0..=0.5).contains(&known.value) {
                return Err(refuse("uneven_loss", known.value, "0 to 0.5"));
            }
            if !positive(known.u) {
                return Err(refuse("uneven_loss u", known.u, POSITIVE));
            }
        }
        if let Some(known) = charger.verified {
            if !(-0.5..=0.5).contains(&known.value) {
                return Err(refuse("verified error", known.value, "-0.5 to 0.5"));
            }
            if !positive(known.u) {
                return Err(refuse("verified u", known.u, POSITIVE));
            }
        }
    }
    Ok(())
}
