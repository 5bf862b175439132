//! The `PyO3` face of `diantan-core`, and nothing else.
use pyo3::prelude::*;

/// Exact energy and carbon arithmetic of Diantan.
#[pymodule]
mod diantan_core {}
