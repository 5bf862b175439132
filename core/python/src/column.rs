//! A column of closed intervals, lent to Python without a copy.
#![allow(
    clippy::needless_pass_by_value,
    reason = "the signature of __getbuffer__ is PyO3's"
)]

use std::mem::size_of_val;
use std::os::raw::{c_int, c_void};
use std::sync::Arc;

use diantan_core::record::Closed;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

/// Owns a share of what a call closed, for as long as a view of one of its columns lives.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct Column {
    closed: Arc<Closed>,
    index: usize,
}

impl Column {
    /// A read-only memoryview of native 64-bit integers (format "q").
    pub(crate) fn view<'py>(
        py: Python<'py>,
        closed: &Arc<Closed>,
        index: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let column = Self {
            closed: Arc::clone(closed),
            index,
        };
        let owner = Bound::new(py, column)?.into_any();
        PyMemoryView::from(&owner)?.call_method1("cast", ("q",))
    }
}

#[pymethods]
impl Column {
    /// Lend the bytes of the column.
    #[allow(
        unsafe_code,
        reason = "the buffer protocol is a C structure to fill in"
    )]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let inner = slf.get();
        let cells = inner
            .closed
            .intervals
            .columns()
            .get(inner.index)
            .ok_or_else(|| PyBufferError::new_err("no such column"))?;
        let length = isize::try_from(size_of_val(cells.as_slice()))?;
        let start: *mut c_void = cells.as_ptr().cast_mut().cast();
        // SAFETY: Python passes a `view` to fill in. `start` and `length` are those of a vector that nothing can change
        // or free while the view lives: the view holds a reference to this object, which is frozen and owns a share of
        // the `Closed`, and no code has a mutable one. Asked for a writable buffer, the function refuses (readonly 1).
        match unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 1, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

/// From here on a column is worth large pages; the peer, numpy, has the same limit for its arrays.
#[cfg(target_os = "linux")]
const LARGE_BYTES: usize = 4 << 20;

/// Elsewhere memory is taken as it comes.
#[cfg(not(target_os = "linux"))]
pub(crate) fn prefer_large_pages<T>(_room: &mut [T]) {}

/// Ask the system for large pages: touching new memory in pages of 4 KiB costs more time than integrating into it.
#[cfg(target_os = "linux")]
pub(crate) fn prefer_large_pages<T>(room: &mut [T]) {
    // A multiple of every page size of Linux; an address that is none would make the hint fail.
    const ALIGNMENT: usize = 1 << 16;
    const MADV_HUGEPAGE: c_int = 14;
    unsafe extern "C" {
        fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    let bytes = size_of_val(room);
    let start: *mut c_void = room.as_mut_ptr().cast();
    let skipped = start.align_offset(ALIGNMENT);
    if bytes < LARGE_BYTES || skipped > bytes {
        return;
    }
    let length = (bytes - skipped) / ALIGNMENT * ALIGNMENT;
    // SAFETY: the range lies within `room`, which is borrowed mutably. MADV_HUGEPAGE moves and changes no content: it
    // says how the kernel may back the range. A kernel without it returns an error, and all is as it was.
    unsafe { madvise(start.wrapping_byte_add(skipped), length, MADV_HUGEPAGE) };
}
