//! The bytes an integrator goes on from after a restart: versioned, fixed layout, little-endian, with a checksum.

use crate::calendar::in_range;
use crate::carbon::CarbonRegister;
use crate::error::IntegrationError;
use crate::ledger::{Ledger, Pair, RestoredOpen};

const VERSION: u8 = 1;

/// Which integrator a state belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Register = b'R',
    Power = b'P',
}

/// CRC-32 (ISO-HDLC): finds a state cut short or damaged on its way to the disk.
///
/// Eight bytes at a time: a station's sums are some 100 kB, and looked at twice a night.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut crc = u32::MAX;
    for &[a, b, c, d, e, f, g, h] in words {
        let [w, x, y, z] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
        crc = after(t7, w)
            ^ after(t6, x)
            ^ after(t5, y)
            ^ after(t4, z)
            ^ after(t3, e)
            ^ after(t2, f)
            ^ after(t1, g)
            ^ after(t0, h);
    }
    for &byte in rest {
        crc = step(crc ^ u32::from(byte));
    }
    !crc
}

/// What a byte makes of a sum of nothing, by how many bytes follow it.
static TABLES: [[u32; 256]; 8] = tables();

fn after(table: &[u32; 256], byte: u8) -> u32 {
    table.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Divide the lowest byte of a sum out of it.
const fn step(mut crc: u32) -> u32 {
    let mut bit = 0;
    while bit < 8 {
        crc = (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1));
        bit += 1;
    }
    crc
}

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)] // evaluated by the compiler, which checks it
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut following = 0;
        while following < 8 {
            crc = step(crc);
            tables[following][byte] = crc;
            following += 1;
        }
        byte += 1;
    }
    tables
}

pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(vec![b'D', b'T', kind as u8, VERSION])
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn wide(&mut self, value: i128) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn ledger(&mut self, ledger: &Ledger) {
        self.int(ledger.energy.forward);
        self.int(ledger.energy.reverse);
        self.wide(ledger.carbon.forward.ng());
        self.wide(ledger.carbon.reverse.ng());
        self.int(ledger.pending.forward);
        self.int(ledger.pending.reverse);
        if let Some(open) = &ledger.open {
            self.int(open.start);
            self.int(ledger.slot_ms());
            self.int(open.opening.forward);
            self.int(open.opening.reverse);
            self.int(i64::from(open.readings));
            self.flag(open.covered);
            self.flag(open.partial);
            self.flag(open.long);
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let check = crc32(&self.0);
        self.0.extend_from_slice(&check.to_le_bytes());
        self.0
    }
}

pub(crate) struct Reader<'a>(&'a [u8]);

const fn bad(why: &'static str) -> IntegrationError {
    IntegrationError::State(why)
}

impl<'a> Reader<'a> {
    pub(crate) fn new(state: &'a [u8], kind: Kind) -> Result<Self, IntegrationError> {
        let Some((body, check)) = state.split_last_chunk::<4>() else {
            return Err(bad("too short"));
        };
        let Some(([b'D', b'T', found, version], rest)) = body.split_first_chunk::<4>() else {
            return Err(bad("it does not begin as one"));
        };
        if crc32(body) != u32::from_le_bytes(*check) {
            return Err(bad("its checksum is wrong"));
        }
        if *found != kind as u8 {
            return Err(bad("it belongs to the other integrator"));
        }
        if *version != VERSION {
            return Err(bad("its version is not 1"));
        }
        Ok(Self(rest))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], IntegrationError> {
        let (value, rest) = self.0.split_first_chunk::<N>().ok_or(bad("too short"))?;
        self.0 = rest;
        Ok(*value)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, IntegrationError> {
        match self.take::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(bad("a flag is neither 0 nor 1")),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64, IntegrationError> {
        self.take().map(i64::from_le_bytes)
    }

    pub(crate) fn wide(&mut self) -> Result<i128, IntegrationError> {
        self.take().map(i128::from_le_bytes)
    }

    pub(crate) fn natural(&mut self) -> Result<i64, IntegrationError> {
        let value = self.int()?;
        if value < 0 {
            return Err(bad("a register is negative"));
        }
        Ok(value)
    }

    pub(crate) fn time(&mut self) -> Result<i64, IntegrationError> {
        let value = self.int()?;
        if !in_range(value) {
            return Err(bad("a time is out of range"));
        }
        Ok(value)
    }

    fn carbon(&mut self) -> Result<CarbonRegister, IntegrationError> {
        CarbonRegister::from_ng(self.wide()?).ok_or(bad("a carbon register is out of range"))
    }

    /// Take a ledger's figures into `ledger`, which has its settings already.
    pub(crate) fn ledger(
        &mut self,
        ledger: &mut Ledger,
        last_ms: Option<i64>,
    ) -> Result<(), IntegrationError> {
        ledger.energy = Pair {
            forward: self.natural()?,
            reverse: self.natural()?,
        };
        ledger.carbon = Pair {
            forward: self.carbon()?,
            reverse: self.carbon()?,
        };
        ledger.pending = Pair {
            forward: self.natural()?,
            reverse: self.natural()?,
        };
        ledger.open = None;
        let Some(last_ms) = last_ms else {
            return Ok(());
        };
        let open = RestoredOpen {
            start: self.time()?,
            slot_ms: self.int()?,
            opening: Pair {
                forward: self.natural()?,
                reverse: self.natural()?,
            },
            readings: u32::try_from(self.int()?).map_err(|_| bad("a count is out of range"))?,
            covered: self.flag()?,
            partial: self.flag()?,
            long: self.flag()?,
        };
        let consistent = (0..=86_400_000).contains(&(last_ms - open.start))
            && (60_000..=86_400_000).contains(&open.slot_ms)
            && open.opening.forward <= ledger.energy.forward
            && open.opening.reverse <= ledger.energy.reverse;
        if !consistent {
            return Err(bad("its figures contradict each other"));
        }
        ledger.reopen(open, last_ms)
    }

    pub(crate) fn finish(self) -> Result<(), IntegrationError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(bad("too long"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{crc32, step};

    #[test]
    fn the_sum_is_that_of_the_standard_at_any_length() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let (mut bytes, mut plain) = (Vec::new(), u32::MAX);
        for place in 0..100_u8 {
            assert_eq!(crc32(&bytes), !plain);
            let byte = place.wrapping_mul(37);
            bytes.push(byte);
            plain = step(plain ^ u32::from(byte));
        }
    }
}
