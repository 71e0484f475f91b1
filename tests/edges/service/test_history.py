"""The memory of Reports: bounded, in order, and never in the way."""

from __future__ import annotations

import asyncio

from edges.service.parts import make_policy, make_report
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.model import ObjectRef
from trimtab.history import History, News, policy_name

tellings = st.lists(st.sampled_from("abc"), max_size=40)


def test_names_of_policies() -> None:
    """A policy is called namespace/name, or by its name where there are no namespaces."""
    assert policy_name(ObjectRef("g", "k", "shop", "web")) == "shop/web"
    assert policy_name(ObjectRef("g", "k", "", "web")) == "web"


@given(told=tellings, keep=st.integers(1, 5))
def test_each_policy_keeps_its_last(told: list[str], keep: int) -> None:
    """Of each policy the last Reports are kept, as many as agreed, newest first."""
    history = History(per_policy=keep)
    reports = [make_report(name, at) for at, name in enumerate(told)]
    for report in reports:
        history.tell(report)
    for name in "abc":
        own = [r for r in reports if r.decision.policy.name == name]
        assert list(history.of(make_policy(name))) == own[::-1][:keep]
    newest = {report.decision.policy: report for report in reports}
    assert {report.decision.policy: report for report in history.newest()} == newest
    assert set(history.policies()) == set(newest)


@given(told=st.lists(st.integers(0, 30), max_size=200), total=st.integers(1, 20))
def test_many_policies_share_the_memory(told: list[int], total: int) -> None:
    """However many policies there are, each has its newest, and one told last has its fair part."""
    history = History(per_policy=10, total=total)
    for at, number in enumerate(told):
        report = make_report(f"p{number}", at)
        history.tell(report)
        policies = history.policies()
        own = history.of(report.decision.policy)
        assert own[0] is report
        assert len(own) <= max(1, min(10, total // len(policies)))
        assert all(history.of(policy) for policy in policies)


@given(told=tellings, kept=st.sets(st.sampled_from("abc")))
def test_a_removed_policy_leaves_nothing(told: list[str], kept: set[str]) -> None:
    """Of policies that are no more nothing is kept; the others stay as they were."""
    history = History()
    for at, name in enumerate(told):
        history.tell(make_report(name, at))
    before = {name: history.of(make_policy(name)) for name in "abc"}
    history.retain([make_policy(name) for name in kept])
    for name in "abc":
        assert history.of(make_policy(name)) == (before[name] if name in kept else ())
    assert {r.decision.policy.name for r in history.newest()} == kept & set(told)


@given(steps=st.lists(st.sampled_from(["tell", "tell", "tell", "read"]), max_size=60))
def test_a_reader_gets_all_or_learns_how_many_not(steps: list[str]) -> None:
    """What a reader got and what it was told it lost are all that was told, in order."""

    async def run() -> None:
        history = History()
        told, got, lost, waiting = 0, [], 0, 0
        with history.subscribe(size=3) as subscription:
            for step in steps:
                if step == "tell":
                    history.tell(make_report("web", told))
                    told += 1
                    waiting = min(3, waiting + 1)
                elif waiting:
                    news = await anext(subscription)
                    got.append(int(news.report.decision.at))
                    lost += news.dropped
                    waiting -= 1
                    assert got[-1] + 1 == len(got) + lost
            subscription.close()
            async for news in subscription:
                got.append(int(news.report.decision.at))
                lost += news.dropped
        assert got == sorted(set(got))
        assert len(got) + lost == told

    asyncio.run(run())


async def test_a_reader_waits_for_the_next() -> None:
    """A reader who has read all is woken by the next Report, and by the end."""
    history = History()
    with history.subscribe() as subscription:
        reading = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        assert not reading.done()
        report = make_report("web")
        history.tell(report)
        assert await reading == News(report, 0)
        ending = asyncio.ensure_future(anext(subscription, None))
        await asyncio.sleep(0)
        subscription.close()
        assert await ending is None


async def test_after_the_block_nothing_is_kept() -> None:
    """A Subscription whose block has ended receives nothing more."""
    history = History()
    with history.subscribe() as subscription:
        pass
    history.tell(make_report("web"))
    subscription.close()
    assert [news async for news in subscription] == []
