//! The grammar of A-XDR (DL/T 790.6) as data: decoder and encoder walk the same tables, so they can't disagree.

/// A field of a sequence.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    /// Its shape.
    pub(super) shape: &'static Shape,
}

/// An alternative of a choice.
#[derive(Debug)]
pub(super) struct Variant {
    /// The byte that announces it.
    pub(super) tag: u8,
    /// Its name.
    pub(super) name: &'static str,
    /// Its shape.
    pub(super) shape: &'static Shape,
}

/// How something lies in the bytes.
#[derive(Debug)]
pub(super) enum Shape {
    /// No bytes at all.
    Null,
    /// One byte, 0 for false.
    Bool,
    /// An unsigned integer of so many bytes, the most significant first.
    Unsigned(u8),
    /// The same in two's complement.
    Signed(u8),
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// So many bytes.
    Fixed(usize),
    /// Bytes behind their number.
    Octets,
    /// Bits behind their number, the first in the most significant place.
    Bits,
    /// Characters of one byte each behind their number; bytes above 7FH are kept as U+0080 to U+00FF.
    Visible,
    /// UTF-8 behind its number of bytes.
    Utf8,
    /// Fields one after another.
    Sequence(&'static [Field]),
    /// Items behind their number.
    List(&'static Shape),
    /// A byte that says which alternative follows.
    Choice(&'static [Variant]),
    /// A byte that is 1 if something follows, 0 if not.
    Optional(&'static Shape),
    /// A list whose length [`Shape::Rows`] needs.
    Columns(&'static Shape),
    /// Rows behind their number; each has as many items as the last [`Shape::Columns`], without a number of its own.
    Rows(&'static Shape),
}

pub(super) const fn field(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, shape }
}

pub(super) const fn variant(tag: u8, name: &'static str, shape: &'static Shape) -> Variant {
    Variant { tag, name, shape }
}

pub(super) static NULL: Shape = Shape::Null;
pub(super) static BOOL: Shape = Shape::Bool;
pub(super) static U8: Shape = Shape::Unsigned(1);
pub(super) static U16: Shape = Shape::Unsigned(2);
pub(super) static U32: Shape = Shape::Unsigned(4);
pub(super) static U64: Shape = Shape::Unsigned(8);
pub(super) static I8: Shape = Shape::Signed(1);
pub(super) static I16: Shape = Shape::Signed(2);
pub(super) static I32: Shape = Shape::Signed(4);
pub(super) static I64: Shape = Shape::Signed(8);
pub(super) static OCTETS: Shape = Shape::Octets;
