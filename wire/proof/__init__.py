"""Proofs of readings (计量证明): signed bytes with what is needed to check them, without any database."""
