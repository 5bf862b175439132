//! The `PyO3` face of `diantan-core`, and nothing else.
use pyo3::prelude::*;

mod adjustment;
mod batch;
mod buffers;
mod calendar;
mod carbon_flow;
mod carbon_flow_input;
mod carbon_flow_reconcile;
mod closed;
mod column;
mod convert;
mod dlt645;
mod dlt645_build;
mod dlt645_message;
mod dlt645_values;
mod dlt698;
mod errors;
mod estimation;
mod estimation_input;
mod estimation_result;
mod names;
mod numeric;
mod power;
mod quantity;
mod register;
mod register_column;
mod register_history;
mod registers;
mod schedule;
mod voltage_drop;

/// Exact energy and carbon arithmetic of Diantan.
#[pymodule]
mod diantan_core {
    use pyo3::prelude::*;
    use pyo3::types::{PyDict, PyTuple};

    #[pymodule_export]
    use crate::adjustment::AdjustmentRegister;
    #[pymodule_export]
    use crate::batch::{RecordBatch, check_cbor, decode_batch};
    #[pymodule_export]
    use crate::calendar::{day_start_ms, next_day_start_ms, next_month_start_ms};
    #[pymodule_export]
    use crate::carbon_flow::{CarbonFlow, CarbonGrid};
    #[pymodule_export]
    use crate::carbon_flow_input::CarbonSlot;
    #[pymodule_export]
    use crate::carbon_flow_reconcile::CarbonReconciliation;
    #[pymodule_export]
    use crate::closed::Closed;
    #[pymodule_export]
    use crate::dlt645::{Dlt645Frame, Dlt645Noise, Dlt645Parser, dlt645_matches, dlt645_shortened};
    #[pymodule_export]
    use crate::dlt645_build::dlt645_build;
    #[pymodule_export]
    use crate::dlt645_message::dlt645_parse;
    #[pymodule_export]
    use crate::dlt645_values::{Dlt645Item, dlt645_decode, dlt645_encode, dlt645_item};
    #[pymodule_export]
    use crate::dlt698::{
        Dlt698Field, Dlt698Frame, Dlt698Noise, Dlt698Object, Dlt698Parser, Dlt698Reassembler,
        dlt698_dar_name, dlt698_decode_apdu, dlt698_decode_data, dlt698_encode_apdu,
        dlt698_encode_data, dlt698_object,
    };
    #[pymodule_export]
    use crate::estimation::{ErrorAccumulator, ErrorEstimator};
    #[pymodule_export]
    use crate::estimation_input::{ErrorCharger, ErrorWindows};
    #[pymodule_export]
    use crate::estimation_result::{ErrorEstimate, ErrorEstimation};
    #[pymodule_export]
    use crate::numeric::{carbon_residuals_ng, relative_error, round_to_interval};
    #[pymodule_export]
    use crate::power::PowerIntegrator;
    #[pymodule_export]
    use crate::quantity::{Carbon, Energy, Factor};
    #[pymodule_export]
    use crate::register::RegisterIntegrator;
    #[pymodule_export]
    use crate::register_column::RegisterColumn;
    #[pymodule_export]
    use crate::register_history::{RegisterHistory, RegisterInstants, RegisterJump, RegisterKnown};
    #[pymodule_export]
    use crate::registers::{RegisterClocks, RegisterRows, StationRegisters};
    #[pymodule_export]
    use crate::schedule::FactorSchedule;
    #[pymodule_export]
    use crate::voltage_drop::{DropBranch, DropEstimation, DropMeter, voltage_drop};

    use crate::closed::columns_type;
    use crate::errors;

    const CODES: [(&str, u8); 16] = [
        ("FACTOR_DISPATCHED", 0),
        ("FACTOR_HELD", 1),
        ("FACTOR_DEFAULT", 2),
        ("FACTOR_UNDEFINED", 3),
        ("QUALITY_MEASURED", 0),
        ("QUALITY_INTERPOLATED", 1),
        ("QUALITY_ESTIMATED", 2),
        ("QUALITY_PARTIAL", 3),
        ("FREEZE_DAILY", 0),
        ("FREEZE_MONTHLY", 1),
        ("EVENT_ROLLOVER", 1),
        ("EVENT_RESET", 2),
        ("EVENT_EXCHANGE", 3),
        ("EVENT_JUMP", 4),
        ("EVENT_GAP", 5),
        ("EVENT_TIME_BACK", 6),
    ];

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("CoreError", py.get_type::<errors::CoreError>())?;
        module.add("QuantityError", py.get_type::<errors::QuantityError>())?;
        module.add("ScheduleError", py.get_type::<errors::ScheduleError>())?;
        module.add(
            "IntegrationError",
            py.get_type::<errors::IntegrationError>(),
        )?;
        module.add("CarbonFlowError", py.get_type::<errors::CarbonFlowError>())?;
        module.add(
            "EstimationError",
            py.get_type::<crate::estimation::EstimationError>(),
        )?;
        module.add("DecodeError", py.get_type::<errors::DecodeError>())?;
        module.add("Dlt645Error", py.get_type::<errors::Dlt645Error>())?;
        crate::dlt698::add_errors(module)?;
        module.add("Columns", columns_type(py)?)?;
        // The rows are plain tuples; the names exist so that annotations can be evaluated at run time.
        for alias in ["IntervalRow", "FreezeRow", "EventRow", "CarbonTank"] {
            module.add(alias, py.get_type::<PyTuple>())?;
        }
        module.add("Dlt645Moment", py.get_type::<PyDict>())?;
        module.add("Dlt645Message", py.get_type::<PyDict>())?;
        module.add("Dlt645Value", py.get_type::<PyAny>())?;
        module.add("CarbonFlowNumber", py.get_type::<PyAny>())?;
        for alias in ["ErrorPair", "ErrorColumn", "ErrorTimes"] {
            module.add(alias, py.get_type::<PyAny>())?;
        }
        for (name, code) in CODES {
            module.add(name, code)?;
        }
        Ok(())
    }
}
