//! DL/T 698.45-2017: frames, fragments and APDUs.

mod frame;
mod object;
mod reassembler;
mod value;

pub(crate) use frame::{Dlt698Frame, Dlt698Noise, Dlt698Parser};
pub(crate) use object::{Dlt698Field, Dlt698Object, dlt698_object};
pub(crate) use reassembler::Dlt698Reassembler;
pub(crate) use value::{
    dlt698_dar_name, dlt698_decode_apdu, dlt698_decode_data, dlt698_encode_apdu, dlt698_encode_data,
};

use diantan_core::dlt698;
use pyo3::create_exception;
use pyo3::prelude::*;

use crate::errors::CoreError;

create_exception!(
    diantan_core,
    Dlt698Error,
    CoreError,
    "The base of every error of the DL/T 698.45 codec."
);
create_exception!(
    diantan_core,
    Dlt698FrameError,
    Dlt698Error,
    "Bytes that are not a frame, or a frame that can't be encoded."
);
create_exception!(
    diantan_core,
    Dlt698FragmentError,
    Dlt698Error,
    "A fragment out of order, of another conversation or too large, or a frame that is none."
);
create_exception!(
    diantan_core,
    Dlt698DecodeError,
    Dlt698Error,
    "Bytes that are not an APDU or data item; `offset`, `expected` and `found` say why."
);
create_exception!(
    diantan_core,
    Dlt698EncodeError,
    Dlt698Error,
    "A structure that is not an APDU or data item; `path`, `expected` and `found` say why."
);

/// Add the exceptions to the module.
pub(crate) fn add_errors(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("Dlt698Error", py.get_type::<Dlt698Error>())?;
    module.add("Dlt698FrameError", py.get_type::<Dlt698FrameError>())?;
    module.add("Dlt698FragmentError", py.get_type::<Dlt698FragmentError>())?;
    module.add("Dlt698DecodeError", py.get_type::<Dlt698DecodeError>())?;
    module.add("Dlt698EncodeError", py.get_type::<Dlt698EncodeError>())
}

fn frame_error(error: &dlt698::FrameError) -> PyErr {
    Dlt698FrameError::new_err(error.to_string())
}

fn fragment_error(error: &dlt698::FragmentError) -> PyErr {
    Dlt698FragmentError::new_err(error.to_string())
}
