"""Meters that speak DL/T 698.45-2017: values are attributes of objects, asked for by their descriptor (OAD)."""
