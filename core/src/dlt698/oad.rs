//! Object attribute and method descriptors, which APDUs carry as 32-bit integers.

/// An object attribute descriptor OAD (对象属性描述符): `OI | attribute and feature | index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oad(pub u32);

impl Oad {
    /// From its parts.
    #[must_use]
    pub fn new(object: u16, attribute: u8, index: u8) -> Self {
        let [high, low] = object.to_be_bytes();
        Self(u32::from_be_bytes([high, low, attribute, index]))
    }

    /// The object identifier OI (对象标识).
    #[must_use]
    pub fn object(self) -> u16 {
        let [high, low, ..] = self.0.to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// The attribute's number, 0 for all.
    #[must_use]
    pub fn attribute(self) -> u8 {
        self.0.to_be_bytes()[2] & 0x1f
    }

    /// The attribute's feature (属性特征), the high 3 bits.
    #[must_use]
    pub fn feature(self) -> u8 {
        self.0.to_be_bytes()[2] >> 5
    }

    /// The element within the attribute: 0 for all of it, k for the k-th.
    #[must_use]
    pub fn index(self) -> u8 {
        self.0.to_be_bytes()[3]
    }
}
