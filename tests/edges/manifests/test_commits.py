"""Group commit: what comes in while a write is under way goes into the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from trimtab.edges.manifests.commits import Commits


class Disk:
    """Notes the batches that it is asked to write; each write waits to be let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.writing = 0
        self.go = asyncio.Semaphore(0)

    async def write(self, jobs: Sequence[int]) -> list[int | Exception]:
        self.writing += 1
        assert self.writing == 1, "two writes at a time"
        self.batches.append(list(jobs))
        await self.go.acquire()
        self.writing -= 1
        if 13 in jobs:
            raise OSError("the disk is gone")
        return [ValueError(str(job)) if job < 0 else job * 10 for job in jobs]


async def test_jobs_are_written_together_and_answered_apart() -> None:
    """One write at a time; whoever comes meanwhile shares the next; each gets its own answer."""
    disk = Disk()
    commits: Commits[int, int] = Commits(disk.write)
    jobs = [asyncio.ensure_future(commits.submit(1))]
    while not disk.batches:  # noqa: ASYNC110 - a few turns of the loop
        await asyncio.sleep(0)
    jobs += [asyncio.ensure_future(commits.submit(job)) for job in (2, -3, 4)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert disk.batches == [[1]]
    disk.go.release()
    disk.go.release()
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    assert disk.batches == [[1], [2, -3, 4]]
    assert answers[:2] + answers[3:] == [10, 20, 40]
    assert isinstance(answers[2], ValueError)


async def test_a_write_that_fails_fails_for_all_of_it_and_nobody_else() -> None:
    """The next write is not concerned."""
    disk = Disk()
    disk.go = asyncio.Semaphore(9)
    commits: Commits[int, int] = Commits(disk.write)
    failed = await asyncio.gather(commits.submit(13), commits.submit(1), return_exceptions=True)
    assert [type(answer) for answer in failed] == [OSError, OSError]
    assert await commits.submit(5) == 50
    with pytest.raises(ValueError, match="-1"):
        await commits.submit(-1)
