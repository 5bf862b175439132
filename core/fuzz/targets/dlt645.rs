//! Octets through the DL/T 645-2007 codec.
#![no_main]

#[path = "../checks/dlt645.rs"]
mod checks;
#[path = "../checks/pieces.rs"]
mod pieces;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::all(octets));
