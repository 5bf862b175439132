//! The entries of a map, as a schema with integer keys reads them.

use super::fault::{DecodeError, Fault};
use super::{Head, Reader, Result, wrong};

#[derive(Debug, Clone, Copy)]
enum Key {
    Unsigned(u64),
    Negative,
}

/// The entries of a map with integer keys, asked for in ascending order; keys nobody asks for are read over.
#[derive(Debug)]
pub struct Fields<'a> {
    left: u64,
    last: &'a [u8],
    /// A key that was read and whose value was not.
    pending: Option<Key>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(left: u64) -> Self {
        Self {
            left,
            last: &[],
            pending: None,
        }
    }

    /// Whether the map has this key; if so, the reader stands before its value.
    ///
    /// # Errors
    /// A key that is no integer or out of order, or a malformed value that was read over.
    pub fn find(&mut self, reader: &mut Reader<'a>, wanted: u64) -> Result<bool> {
        loop {
            let key = match self.pending {
                Some(key) => key,
                None if self.left == 0 => return Ok(false),
                None => self.key(reader)?,
            };
            match key {
                Key::Unsigned(key) if key == wanted => {
                    self.pending = None;
                    return Ok(true);
                }
                Key::Unsigned(key) if key < wanted => {
                    self.pending = None;
                    reader.skip()?;
                }
                // A later key, or a negative one: those come after all others.
                _ => {
                    self.pending = Some(key);
                    return Ok(false);
                }
            }
        }
    }

    /// The value's place of a key that must be there.
    ///
    /// # Errors
    /// As `find`, and when the key is missing.
    pub fn require(
        &mut self,
        reader: &mut Reader<'a>,
        wanted: u64,
        what: &'static str,
    ) -> Result<()> {
        if self.find(reader, wanted)? {
            return Ok(());
        }
        Err(DecodeError {
            offset: reader.offset(),
            fault: Fault::Missing(what),
        })
    }

    /// The next entry's key, None at the end; the reader stands before its value.
    ///
    /// # Errors
    /// A key that is no unsigned integer or out of order.
    pub fn next(&mut self, reader: &mut Reader<'a>) -> Result<Option<u64>> {
        let start = reader.offset();
        if self.left == 0 {
            return Ok(None);
        }
        match self.key(reader)? {
            Key::Unsigned(key) => Ok(Some(key)),
            Key::Negative => Err(wrong(start, "an unsigned integer", "a negative integer")),
        }
    }

    /// Read over what is left.
    ///
    /// # Errors
    /// A malformed entry.
    pub fn finish(mut self, reader: &mut Reader<'a>) -> Result<()> {
        if self.pending.take().is_some() {
            reader.skip()?;
        }
        while self.left > 0 {
            self.key(reader)?;
            reader.skip()?;
        }
        Ok(())
    }

    /// How many entries are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    fn key(&mut self, reader: &mut Reader<'a>) -> Result<Key> {
        let start = reader.offset();
        let key = match reader.head()? {
            Head::Unsigned(key) => Key::Unsigned(key),
            Head::Negative(_) => Key::Negative,
            other => return Err(wrong(start, "an integer key", other.name())),
        };
        self.last = reader.ascending(start, self.last)?;
        self.left -= 1;
        Ok(key)
    }
}
