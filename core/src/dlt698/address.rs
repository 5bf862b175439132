//! The server address SA (服务器地址) and its format byte AF.

use std::fmt;

use super::FrameError;

/// The most bytes an address has.
pub const MAX_ADDRESS: usize = 16;

/// The kind of a server address (地址类型), bits 6 and 7 of AF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// One server (单地址).
    Single,
    /// A pattern with AH for any digit (通配地址).
    Wildcard,
    /// A group of servers (组地址).
    Group,
    /// Every server (广播地址); none of them answers.
    Broadcast,
}

/// A server address: kind, logical address (逻辑地址) and 1 to 16 bytes in reading order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    kind: AddressKind,
    logical: u8,
    length: u8,
    octets: [u8; MAX_ADDRESS],
}

impl Address {
    /// An address from its bytes in reading order, which is the reverse of the line's.
    ///
    /// # Errors
    /// No byte or more than 16, or a logical address above 3.
    pub fn new(kind: AddressKind, logical: u8, bytes: &[u8]) -> Result<Self, FrameError> {
        let refused = FrameError::Address {
            logical,
            length: bytes.len(),
        };
        let mut octets = [0; MAX_ADDRESS];
        match (octets.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(place), Ok(length)) if length > 0 && logical < 4 => {
                place.copy_from_slice(bytes);
                Ok(Self {
                    kind,
                    logical,
                    length,
                    octets,
                })
            }
            _ => Err(refused),
        }
    }

    /// The broadcast address AAH.
    #[must_use]
    pub fn broadcast() -> Self {
        let mut octets = [0; MAX_ADDRESS];
        octets[0] = 0xaa;
        Self {
            kind: AddressKind::Broadcast,
            logical: 0,
            length: 1,
            octets,
        }
    }

    /// The address that AF and the bytes behind it stand for.
    pub(super) fn from_wire(format: u8, wire: &[u8]) -> Result<Self, FrameError> {
        let kind = match format >> 6 {
            0 => AddressKind::Single,
            1 => AddressKind::Wildcard,
            2 => AddressKind::Group,
            _ => AddressKind::Broadcast,
        };
        let mut address = Self::new(kind, format >> 4 & 3, wire)?;
        if let Some(place) = address.octets.get_mut(..wire.len()) {
            place.reverse();
        }
        Ok(address)
    }

    /// AF and the bytes as they go on the line.
    pub(super) fn write(&self, wire: &mut Vec<u8>) {
        wire.push((self.kind as u8) << 6 | self.logical << 4 | self.length.saturating_sub(1));
        wire.extend(self.octets().iter().rev());
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> AddressKind {
        self.kind
    }

    /// The logical address, 0 to 3.
    #[must_use]
    pub fn logical(&self) -> u8 {
        self.logical
    }

    /// The bytes in reading order.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl fmt::Display for Address {
    /// The bytes in reading order as hexadecimal digits.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.octets()
            .iter()
            .try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}
