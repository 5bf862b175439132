"""The check of Modbus RTU (Modbus over serial line 1.02, 6.2.2): CRC-16, polynomial A001H reflected, from FFFFH on."""

from typing import Final

_POLYNOMIAL: Final = 0xA001


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE: Final = tuple(_entry(octet) for octet in range(256))


def crc16(octets: bytes) -> int:
    """Return the check of the octets; on the line its low octet comes first."""
    value = 0xFFFF
    for octet in octets:
        value = value >> 8 ^ _TABLE[(value ^ octet) & 0xFF]
    return value
