//! What an APDU or a data item says, as a tree.

/// A value of the grammar; names are `&'static str` when decoded and anything textual when encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<S = &'static str> {
    /// Nothing: NULL, or an optional part that is absent.
    None,
    /// A boolean.
    Bool(bool),
    /// An integer of any width the protocol has.
    Integer(i128),
    /// The bits of an IEEE 754 binary32.
    Float32(u32),
    /// The bits of an IEEE 754 binary64; encoded as a binary32 it is rounded to the nearest one.
    Float64(u64),
    /// Bytes.
    Octets(Vec<u8>),
    /// Text; a bit string is a text of 0 and 1.
    Text(String),
    /// Items of one kind.
    List(Vec<Value<S>>),
    /// Named fields.
    Record(Vec<(S, Value<S>)>),
    /// The alternative chosen, by name.
    Choice(S, Box<Value<S>>),
}

impl<S: AsRef<str>> Value<S> {
    /// The field of this name, if it is a record that has one.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Record(fields) => fields
                .iter()
                .find(|(key, _)| key.as_ref() == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The content of the alternative of this name, if it was the one chosen.
    #[must_use]
    pub fn choice(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Choice(chosen, content) if chosen.as_ref() == name => Some(content),
            _ => None,
        }
    }

    /// The integer, if it is one.
    #[must_use]
    pub fn integer(&self) -> Option<i128> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// What kind of value it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float32(_) | Self::Float64(_) => "a float",
            Self::Octets(_) => "bytes",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Record(_) => "a record",
            Self::Choice(..) => "a choice",
        }
    }
}
