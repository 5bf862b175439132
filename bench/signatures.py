"""Signing and verifying envelopes with Ed25519 and with SM2, in turn in one run: operations a second on one core.

An envelope of 1 500 bytes is a batch of 64 intervals; one of 200 bytes is an acknowledgement or a live message. Both
algorithms go through the same `Signer` and `open_envelope`: what differs is the signature.
"""

import time
from collections.abc import Callable

from wire import sm2
from wire.envelope import KeyRing, Signer, open_envelope
from wire.keys import ALGORITHMS, AlgorithmName, generate
from wire.sm2_library import library

ROUNDS = 7
CALLS = 300  # of each algorithm and round
SIZES = (200, 1_500)
TOPIC = "diantan/1/up/gw-1/records"

Work = Callable[[], object]


def _works(algorithm: AlgorithmName, size: int) -> tuple[Work, Work]:
    """Return signing, and verifying what was signed."""
    key = generate(algorithm)
    signer, ring, payload = Signer(key), KeyRing(), bytes(size)
    ring.add(key.public_key(), "gw-1")
    envelope = signer.sign(payload, TOPIC)
    return lambda: signer.sign(payload, TOPIC), lambda: open_envelope(envelope, TOPIC, ring)


def _rates(works: list[Work]) -> list[float]:
    """Time functions in turn, so that all see the same machine; the best of the rounds counts."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for index, work in enumerate(works):
            started = time.perf_counter()
            for _ in range(CALLS):
                work()
            best[index] = min(best[index], (time.perf_counter() - started) / CALLS)
    return [1 / seconds for seconds in best]


def run() -> list[str]:
    """Return the table's lines."""
    if not sm2.available():
        return ["not measured: no library for SM2 (pip install 'diantan[sm2]', and the system's OpenSSL 3)"]
    lines = [f"envelopes a second on one core, SM2 by {library().version}"]
    for size in SIZES:
        pairs = [_works(algorithm, size) for algorithm in ALGORITHMS]
        for index, name in enumerate(("sign", "verify")):
            ours, chinese = _rates([pair[index] for pair in pairs])
            lines.append(
                f"{name:<6} {size:>5} B   Ed25519 {ours:>7,.0f}   SM2 {chinese:>6,.0f}   {ours / chinese:5.1f}x"
            )
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
