"""What a profile knows of values that no standard explains; whoever has profiles implements it."""

from typing import Any, Protocol

from protocols.explained import Value


class Names(Protocol):
    """Finds the values of meters whose profiles are known; each method returns none where no profile says anything."""

    def registers(self, unit: int, function: int, first: int, octets: bytes) -> list[Value]:
        """Return the values in Modbus registers from `first` on."""

    def item(self, address: str, di: int, data: bytes) -> list[Value]:
        """Return the values behind a data identifier of DL/T 645, a private one most likely."""

    def attribute(self, address: str, oad: int, item: tuple[str, Any]) -> list[Value]:
        """Return the values in an object attribute of DL/T 698.45, as `dlt698_decode_data` returns its data."""
