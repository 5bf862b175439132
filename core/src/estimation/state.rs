//! The bytes an accumulator goes on from: versioned, little-endian, with a checksum. They hold sums, not settings: those
//! are given again and must be the same.

use super::accumulate::{Accumulator, Sums};
use super::chain::BLOCK;
use super::error::EstimationError;
use super::layout::Layout;
use super::noise::Noise;
use super::reference::Reference;
use super::sessions::Activity;
use super::settings::{Charger, Settings};
use super::shape::CONTEXT;
use super::spread::BINS;
use super::tally::Counts;
use super::windows::Windows;
use crate::state::crc32;

const MAGIC: [u8; 4] = *b"DTE6";

const fn bad(why: &'static str) -> EstimationError {
    EstimationError::State(why)
}

struct Writer(Vec<u8>);

impl Writer {
    fn count(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn size(&mut self, value: usize) {
        self.count(value as u64);
    }

    fn time(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn float(&mut self, value: f64) {
        self.count(value.to_bits());
    }

    fn floats(&mut self, values: &[f64]) {
        self.size(values.len());
        for value in values {
            self.float(*value);
        }
    }

    fn optional(&mut self, value: Option<i64>) {
        self.count(u64::from(value.is_some()));
        self.time(value.unwrap_or(0));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self) -> Result<[u8; 8], EstimationError> {
        let (value, rest) = self.0.split_first_chunk::<8>().ok_or(bad("too short"))?;
        self.0 = rest;
        Ok(*value)
    }

    fn count(&mut self) -> Result<u64, EstimationError> {
        self.take().map(u64::from_le_bytes)
    }

    /// A number of windows: no station has 2⁴⁸ of them, and sums of such numbers stay within 64 bits.
    fn windows(&mut self) -> Result<u64, EstimationError> {
        let count = self.count()?;
        if count > 1 << 48 {
            return Err(bad("a count is out of range"));
        }
        Ok(count)
    }

    fn time(&mut self) -> Result<i64, EstimationError> {
        self.take().map(i64::from_le_bytes)
    }

    fn float(&mut self) -> Result<f64, EstimationError> {
        self.count().map(f64::from_bits)
    }

    fn finite(&mut self) -> Result<f64, EstimationError> {
        let value = self.float()?;
        if value.is_finite() {
            Ok(value)
        } else {
            Err(bad("a sum is no number"))
        }
    }

    /// A number of things of which each takes at least `bytes`: what is left bounds it.
    fn size(&mut self, bytes: usize) -> Result<usize, EstimationError> {
        let count = usize::try_from(self.count()?).map_err(|_| bad("a count is out of range"))?;
        if count > self.0.len() / bytes.max(1) {
            return Err(bad("too short"));
        }
        Ok(count)
    }

    fn expected(&mut self, count: usize) -> Result<(), EstimationError> {
        if self.size(1)? == count {
            Ok(())
        } else {
            Err(bad("it is of another station"))
        }
    }

    fn sums(&mut self, into: &mut [f64]) -> Result<(), EstimationError> {
        self.expected(into.len())?;
        for cell in into {
            *cell = self.finite()?;
        }
        Ok(())
    }

    fn floats(&mut self) -> Result<Vec<f64>, EstimationError> {
        let count = self.size(8)?;
        (0..count).map(|_| self.float()).collect()
    }

    fn optional(&mut self) -> Result<Option<i64>, EstimationError> {
        let (there, time) = (self.flag()?, self.time()?);
        Ok(there.then_some(time))
    }

    fn flag(&mut self) -> Result<bool, EstimationError> {
        match self.count()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(bad("a flag is neither 0 nor 1")),
        }
    }
}

fn write_reference(writer: &mut Writer, reference: &Reference) {
    for values in [
        &reference.solution,
        &reference.offsets_s,
        &reference.branch_loss,
        &reference.typical_kw,
        &reference.load,
    ] {
        writer.floats(values);
    }
    for value in [
        reference.noise.white,
        reference.noise.jitter_s,
        reference.noise.floor_kwh,
        reference.scale,
        reference.trunk_loss,
    ] {
        writer.float(value);
    }
    writer.size(reference.reversed.len());
    for flag in &reference.reversed {
        writer.count(u64::from(*flag));
    }
}

fn read_reference(reader: &mut Reader<'_>) -> Result<Reference, EstimationError> {
    let solution = reader.floats()?;
    let offsets_s = reader.floats()?;
    let branch_loss = reader.floats()?;
    let typical_kw = reader.floats()?;
    let load = reader.floats()?;
    let [white, jitter_s, floor_kwh, scale, trunk_loss] = [
        reader.float()?,
        reader.float()?,
        reader.float()?,
        reader.float()?,
        reader.float()?,
    ];
    let count = reader.size(8)?;
    let reversed: Result<Vec<bool>, _> = (0..count).map(|_| reader.flag()).collect();
    Ok(Reference {
        solution,
        offsets_s,
        noise: Noise {
            white,
            jitter_s,
            floor_kwh,
        },
        scale,
        trunk_loss,
        branch_loss,
        typical_kw,
        load,
        reversed: reversed?,
    })
}

fn write_windows(writer: &mut Writer, windows: &Windows) {
    writer.size(windows.len());
    writer.count(u64::from(windows.has_sessions()));
    for window in 0..windows.len() {
        for times in [windows.starts_ms(), windows.ends_ms()] {
            writer.time(times.get(window).copied().unwrap_or(0));
        }
        let master = windows.master_kwh().get(window).copied();
        writer.float(master.unwrap_or(f64::NAN));
        for (charger, energy) in windows.energies_kwh(window).iter().enumerate() {
            writer.float(*energy);
            if windows.has_sessions() {
                let activity = windows.activity(window, charger);
                writer.float(activity.active);
                writer.float(activity.first);
                writer.float(activity.last);
                writer.count(u64::from(activity.told));
            }
        }
    }
}

fn read_windows(reader: &mut Reader<'_>, chargers: usize) -> Result<Windows, EstimationError> {
    let count = reader.size(24 + 8 * chargers)?;
    if count > BLOCK + 2 * CONTEXT {
        return Err(bad("more windows wait than can"));
    }
    let sessions = reader.flag()?;
    let mut windows = Windows::empty(chargers);
    for _ in 0..count {
        let (start, end, master) = (reader.time()?, reader.time()?, reader.float()?);
        let mut energies = Vec::with_capacity(chargers);
        let mut activities = Vec::new();
        for _ in 0..chargers {
            energies.push(reader.float()?);
            if sessions {
                activities.push(Activity {
                    active: reader.finite()?,
                    first: reader.finite()?,
                    last: reader.finite()?,
                    told: reader.flag()?,
                });
            }
        }
        windows.restore((start, end), master, &energies, &activities)?;
    }
    Ok(windows)
}

fn write_sums(writer: &mut Writer, sums: &Sums) {
    let (chain, tally) = (&sums.chain, &sums.tally);
    writer.floats(&chain.sums.cells);
    writer.floats(&chain.carry);
    writer.floats(&[chain.pivot, chain.residual, chain.spread.squares]);
    writer.count(chain.rows);
    writer.count(chain.spread.total);
    for count in &chain.spread.counts {
        writer.0.extend_from_slice(&count.to_le_bytes());
    }
    for counts in &tally.chargers {
        for count in [counts.active, counts.excluded, counts.negative] {
            writer.count(count);
        }
        for sum in [counts.energy_kwh, counts.negative_kwh] {
            writer.float(sum);
        }
    }
    for count in [tally.used, tally.master_negative]
        .iter()
        .chain(&tally.excluded)
    {
        writer.count(*count);
    }
    writer.floats(&[
        tally.hours,
        tally.master_kwh,
        tally.energy_kwh,
        tally.variance,
        tally.master_variance,
        tally.register_variance,
    ]);
    writer.optional(tally.first_ms);
    writer.optional(tally.last_ms);
}

fn read_sums(reader: &mut Reader<'_>, layout: &Layout) -> Result<Sums, EstimationError> {
    let mut sums = Sums::new(layout);
    let (chain, tally) = (&mut sums.chain, &mut sums.tally);
    reader.sums(&mut chain.sums.cells)?;
    reader.sums(&mut chain.carry)?;
    let mut scalars = [0.0; 3];
    reader.sums(&mut scalars)?;
    [chain.pivot, chain.residual, chain.spread.squares] = scalars;
    if chain.pivot < 0.0 {
        return Err(bad("a variance is negative"));
    }
    chain.rows = reader.windows()?;
    chain.spread.total = reader.windows()?;
    let (counts, rest) = reader
        .0
        .split_at_checked(4 * BINS)
        .ok_or(bad("too short"))?;
    for (count, bytes) in chain
        .spread
        .counts
        .iter_mut()
        .zip(counts.as_chunks::<4>().0)
    {
        *count = u32::from_le_bytes(*bytes);
    }
    reader.0 = rest;
    for counts in &mut tally.chargers {
        *counts = Counts {
            active: reader.windows()?,
            excluded: reader.windows()?,
            negative: reader.windows()?,
            energy_kwh: reader.finite()?,
            negative_kwh: reader.finite()?,
        };
    }
    tally.used = reader.windows()?;
    tally.master_negative = reader.windows()?;
    for count in &mut tally.excluded {
        *count = reader.windows()?;
    }
    let mut scalars = [0.0; 6];
    reader.sums(&mut scalars)?;
    [
        tally.hours,
        tally.master_kwh,
        tally.energy_kwh,
        tally.variance,
        tally.master_variance,
        tally.register_variance,
    ] = scalars;
    tally.first_ms = reader.optional()?;
    tally.last_ms = reader.optional()?;
    Ok(sums)
}

impl Accumulator {
    /// All that is needed to go on, but for settings and chargers.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer(MAGIC.to_vec());
        writer.count(u64::from(fingerprint(&self.settings, &self.chargers)));
        write_reference(&mut writer, &self.reference);
        write_sums(&mut writer, &self.sums);
        write_windows(&mut writer, &self.waiting);
        writer.size(self.done);
        let check = crc32(&writer.0);
        writer.0.extend_from_slice(&check.to_le_bytes());
        writer.0
    }

