"""Examples for meter manufacturers: host-built firmware for the inspection bench."""
