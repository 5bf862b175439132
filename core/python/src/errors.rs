//! The exceptions of the module, and what they are made from.

use diantan_core::error::ScheduleError as CoreSchedule;
use diantan_core::error::{IntegrationError as CoreIntegration, QuantityError as CoreQuantity};
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;

create_exception!(
    diantan_core,
    CoreError,
    PyValueError,
    "The base of every error this module raises."
);
create_exception!(
    diantan_core,
    QuantityError,
    CoreError,
    "A value is out of range or finer than its unit."
);
create_exception!(
    diantan_core,
    ScheduleError,
    CoreError,
    "A carbon factor or its slot is not acceptable."
);
create_exception!(
    diantan_core,
    IntegrationError,
    CoreError,
    "Columns of different lengths, a bad setting, or a state that can't be restored."
);

create_exception!(
    diantan_core,
    DecodeError,
    CoreError,
    "A record batch is not what docs/wire.cddl says; `offset` is the byte at which that showed."
);

create_exception!(
    diantan_core,
    Dlt645Error,
    CoreError,
    "Bytes or values that DL/T 645-2007 does not allow; `offset` is the byte at which that showed."
);

create_exception!(
    diantan_core,
    CarbonFlowError,
    CoreError,
    "A grid that can't be, or values that don't fit it."
);

pub(crate) fn quantity(error: &CoreQuantity) -> PyErr {
    QuantityError::new_err(error.to_string())
}

pub(crate) fn schedule(error: CoreSchedule) -> PyErr {
    ScheduleError::new_err(error.to_string())
}

pub(crate) fn integration(error: &CoreIntegration) -> PyErr {
    IntegrationError::new_err(error.to_string())
}
