"""The kill matrix: real processes at accelerated time, killed, cut off and misled from a seed, then counted."""
