//! Octets through the decoder of record batches.
#![no_main]

#[path = "../checks/batch.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| checks::all(octets));
