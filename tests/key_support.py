"""The algorithm of the keys that tests make: each test as it is for Ed25519, and in chosen modules again for SM2."""

import functools
import os
from collections.abc import Callable

import pytest

from wire import sm2
from wire.keys import AlgorithmName, PrivateKey, generate

needs_sm2 = pytest.mark.skipif(
    # Where everything is mandatory the test runs, and fails for want of the library.
    not os.environ.get("DIANTAN_REQUIRE_ALL") and not sm2.available(),
    reason="no library for SM2 (pip install 'diantan[sm2]', and the system's OpenSSL 3)",
)

SM2 = pytest.param("sm2", marks=needs_sm2)

BOTH_ALGORITHMS = [
    pytest.mark.usefixtures("algorithm"),
    pytest.mark.parametrize("algorithm", ["ed25519", SM2], indirect=True),
]
"""As `pytestmark`: the module's tests run once for each algorithm of `new_key`."""


def both_algorithms(test: Callable[..., None]) -> Callable[..., None]:
    """Run one test once for each algorithm of `new_key`."""
    for mark in BOTH_ALGORITHMS:
        test = mark(test)
    return test


_current: list[AlgorithmName] = ["ed25519"]


def set_algorithm(name: AlgorithmName) -> AlgorithmName:
    """Let `new_key` make keys of an algorithm from now on, and return the former one; for the fixture `algorithm`."""
    former = _current[0]
    _current[0] = name
    return former


def current_algorithm() -> AlgorithmName:
    """Return the algorithm of `new_key`."""
    return _current[0]


def new_key() -> PrivateKey:
    """Return a new private key of the test's algorithm."""
    return generate(_current[0])


def key_of(owner: str) -> PrivateKey:
    """Return the owner's private key of the test's algorithm: the same one whenever it is asked for."""
    return _lasting(owner, _current[0])


@functools.cache
def _lasting(_owner: str, algorithm: AlgorithmName) -> PrivateKey:
    return generate(algorithm)
