//! The equation of one window: y = Σ θᵢxᵢ + a·q + Σ bᵢqᵢ + P₀h + … + v, and the variance of v.

use super::course::Course;
use super::daytime::{night_hours, profile};
use super::layout::Layout;
use super::noise::Noise;
use super::reference::Reference;
use super::settings::{Charger, Settings};
use super::table::Table;
use super::windows::Windows;

/// All that rows are made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker<'a> {
    pub(super) settings: &'a Settings,
    pub(super) chargers: &'a [Charger],
    pub(super) layout: &'a Layout,
    pub(super) reference: &'a Reference,
}

/// Noise of a reading at a boundary, kWh²: of registers, of what putting clocks right guesses, and of jitter per s².
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Boundary {
    pub(super) register: f64,
    pub(super) course: f64,
    pub(super) jitter: f64,
}

impl Boundary {
    pub(super) fn variance(&self, jitter_s: f64) -> f64 {
        self.register + self.course + self.jitter * jitter_s * jitter_s
    }
}

/// One window's equation.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// Column and value of what is not 0.
    pub(super) cells: Vec<(usize, f64)>,
    pub(super) y: f64,
    pub(super) master: f64,
    pub(super) start: Boundary,
    pub(super) end: Boundary,
    /// Shares its first boundary with the row before.
    pub(super) linked: bool,
}

impl Row {
    pub(super) fn dot(&self, solution: &[f64]) -> f64 {
        let terms = self.cells.iter().filter_map(|(column, value)| {
            let known = solution.get(*column)?;
            Some(known * value)
        });
        terms.sum()
    }

    /// Variance of v, and its covariance with that of the row before.
    pub(super) fn noise(&self, noise: Noise) -> (f64, f64) {
        let (start, end) = (
            self.start.variance(noise.jitter_s),
            self.end.variance(noise.jitter_s),
        );
        let white = noise.white * self.master;
        let floor = noise.floor_kwh;
        let covariance = if self.linked { -start } else { 0.0 };
        (start + end + white * white + floor * floor, covariance)
    }
}

/// Why a window is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excluded {
    /// A value that is no number, or beyond all measure.
    NoNumber,
    /// A register that went back: reset, exchange, or a wrong reading.
    Decreasing,
    /// More than the charger's power allows.
    TooMuch,
}

/// No window has more, kWh.
const MOST_KWH: f64 = 1e9;

impl Maker<'_> {
    /// Whether a window can be used, and whose fault it is if not: None for the master's.
    pub(super) fn screen(
        &self,
        windows: &Windows,
        window: usize,
    ) -> Result<(), (Excluded, Option<usize>)> {
        let master = windows.master_kwh().get(window).copied();
        if !master.is_some_and(|value| value.abs() <= MOST_KWH) {
            return Err((Excluded::NoNumber, None));
        }
        let hours = windows.hours(window);
        let chargers = self.chargers.iter().zip(&self.reference.reversed);
        let energies = windows.energies_kwh(window).iter();
        for (number, (energy, (charger, reversed))) in energies.zip(chargers).enumerate() {
            // Written so that NaN is out of it.
            if !(-MOST_KWH..=MOST_KWH).contains(energy) {
                return Err((Excluded::NoNumber, Some(number)));
            }
            if *energy < -2.0 * charger.step_kwh && !reversed {
                return Err((Excluded::Decreasing, Some(number)));
            }
            if energy.abs() > charger.max_kw * hours + 2.0 * charger.step_kwh {
                return Err((Excluded::TooMuch, Some(number)));
            }
        }
        Ok(())
    }

    /// The row of a usable window, whose shapes `table` has.
    pub(super) fn row(&self, windows: &Windows, window: usize, table: &Table, row: &mut Row) {
        row.cells.clear();
        let hours = windows.hours(window);
        let start_ms = windows.start_ms.get(window).copied().unwrap_or(0);
        let (before, after) = (table.joined(window), table.joined(window + 1));
        row.linked = before;
        row.master = windows.master_kwh().get(window).copied().unwrap_or(0.0);
        row.start = Boundary::default();
        row.end = Boundary::default();
        let (mut sum, mut squares, mut mean_squares, mut standby) = (0.0, 0.0, 0.0, 0.0);
        let (mut power_start, mut power_end) = (0.0, 0.0);
        let mut through = 0.0;
        let step = self.settings.master_step_kwh;
        row.start.register = step * step / 12.0;
        row.end.register = row.start.register;
        for (number, charger) in self.chargers.iter().enumerate() {
            let counted = windows.energy(window, number);
            let beside =
                |place: usize, joined: bool| joined && windows.energy(place, number) != 0.0;
            let earlier_active = beside(window.wrapping_sub(1), before);
            let later_active = beside(window + 1, after);
            if counted == 0.0 && !earlier_active && !later_active {
                continue;
            }
            let reference = self.reference;
            let offset_s = reference.offsets_s.get(number).copied().unwrap_or(0.0);
            let own = table.shape(window, number);
            let at = Edges::new(table, window, number, offset_s / 3600.0);
            let turned = reference.reversed.get(number).is_some_and(|turned| *turned);
            // What it gains where it counted nothing itself flows as all of its energy does; 0 has a sign of its own.
            let backwards = counted < 0.0 || (counted == 0.0 && turned);
            let energy = counted + if backwards { -at.gained } else { at.gained };
            let column = match (charger.from_ms, self.layout.earlier.get(number)) {
                (Some(from), Some(Some(earlier))) if start_ms < from => *earlier,
                _ => number,
            };
            if energy != 0.0 {
                row.cells.push((column, energy));
            }
            let slope = -(at.power_end - at.power_start) / 3600.0;
            if let Some(first) = self.layout.offset
                && slope != 0.0
            {
                row.cells.push((first + number, slope));
            }
            let own_square = (own.square(counted) + at.squares).max(0.0);
            let loss = reference.branch_loss.get(number).copied().unwrap_or(0.0);
            if own_square * loss != 0.0 {
                row.cells
                    .push((self.layout.branch + number, own_square * loss));
            }
            sum += energy;
            through += if turned { -energy } else { energy };
            squares += own_square;
            if hours > 0.0 {
                mean_squares += energy * energy / hours;
            }
            if charger.dc_output {
                standby += own.active;
            }
            let register = charger.step_kwh * charger.step_kwh / 12.0;
            let active = counted != 0.0;
            row.start.register += register * sides(active, earlier_active);
            row.end.register += register * sides(active, later_active);
            row.start.course += at.doubt_start;
            row.end.course += at.doubt_end;
            row.start.jitter += at.power_start * at.power_start;
            row.end.jitter += at.power_end * at.power_end;
            power_start += at.power_start;
            power_end += at.power_end;
        }
        row.start.jitter = (row.start.jitter + power_start * power_start) / 3600.0_f64.powi(2);
        row.end.jitter = (row.end.jitter + power_end * power_end) / 3600.0_f64.powi(2);
        // Cross terms of the trunk's square are those of the means; each charger's own is known better. What a reversed
        // meter counts down flowed all the same.
        let total = if hours > 0.0 {
            through * through / hours
        } else {
            0.0
        };
        let trunk = (total + squares - mean_squares).max(0.0) * self.reference.trunk_loss;
        row.cells.push((self.layout.trunk, trunk));
        row.cells.push((self.layout.fixed, hours));
        let end_ms = windows.end_ms.get(window).copied().unwrap_or(start_ms);
        if let (Some(column), Some(night)) = (self.layout.night, self.settings.night) {
            let dark = night_hours(&night, start_ms, end_ms);
            if dark > 0.0 {
                row.cells.push((column, dark));
            }
        }
        if let Some(first) = self.layout.profile {
            profile(first, start_ms, end_ms, &mut row.cells);
        }
        if let Some(column) = self.layout.standby
            && standby > 0.0
        {
            row.cells.push((column, standby));
        }
        row.y = row.master - sum + self.relinearised(row);
    }

    /// The unknown is the whole offset, not what is left of it after realignment.
    fn relinearised(&self, row: &Row) -> f64 {
        let Some(first) = self.layout.offset else {
            return 0.0;
        };
        let terms = row.cells.iter().filter_map(|(column, value)| {
            let offset = self.reference.offsets_s.get(column.checked_sub(first)?)?;
            Some(offset * value)
        });
        terms.sum()
    }
}

