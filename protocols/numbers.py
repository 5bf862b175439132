"""Exact numbers as decimal text."""


def decimal_text(mantissa: int, exponent: int) -> str:
    """Return mantissa times ten to the exponent, exactly, with the decimals that the exponent says."""
    if exponent >= 0:
        return str(mantissa * 10**exponent)
    digits = str(abs(mantissa)).rjust(1 - exponent, "0")
    return f"{'-' if mantissa < 0 else ''}{digits[:exponent]}.{digits[exponent:]}"