    /// Go on from a state. Settings and chargers are to be those it was made with.
    ///
    /// # Errors
    /// For bytes that are no state, are damaged, or were made with other settings.
    pub fn from_bytes(
        settings: Settings,
        chargers: Vec<Charger>,
        state: &[u8],
    ) -> Result<Self, EstimationError> {
        let (body, check) = state.split_last_chunk::<4>().ok_or(bad("too short"))?;
        let rest = body
            .strip_prefix(&MAGIC)
            .ok_or(bad("it does not begin as one"))?;
        if crc32(body) != u32::from_le_bytes(*check) {
            return Err(bad("its checksum is wrong"));
        }
        settings.check(&chargers)?;
        let mut reader = Reader(rest);
        if reader.count()? != u64::from(fingerprint(&settings, &chargers)) {
            return Err(bad("it was made with other settings"));
        }
        let reference = read_reference(&mut reader)?;
        let mut accumulator = Self::new(settings, chargers, reference)?;
        accumulator.sums = read_sums(&mut reader, &accumulator.layout)?;
        accumulator.waiting = read_windows(&mut reader, accumulator.layout.chargers)?;
        accumulator.done =
            usize::try_from(reader.count()?).map_err(|_| bad("a count is out of range"))?;
        let waits = accumulator.waiting.len().checked_sub(accumulator.done);
        if accumulator.done > CONTEXT || waits.is_none_or(|waits| waits >= BLOCK + CONTEXT) {
            return Err(bad("its counts contradict each other"));
        }
        if reader.0.is_empty() {
            Ok(accumulator)
        } else {
            Err(bad("too long"))
        }
    }
}

/// A checksum of all settings: sums made with others would not be those of any station.
fn fingerprint(settings: &Settings, chargers: &[Charger]) -> u32 {
    // The text of a float tells every bit of it; what a version calls its settings is part of what they are.
    crc32(format!("{settings:?}{chargers:?}").as_bytes())
}
