//! Takes a message's data apart from the front.

use super::{Dlt645Error, Fault, Result};

#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    data: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, offset: 0 }
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn left(&self) -> usize {
        self.data.len()
    }

    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let Some((head, tail)) = self.data.split_first_chunk::<N>() else {
            return Err(Dlt645Error::new(
                self.offset,
                Fault::Length {
                    what,
                    expected: N,
                    found: self.data.len(),
                },
            ));
        };
        self.data = tail;
        self.offset += N;
        Ok(*head)
    }

    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// DI0 DI1 DI2 DI3.
    pub(super) fn identifier(&mut self) -> Result<u32> {
        self.array("the data identifier").map(u32::from_le_bytes)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.data;
        self.offset += rest.len();
        self.data = &[];
        rest
    }

    pub(super) fn end(&self, what: &'static str) -> Result<()> {
        match self.data.len() {
            0 => Ok(()),
            found => Err(Dlt645Error::new(
                self.offset,
                Fault::Length {
                    what,
                    expected: 0,
                    found,
                },
            )),
        }
    }
}
