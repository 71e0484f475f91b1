"""Writes that come in together are written together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class Commits(Generic[Job, Result]):
    """Hands all jobs that have come in to one ``write``, one write at a time.

    ``write`` answers each job, in their order, with a result or with the error of that job alone;
    what it raises is the error of all. A job whose caller has gone away is written all the same.
    """

    def __init__(
        self, write: Callable[[Sequence[Job]], Awaitable[Sequence[Result | Exception]]]
    ) -> None:
        self._write = write
        self._waiting: list[tuple[Job, asyncio.Future[Result]]] = []
        self._one_at_a_time = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, job: Job) -> Result:
        """The result of the job, once it has been written."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, answer))
        task = asyncio.create_task(self._flush())
        self._running.add(task)  # the loop itself keeps tasks only weakly
        task.add_done_callback(self._running.discard)
        return await answer

    async def _flush(self) -> None:
        async with self._one_at_a_time:
            batch, self._waiting = self._waiting, []
            if not batch:
                return
            results: Sequence[Result | Exception]
            try:
                results = await self._write([job for job, _ in batch])
            except Exception as error:  # noqa: BLE001 - it is raised where the jobs came from
                results = [error] * len(batch)
            for (_, answer), result in zip(batch, results, strict=True):
                if answer.done():  # cancelled
                    continue
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)
