//! An APDU out of the fragments it came in.

use diantan_core::dlt698::{MAX_APDU, Progress, Reassembler};
use pyo3::prelude::*;

use super::{Dlt698Frame, fragment_error};

/// Collects the fragments of one message at a time.
#[pyclass(module = "diantan_core")]
pub(crate) struct Dlt698Reassembler(Reassembler);

#[pymethods]
impl Dlt698Reassembler {
    #[new]
    #[pyo3(signature = (max_size = MAX_APDU))]
    fn new(max_size: usize) -> Self {
        Self(Reassembler::new(max_size))
    }

    /// What the fragment brought, and the number or frame that belongs to it.
    fn feed<'py>(
        &mut self,
        py: Python<'py>,
        frame: &Dlt698Frame,
    ) -> PyResult<(&'static str, Bound<'py, PyAny>)> {
        let none = || py.None().into_bound(py);
        let progress = self.0.feed(&frame.0);
        Ok(match progress.map_err(|error| fragment_error(&error))? {
            Progress::More => ("more", none()),
            Progress::Repeated => ("repeated", none()),
            Progress::Confirmed(number) => ("confirmed", number.into_pyobject(py)?.into_any()),
            Progress::Complete(frame) => {
                ("complete", Bound::new(py, Dlt698Frame(frame))?.into_any())
            }
        })
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    #[getter]
    fn pending(&self) -> usize {
        self.0.pending()
    }
}
