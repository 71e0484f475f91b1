"""GetDecisions and WatchDecisions, asked by a real client."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any

import grpc
import pytest
from edges.service.parts import REPORTS, make_report, until
from google.protobuf.duration_pb2 import Duration
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core import model
from trimtab.core.model import Report
from trimtab.core.steering import Way
from trimtab.core.verdict import Verdict
from trimtab.edges import grpc_messages
from trimtab.edges.grpc_server import Server, Service
from trimtab.edges.pb.trimtab.v1 import trimtab_pb2 as pb
from trimtab.edges.pb.trimtab.v1.trimtab_pb2_grpc import TrimtabStub
from trimtab.history import History

RENAMED = {"took_s": "took", "age_s": "age"}
LONGEST_S = 315_576_000_000


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> TrimtabStub:
    return TrimtabStub(channel)


def names(response: pb.GetDecisionsResponse) -> list[tuple[str, int]]:
    return [(r.decision.policy.name, r.decision.at.seconds) for r in response.reports]


def assert_mirrors(value: Any, said: Any) -> None:
    """``said``, a message or a part of one, says all that ``value`` says, and nothing more."""
    if isinstance(said, Duration):
        assert said.ToNanoseconds() / 1e9 == pytest.approx(min(value, LONGEST_S), abs=1e-6)
    elif isinstance(said, Timestamp):
        assert said.ToNanoseconds() / 1e9 == pytest.approx(value, abs=1e-6)
    elif isinstance(said, Message):
        fields = _fields(value)
        known = {field.name for field in said.DESCRIPTOR.fields}
        assert {RENAMED.get(name, name) for name in fields} == known
        for name, part in fields.items():
            field = said.DESCRIPTOR.fields_by_name[RENAMED.get(name, name)]
            if part is None:
                assert not said.HasField(field.name)
            elif field.enum_type is not None:
                text = field.enum_type.values_by_number[getattr(said, field.name)].name
                assert text == f"{field.enum_type.name.upper()}_{part.name}"
            else:
                assert_mirrors(part, getattr(said, field.name))
    elif isinstance(value, tuple):
        assert len(value) == len(said)
        for part, other in zip(value, said, strict=True):
            assert_mirrors(part, other)
    elif isinstance(value, dict):
        assert value.keys() == said.keys()
        for key, part in value.items():
            assert_mirrors(part, said[key])
    else:
        assert value == said


def _fields(value: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return dict(value._asdict())


@given(report=REPORTS)
def test_a_message_says_all_of_a_report(report: Report) -> None:
    """The message of any Report has every field of it, and no others; it survives the wire."""
    message = grpc_messages.report_message(report)
    assert_mirrors(report, pb.Report.FromString(message.SerializeToString()))


@pytest.mark.parametrize(
    ("words", "enum"),
    [
        (model.Role, pb.Role),
        (model.Action, pb.Action),
        (model.Outcome, pb.Outcome),
        (Verdict, pb.Verdict),
        (Way, pb.Way),
    ],
)
def test_the_api_has_a_word_for_each_of_the_core(
    words: type[StrEnum], enum: EnumTypeWrapper
) -> None:
    """The enums of the API are those of the core, and one value for what was not said."""
    prefix = enum.DESCRIPTOR.name.upper()
    said = {name.removeprefix(f"{prefix}_") for name in enum.keys()}  # noqa: SIM118
    assert said == {word.name for word in words} | {"UNSPECIFIED"}


async def test_the_newest_of_each_policy(stub: TrimtabStub, history: History) -> None:
    """Without a filter each policy answers with its newest Report, in the order of their names."""
    for name, at in (("web", 1), ("api", 2), ("web", 3)):
        history.tell(make_report(name, at))
    assert names(await stub.GetDecisions(pb.GetDecisionsRequest())) == [("api", 2), ("web", 3)]


async def test_the_history_of_one_policy(stub: TrimtabStub, history: History) -> None:
    """A named policy answers with as many Reports as are asked for and kept, newest first."""
    for name, at in (("web", 1), ("api", 2), ("web", 3), ("web", 4)):
        history.tell(make_report(name, at))
    asked = pb.GetDecisionsRequest(policies=["shop/web"], history=2)
    assert names(await stub.GetDecisions(asked)) == [("web", 4), ("web", 3)]
    asked.history = 9
    assert names(await stub.GetDecisions(asked)) == [("web", 4), ("web", 3), ("web", 1)]


async def test_an_unknown_policy_is_not_found(stub: TrimtabStub, history: History) -> None:
    """A policy of which nothing is known is an error that names it, not an empty answer."""
    history.tell(make_report("web"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetDecisions(pb.GetDecisionsRequest(policies=["shop/web", "shop/wep"]))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "No decision is known of policy 'shop/wep'."


@settings(max_examples=50)
@given(
    told=st.lists(st.sampled_from("abcdef"), max_size=30),
    size=st.integers(1, 8),
    depth=st.integers(0, 4),
)
def test_pages_hold_the_same_as_one_answer(told: list[str], size: int, depth: int) -> None:
    """Page after page says what one answer says, each within its size or of one policy alone."""
    history = History()
    for at, name in enumerate(told):
        history.tell(make_report(name, at))
    service = Service(lambda _: None, lambda _: None, history, lambda: 0)
    whole = service._page(pb.GetDecisionsRequest(history=depth))
    paged: list[pb.Report] = []
    token = ""
    for _ in range(len(told) + 1):
        asked = pb.GetDecisionsRequest(history=depth, page_size=size, page_token=token)
        page = service._page(asked)
        assert len(page.reports) <= size or len({r.decision.policy.name for r in page.reports}) == 1
        paged.extend(page.reports)
        token = page.next_page_token
        if not token:
            break
    assert not token, "the pages never end"
    assert paged == list(whole.reports)


async def test_a_page_is_full(stub: TrimtabStub, history: History) -> None:
    """A page ends where its size is reached, not before; the last one has no token."""
    for at, name in enumerate("abcde"):
        history.tell(make_report(name, at))
    asked = pb.GetDecisionsRequest(page_size=2)
    sizes = []
    for _ in range(3):
        page = await stub.GetDecisions(asked)
        sizes.append(len(page.reports))
        asked.page_token = page.next_page_token
    assert sizes == [2, 2, 1]
    assert not asked.page_token


async def test_a_watch_begins_with_what_is_known(stub: TrimtabStub, history: History) -> None:
    """A watcher first gets the newest Report of each policy, then each new one as it is told."""
    history.tell(make_report("web", 1))
    history.tell(make_report("web", 2))
    call = stub.WatchDecisions(pb.WatchDecisionsRequest())
    first = await call.read()
    history.tell(make_report("api", 3))
    second = await call.read()
    assert [r.report.decision.at.seconds for r in (first, second)] == [2, 3]
    assert (first.dropped, second.dropped) == (0, 0)
    call.cancel()


async def test_a_watch_of_what_is_new_of_some(stub: TrimtabStub, history: History) -> None:
    """A watcher of named policies who asks for new Reports gets these alone."""
    history.tell(make_report("web", 1))
    asked = pb.WatchDecisionsRequest(policies=["shop/web"], only_new=True)
    call = stub.WatchDecisions(asked)
    await call.initial_metadata()
    history.tell(make_report("api", 2))
    history.tell(make_report("web", 3))
    news = await call.read()
    assert (news.report.decision.policy.name, news.report.decision.at.seconds) == ("web", 3)
    call.cancel()


async def test_a_watch_of_some_begins_with_these(stub: TrimtabStub, history: History) -> None:
    """A watcher of named policies gets what is known of these, and of no others."""
    history.tell(make_report("api", 1))
    history.tell(make_report("web", 2))
    call = stub.WatchDecisions(pb.WatchDecisionsRequest(policies=["shop/web"]))
    assert (await call.read()).report.decision.policy.name == "web"
    call.cancel()


async def test_a_slow_watcher_is_told_what_it_missed(stub: TrimtabStub, history: History) -> None:
    """A watcher who is too slow loses the oldest Reports and learns how many; others lose none."""
    slow = stub.WatchDecisions(pb.WatchDecisionsRequest())
    await slow.initial_metadata()
    for at in range(20):  # in one go: the server has no chance to send, and keeps 4 of them
        history.tell(make_report("web", at))
    got = [await slow.read() for _ in range(4)]
    assert [(n.report.decision.at.seconds, n.dropped) for n in got] == [
        (16, 16),
        (17, 0),
        (18, 0),
        (19, 0),
    ]
    slow.cancel()


async def test_a_watcher_who_does_not_read_stops_nobody(
    stub: TrimtabStub, history: History
) -> None:
    """With one watcher asleep and its pipe full, another gets every Report."""
    asleep = stub.WatchDecisions(pb.WatchDecisionsRequest())
    awake = stub.WatchDecisions(pb.WatchDecisionsRequest())
    await asleep.initial_metadata()
    await awake.initial_metadata()
    large = "x" * 500_000  # more than the windows of HTTP/2 hold after a few of them
    for at in range(20):
        history.tell(make_report("web", at, message=large))
        news = await awake.read()
        assert (news.report.decision.at.seconds, news.dropped) == (at, 0)
    seen, dropped = 0, 0
    while seen + dropped < 20:
        news = await asleep.read()
        seen, dropped = seen + 1, dropped + news.dropped
    assert dropped > 0
    assert news.report.decision.at.seconds == 19
    asleep.cancel()
    awake.cancel()


async def test_a_watcher_who_leaves_is_forgotten(
    stub: TrimtabStub, service: Service, history: History
) -> None:
    """When a client goes away its queue goes too."""
    call = stub.WatchDecisions(pb.WatchDecisionsRequest())
    await call.initial_metadata()
    assert len(history._subscriptions) == len(service._watching) == 1
    call.cancel()
    await until(lambda: not history._subscriptions and not service._watching)


async def test_a_stop_ends_watches(
    stub: TrimtabStub, server: tuple[Server, int], history: History
) -> None:
    """A server that stops says so to its watchers at once, after what they have coming."""
    call = stub.WatchDecisions(pb.WatchDecisionsRequest())
    await call.initial_metadata()
    history.tell(make_report("web", 1))
    await server[0].stop(60)
    assert (await call.read()).report.decision.at.seconds == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert caught.value.details() == "The server stops. Remedy: connect again."
