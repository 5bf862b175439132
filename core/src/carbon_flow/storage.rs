//! Storage (储能) as a tank of energy and carbon.

/// A tank that is asked for more than it holds by less than this was emptied, not overdrawn.
const ROUNDING: f64 = 1e-9;

/// What a storage holds. All three leave it in the same proportion.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tank {
    /// Stored energy in `MWh`.
    pub megawatt_hours: f64,
    /// Carbon of that energy in t, the losses of charging with it.
    pub tonnes: f64,
    /// The part of the energy whose origin is unknown, in `MWh`.
    pub unknown_megawatt_hours: f64,
}

impl Tank {
    /// The factor of the stored energy in kg/kWh, None for an empty tank and for one of unknown origin.
    #[must_use]
    pub fn factor(&self) -> Option<f64> {
        let known = self.megawatt_hours - self.unknown_megawatt_hours;
        (known > 0.0).then(|| self.tonnes / known)
    }

    fn valid(&self) -> bool {
        let energy = 0.0..=1e15;
        energy.contains(&self.megawatt_hours)
            && energy.contains(&self.tonnes)
            && (0.0..=self.megawatt_hours).contains(&self.unknown_megawatt_hours)
    }
}

/// A storage in a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Storage {
    /// Mean charging power at its node in MW, not negative.
    pub charge_megawatts: f64,
    /// Mean discharging power at its node in MW, not negative; both in one slot are possible and never netted.
    pub discharge_megawatts: f64,
    /// Share of the charged energy that is stored.
    pub charge_efficiency: f64,
    /// Share of the energy taken from the tank that is delivered.
    pub discharge_efficiency: f64,
    /// The tank when the slot begins.
    pub tank: Tank,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            charge_megawatts: 0.0,
            discharge_megawatts: 0.0,
            charge_efficiency: 1.0,
            discharge_efficiency: 1.0,
            tank: Tank::default(),
        }
    }
}

/// What a storage gives in a slot.
pub(super) struct Draw {
    /// t/h.
    pub(super) carbon: f64,
    /// MW of unknown origin.
    pub(super) unknown: f64,
    pub(super) overdrawn: bool,
}

impl Storage {
    pub(super) fn valid(&self) -> bool {
        let power = 0.0..=super::slot::MAX_MEGAWATTS;
        let efficiency = 0.01..=1.0;
        power.contains(&self.charge_megawatts)
            && power.contains(&self.discharge_megawatts)
            && efficiency.contains(&self.charge_efficiency)
            && efficiency.contains(&self.discharge_efficiency)
            && self.tank.valid()
    }

    /// The share of the tank that is taken, and the share of the discharge that the tank covers.
    fn taken(&self, hours: f64) -> (f64, f64) {
        let wanted = self.discharge_megawatts * hours / self.discharge_efficiency;
        if wanted <= 0.0 {
            (0.0, 1.0)
        } else if wanted <= self.tank.megawatt_hours * (1.0 + ROUNDING) {
            ((wanted / self.tank.megawatt_hours).min(1.0), 1.0)
        } else {
            (1.0, self.tank.megawatt_hours / wanted)
        }
    }

    /// The carbon and the unknown power of the discharge. All that leaves the tank goes with the delivered energy, so
    /// that the carbon of the losses is borne by whoever uses the storage, once.
    pub(super) fn draw(&self, hours: f64) -> Draw {
        let (share, covered) = self.taken(hours);
        let stranger = if self.tank.megawatt_hours > 0.0 {
            self.tank.unknown_megawatt_hours / self.tank.megawatt_hours
        } else {
            0.0
        };
        Draw {
            carbon: share * self.tank.tonnes / hours,
            unknown: self.discharge_megawatts * (covered * stranger + (1.0 - covered)),
            overdrawn: covered < 1.0,
        }
    }

    /// The tank when the slot ends: `carbon` t and `unknown` (share) for each `MWh` that its node had.
    pub(super) fn after(&self, hours: f64, carbon: f64, unknown: f64) -> Tank {
        let kept = 1.0 - self.taken(hours).0;
        let charged = self.charge_megawatts * hours;
        let stored = charged * self.charge_efficiency;
        let energy = self.tank.megawatt_hours * kept + stored;
        Tank {
            megawatt_hours: energy,
            tonnes: self.tank.tonnes * kept + charged * carbon,
            unknown_megawatt_hours: (self.tank.unknown_megawatt_hours * kept + stored * unknown)
                .min(energy),
        }
    }
}
