//! The names that decoded messages are made of as Python strings, each made once.
//!
//! A decoded APDU has a dozen names; looking them up in the interpreter's table took half of its time.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

/// More than five times as many as there are names, so that few share a place.
const PLACES: usize = 1024;

type Place = PyOnceLock<(&'static str, Py<PyString>)>;
static NAMES: [Place; PLACES] = [const { PyOnceLock::new() }; PLACES];

/// The Python string of a name. Where another name has its place it is looked up every time.
pub(crate) fn name<'py>(py: Python<'py>, text: &'static str) -> Bound<'py, PyString> {
    // Addresses differ in their low bits: the product's high ones depend on all of them.
    let mixed = (text.as_ptr() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - 10);
    let place = usize::try_from(mixed)
        .ok()
        .and_then(|place| NAMES.get(place));
    let Some(place) = place else {
        return PyString::intern(py, text);
    };
    let (known, string) = place.get_or_init(py, || (text, PyString::intern(py, text).unbind()));
    if std::ptr::eq(*known, text) {
        return string.bind(py).clone();
    }
    PyString::intern(py, text)
}
