//! Octets through the DL/T 698.45 codec.
#![no_main]

#[path = "../checks/dlt698.rs"]
mod checks;
#[path = "../checks/pieces.rs"]
mod pieces;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::all(octets));
