"""Requests to wildcard (通配) and shortened addresses (缩位寻址) of DL/T 645-2007: who may answer them."""

from dataclasses import dataclass

from diantan_core import dlt645_matches
from fieldbus.drivers.dlt645_framing import Said
from fieldbus.exchange import Heard


@dataclass(slots=True, eq=False)  # hashed as the one it is: no other request has its signature
class Wild:
    """A request that any meter may answer to whom its address applies, while it waits."""

    requested: str
    functions: frozenset[int]
    open: bool = True

    def answers(self, heard: Heard) -> bool:
        """Return whether a frame is the answer."""
        if not self.open or heard.is_request or not isinstance(heard.frame, Said):
            return False
        frame, message = heard.frame.frame, heard.frame.message
        if frame.function not in self.functions:
            return False
        # A reply carries the real address; there are meters that repeat the wildcard and tell it only in the data.
        told = str(message.get("address", frame.address))
        return _meant(self.requested, told) and (
            frame.address == self.requested or _meant(self.requested, frame.address)
        )


def _meant(requested: str, address: str) -> bool:
    """Return whether a request is meant for a meter; never for what is no address, as a deviating one may send."""
    return address.isdecimal() and dlt645_matches(requested, address)