/// A charger active on one side of a boundary only adds half a register's noise, an idle one none.
fn sides(here: bool, there: bool) -> f64 {
    f64::midpoint(f64::from(u8::from(here)), f64::from(u8::from(there)))
}

/// Share of a window that it lends at most.
const MOST_LENT: f64 = 0.95;

/// A charger at the edges of a window, its clock put right by an offset.
struct Edges {
    power_start: f64,
    power_end: f64,
    /// Energy the window gains by putting the clock right.
    gained: f64,
    /// And how much ∫P² does.
    squares: f64,
    /// Variance of what it gains at its start and its end, kWh².
    doubt_start: f64,
    doubt_end: f64,
}

impl Edges {
    /// `offset` h: what the charger says of an instant belongs to so much later. So its window ends that much too late,
    /// and the true one is its own from `offset` before the start to `offset` before the end.
    fn new(table: &Table, window: usize, charger: usize, offset: f64) -> Self {
        let (start, end) = (
            table.at_start(window, charger),
            table.at_end(window, charger),
        );
        if offset.abs() < 1e-9 {
            return Self {
                power_start: start,
                power_end: end,
                gained: 0.0,
                squares: 0.0,
                doubt_start: 0.0,
                doubt_end: 0.0,
            };
        }
        let own = table.course(window, charger);
        if offset > 0.0 {
            let left = window.checked_sub(1).filter(|_| table.joined(window));
            let left = left.map(|place| table.course(place, charger));
            let (before, here) = (
                left.as_ref().map_or(0.0, |left| lent(left, offset)),
                lent(&own, offset),
            );
            return Self {
                power_start: left.map_or(0.0, |left| left.power_at(left.shape.hours() - before)),
                power_end: own.power_at(own.shape.hours() - here),
                gained: left.map_or(0.0, |left| left.rest(before)) - own.rest(here),
                squares: left.map_or(0.0, |left| left.rest_square(before)) - own.rest_square(here),
                doubt_start: left.map_or(0.0, |left| left.rest_doubt(before)),
                doubt_end: own.rest_doubt(here),
            };
        }
        let right = table
            .joined(window + 1)
            .then(|| table.course(window + 1, charger));
        let (here, after) = (
            lent(&own, -offset),
            right.as_ref().map_or(0.0, |right| lent(right, -offset)),
        );
        Self {
            power_start: own.power_at(here),
            power_end: right.map_or(0.0, |right| right.power_at(after)),
            gained: right.map_or(0.0, |right| right.first(after)) - own.first(here),
            squares: right.map_or(0.0, |right| right.first_square(after)) - own.first_square(here),
            doubt_start: own.first_doubt(here),
            doubt_end: right.map_or(0.0, |right| right.first_doubt(after)),
        }
    }
}

/// How much of `offset`, h, a window can lend to the one beside it. It hangs on the lender alone: both windows at a boundary
/// are to mean the same energy, and the same doubt of it.
fn lent(lender: &Course, offset: f64) -> f64 {
    offset.min(MOST_LENT * lender.shape.hours())
}
