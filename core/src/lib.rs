//! Exact energy and carbon arithmetic.
