//! The object table: every descriptor has names and known types, or is unknown.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use diantan_core::dlt698::{Layout, Oad, Object};

#[test]
fn every_descriptor_is_described_or_not_known() {
    let mut described = 0;
    // Nothing is known between the acquisition and the security objects.
    for object in (0..0x6100).chain(0xf000..=u16::MAX) {
        for attribute in 0..16 {
            let Some(whole) = Object::find(Oad::new(object, attribute, 0)) else {
                continue;
            };
            described += 1;
            assert!(!whole.name().is_empty() && !whole.chinese().is_empty());
            assert!(whole.element(0).0.is_empty());
            for index in [1, 2, 3, 4, 5, 6, 7, 64, 65, 255] {
                let element = Object::find(Oad::new(object, attribute, index));
                // Features are those of one attribute, not of another one.
                let feature = Object::find(Oad::new(object, attribute | 0x80, index));
                assert_eq!(element.is_some(), feature.is_some());
                let Some(element) = element else {
                    assert!(whole.element(index).0.is_empty());
                    continue;
                };
                let (english, chinese) = whole.element(index);
                assert!(element.name().ends_with(&english) && !chinese.is_empty());
                assert_eq!(
                    (element.layout, element.fields),
                    (whole.layout, whole.fields)
                );
            }
        }
    }
    assert!(described > 500, "{described}");
}

#[test]
fn an_index_is_within_what_the_attribute_has() {
    let last = |object, attribute| {
        (0..=u8::MAX)
            .rev()
            .find(|index| Object::find(Oad::new(object, attribute, *index)).is_some())
            .unwrap()
    };
    assert_eq!(last(0x0010, 2), 64);
    assert_eq!(last(0x2000, 2), 3);
    assert_eq!(last(0x2004, 2), 4);
    assert_eq!(last(0x400c, 2), 5);
    assert_eq!(last(0x4001, 2), 0);
    assert_eq!(
        Object::find(Oad::new(0x5004, 2, 3)).unwrap().layout,
        Layout::Records
    );
}
