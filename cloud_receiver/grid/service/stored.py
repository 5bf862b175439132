"""The factor messages of the store, as the outlet needs them."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine

from cloud_receiver import factor_rounds
from cloud_receiver.database import reading, writing
from cloud_receiver.factor_messages import Dispatched
from cloud_receiver.factor_rounds import Unsent


class StoredMessages:
    """Those under the centre's present key."""

    def __init__(self, engine: Engine, kid: bytes, names: Callable[[Connection], Sequence[str]]) -> None:
        """`names`: under which factors are dispatched now."""
        self._engine = engine
        self._kid = kid
        self._names = names

    def unsent(self, limit: int) -> Sequence[Unsent]:
        """Return the oldest that the broker is yet to confirm, in order of issue."""
        with reading(self._engine) as connection:
            return factor_rounds.unsent(connection, self._kid, limit)

    def sent(self, messages: Sequence[Unsent]) -> None:
        """Note that it has confirmed these."""
        with writing(self._engine) as connection:
            factor_rounds.sent(connection, messages)

    def standing(self) -> Sequence[Dispatched]:
        """Return the newest of each node."""
        with reading(self._engine) as connection:
            return factor_rounds.newest_of(connection, self._names(connection), self._kid)
