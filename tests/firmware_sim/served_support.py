"""The firmware of a plan, served in this process."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from firmware_sim.inspection.parts.stream_frames import hello_of_bench
from firmware_sim.inspection.plan import load_plan
from firmware_sim.inspection.serving import ServeOptions, Serving

LIMIT_S = 60


@asynccontextmanager
async def served(path: Path, **options: Any) -> AsyncIterator[asyncio.Task[int]]:
    """Serve the firmware of a plan."""
    task = asyncio.ensure_future(Serving(load_plan(path), ServeOptions(path.name, **options)).run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def hello(path: Path, **changes: Any) -> bytes:
    """Return what a bench says first, with a rating that differs from the plan's by `changes`."""
    rating = load_plan(path).rating.rating()
    return hello_of_bench(dataclasses.replace(rating, **changes), 6_400, 1_781_049_600_000)
