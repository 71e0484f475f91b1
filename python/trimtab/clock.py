"""The one reader of the wall clock; everybody else is given its time."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """See ``ports.Clock``."""

    def now(self) -> float:
        return time.time()  # noqa: TID251 - this is the clock that everybody else is given

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
