//! What an object attribute descriptor stands for: its names, the type of its data, scale and unit.

mod classes;
mod events;
mod find;
mod parameters;
mod quantities;

use super::Oad;

/// English and Chinese.
pub(super) type Names = (&'static str, &'static str);

/// How a value lies in the data, and what one of it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// What it is within a structure, in English; empty where it is the whole element.
    pub name: &'static str,
    /// The same in Chinese.
    pub chinese: &'static str,
    /// The data type (数据类型) by its name in [`super::decode_data`].
    pub data_type: &'static str,
    /// The power of ten that an integer is to be multiplied by (换算).
    pub exponent: i8,
    /// Empty where there is none.
    pub unit: &'static str,
}

/// What the index of a descriptor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Nothing: the attribute is one value.
    Single,
    /// The members of the structure that the attribute is.
    Members,
    /// An array: 1 is the total, from 2 on come the tariffs (费率): sharp, peak, flat, valley and so on.
    Tariffs,
    /// An array: phases A, B, C.
    Phases,
    /// An array: the total, then phases A, B, C.
    TotalPhases,
    /// An array: 1 is the total content, from 2 on come the harmonics of that order.
    Harmonics,
    /// An array of whatever is numbered: status words, settlement days.
    Numbered,
    /// A table of records, read by GET-Record; index k is the k-th last one.
    Records,
    /// Not known.
    Unknown,
}

impl Layout {
    /// Whether the attribute is an array; None where that is not known.
    #[must_use]
    pub fn is_array(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Single | Self::Members => Some(false),
            _ => Some(true),
        }
    }

    /// The greatest index; 63 tariffs and the total are the most a meter can have.
    fn most(self) -> u8 {
        match self {
            Self::Single => 0,
            Self::Phases => 3,
            Self::TotalPhases => 4,
            Self::Tariffs => 64,
            Self::Members | Self::Harmonics | Self::Numbered | Self::Records | Self::Unknown => 255,
        }
    }
}

/// What a descriptor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// The descriptor, its feature bits and index as they were asked for.
    pub oad: Oad,
    /// The interface class (接口类) number, 0 where it is not known.
    pub class: u8,
    /// The fields of an element: one without a name, or those of a structure, or none where they are not known.
    pub fields: &'static [Field],
    /// What the index counts.
    pub layout: Layout,
    phase: Names,
    base: Names,
    attribute: Names,
}

impl Object {
    /// What a descriptor stands for, if the table knows it; feature bits don't matter.
    #[must_use]
    pub fn find(oad: Oad) -> Option<Self> {
        find::find(oad).filter(|found| {
            let index = oad.index();
            index <= found.layout.most()
                && (found.layout != Layout::Members || usize::from(index) <= found.fields.len())
        })
    }

    /// Its English name, with that of the element where the index says which.
    #[must_use]
    pub fn name(&self) -> String {
        let Self {
            phase,
            base,
            attribute,
            ..
        } = self;
        let element = self.element(self.oad.index()).0;
        let element = if element.is_empty() {
            element
        } else {
            format!(", {element}")
        };
        format!("{}{}{}{element}", phase.0, base.0, attribute.0)
    }

    /// Its Chinese name.
    #[must_use]
    pub fn chinese(&self) -> String {
        let Self {
            phase,
            base,
            attribute,
            ..
        } = self;
        let element = self.element(self.oad.index()).1;
        let element = if element.is_empty() {
            element
        } else {
            format!("（{element}）")
        };
        format!("{}{}{}{element}", phase.1, base.1, attribute.1)
    }

    /// English and Chinese name of an element of the attribute; empty for 0, which is all of it.
    #[must_use]
    pub fn element(&self, index: u8) -> (String, String) {
        let fixed = |names: Names| (names.0.to_owned(), names.1.to_owned());
        let phase = |number: u8| match number {
            0 => fixed(("total", "总")),
            1 => fixed(("phase A", "A相")),
            2 => fixed(("phase B", "B相")),
            _ => fixed(("phase C", "C相")),
        };
        if index == 0 || index > self.layout.most() {
            return Default::default();
        }
        match (self.layout, index) {
            (Layout::Single, _) => Default::default(),
            (Layout::Tariffs | Layout::Harmonics, 1) => fixed(("total", "总")),
            (Layout::Tariffs, _) => {
                let chinese = match index {
                    2 => "尖".to_owned(),
                    3 => "峰".to_owned(),
                    4 => "平".to_owned(),
                    5 => "谷".to_owned(),
                    _ => format!("费率{}", index - 1),
                };
                (format!("tariff {}", index - 1), chinese)
            }
            (Layout::Harmonics, _) => (format!("harmonic {index}"), format!("{index}次")),
            (Layout::Phases, _) => phase(index),
            (Layout::TotalPhases, _) => phase(index - 1),
            (Layout::Records, _) => (format!("{index} back"), format!("上{index}次")),
            (Layout::Members, _) => self
                .fields
                .get(usize::from(index) - 1)
                .map(|field| fixed((field.name, field.chinese)))
                .unwrap_or_default(),
            (Layout::Numbered | Layout::Unknown, _) => (index.to_string(), index.to_string()),
        }
    }
}
