"""Match and Pick, asked by a real client."""

from __future__ import annotations

import logging

import grpc
import pytest
from edges.service.parts import Router
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.matching import MatchAnswer, MatchQuery, RuleQuery, TargetWeight
from trimtab.edges.grpc_server import Service
from trimtab.edges.pb.trimtab.v1 import trimtab_pb2 as pb
from trimtab.edges.pb.trimtab.v1.trimtab_pb2_grpc import TrimtabStub
from trimtab.errors import Conflict, InvalidDocument, Refused, TrimtabError, Unavailable
from trimtab.history import History

TARGETS = (TargetWeight("blue", 90), TargetWeight("green", 10))
ANSWER = MatchAnswer("shop/gate", "shop/web", "shop/router", "main", TARGETS, "green")


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> TrimtabStub:
    return TrimtabStub(channel)


async def refusal(call: grpc.aio.UnaryUnaryCall) -> tuple[grpc.StatusCode, str]:
    """The status and the text with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details()


async def test_a_request_arrives_whole(stub: TrimtabStub, router: Router) -> None:
    """All that the client says about its request reaches the router."""
    router.answer = ANSWER
    await stub.Match(
        pb.MatchRequest(
            request=pb.Request(
                path="/a?b=c",
                host="shop.test:8080",
                method="POST",
                scheme="https",
                port=8443,
                headers=[pb.Header(name="x", value="1"), pb.Header(name="x", value="2")],
                random=2**64 - 1,
                service="shop/web",
            )
        )
    )
    assert router.asked == [
        MatchQuery(
            path="/a?b=c",
            host="shop.test:8080",
            method="POST",
            scheme="https",
            port=8443,
            headers=(("x", "1"), ("x", "2")),
            random=2**64 - 1,
            service="shop/web",
        )
    ]


async def test_what_is_not_said_has_the_usual_value(stub: TrimtabStub, router: Router) -> None:
    """Only the path is needed: GET over http, any port, no random number, the one gateway."""
    router.answer = ANSWER
    await stub.Match(pb.MatchRequest(request=pb.Request(path="/")))
    await stub.Match(pb.MatchRequest(request=pb.Request(path="/", random=0, gateway="edge")))
    assert router.asked == [MatchQuery("/"), MatchQuery("/", random=0, gateway="edge")]


async def test_an_answer_arrives_whole(stub: TrimtabStub, router: Router) -> None:
    """All that the router answers reaches the client."""
    router.answer = ANSWER
    reply = await stub.Match(pb.MatchRequest(request=pb.Request(path="/")))
    assert reply == pb.MatchResponse(
        matched=True,
        route="shop/gate",
        service="shop/web",
        router="shop/router",
        rule="main",
        targets=[
            pb.WeightedTarget(name="blue", weight=90),
            pb.WeightedTarget(name="green", weight=10),
        ],
        target="green",
    )


async def test_no_match_is_an_answer(stub: TrimtabStub, router: Router) -> None:
    """A request that no rule takes is answered, with how far it came and nothing beyond."""
    router.answer = MatchAnswer(route="shop/gate", service="shop/web", router="shop/router")
    reply = await stub.Match(pb.MatchRequest(request=pb.Request(path="/")))
    assert not reply.matched
    assert reply.router == "shop/router"
    assert not reply.HasField("rule")
    assert not reply.HasField("target")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({}, "request.path: '' does not begin with '/'. Remedy: give path and query."),
        ({"path": "a"}, "request.path: 'a' does not begin with '/'. Remedy: give path and query."),
        ({"path": "/", "port": 65536}, "request.port: 65536 is above 65535."),
        (
            {"path": "/", "headers": [{"name": ":authority"}]},
            (
                "request.headers: ':authority' is no header name. Remedy: give path, method, scheme and "
                "host in their own fields."
            ),
        ),
        (
            {"path": "/", "headers": [{"value": "x"}]},
            (
                "request.headers: '' is no header name. Remedy: give path, method, scheme and host in "
                "their own fields."
            ),
        ),
    ],
)
async def test_a_bad_request_is_refused(
    stub: TrimtabStub, router: Router, request_: dict[str, object], text: str
) -> None:
    """A request that cannot be one is refused before it is matched, naming the field."""
    router.answer = ANSWER
    asked = ParseDict({"request": request_}, pb.MatchRequest())
    assert await refusal(stub.Match(asked)) == (grpc.StatusCode.INVALID_ARGUMENT, text)
    assert not router.asked


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (pb.Request(path="/", gateway="edge"), "There is no gateway 'edge'."),
        (pb.Request(path="/", service="a/b"), "There is no service 'a/b'."),
        (pb.Request(path="/"), "There is no gateway."),
    ],
)
async def test_an_unknown_entry_is_not_found(
    stub: TrimtabStub, router: Router, request_: pb.Request, text: str
) -> None:
    """An entry that does not exist is an error that names it, not a request without a match."""
    router.answer = None
    call = stub.Match(pb.MatchRequest(request=request_))
    assert await refusal(call) == (grpc.StatusCode.NOT_FOUND, text)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidDocument("gateway: 'edge' is ambiguous"), grpc.StatusCode.INVALID_ARGUMENT),
        (Refused("a document is wrong"), grpc.StatusCode.FAILED_PRECONDITION),
        (Unavailable("no routes have been read yet"), grpc.StatusCode.UNAVAILABLE),
        (Conflict("changed meanwhile"), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_errors_say_who_must_act(
    stub: TrimtabStub, router: Router, error: TrimtabError, code: grpc.StatusCode
) -> None:
    """The status tells the caller's fault from a state to mend and from one that passes."""
    router.answer = error
    path = pb.Request(path="/")
    rule = pb.RuleKey(router="shop/router", rule="main")
    for call in (
        stub.Match(pb.MatchRequest(request=path)),
        stub.Pick(pb.PickRequest(request=path)),
        stub.Pick(pb.PickRequest(rule=rule)),
    ):
        assert await refusal(call) == (code, str(error))


async def test_pick_draws_a_missing_number(stub: TrimtabStub, router: Router) -> None:
    """A pick without a random number gets one from the server; one with a number keeps it."""
    router.answer = ANSWER
    for request in (
        pb.PickRequest(request=pb.Request(path="/")),
        pb.PickRequest(request=pb.Request(path="/", random=0)),
        pb.PickRequest(rule=pb.RuleKey(router="shop/router", rule="main")),
        pb.PickRequest(rule=pb.RuleKey(router="shop/router", rule="main", random=3)),
    ):
        assert await stub.Pick(request) == pb.PickResponse(target="green")
    assert router.asked == [
        MatchQuery("/", random=7),
        MatchQuery("/", random=0),
        RuleQuery("shop/router", "main", 7),
        RuleQuery("shop/router", "main", 3),
    ]


@pytest.mark.parametrize(
    ("request_", "answer", "code", "text"),
    [
        (
            pb.PickRequest(),
            ANSWER,
            grpc.StatusCode.INVALID_ARGUMENT,
            "Nothing to pick for. Remedy: give request or rule.",
        ),
        (
            pb.PickRequest(rule=pb.RuleKey(router="shop/router")),
            ANSWER,
            grpc.StatusCode.INVALID_ARGUMENT,
            "rule: router and rule are both required.",
        ),
        (
            pb.PickRequest(rule=pb.RuleKey(router="shop/router", rule="x")),
            None,
            grpc.StatusCode.NOT_FOUND,
            "There is no rule 'x' in router 'shop/router'.",
        ),
        (
            pb.PickRequest(request=pb.Request(path="/")),
            MatchAnswer(route="shop/gate"),
            grpc.StatusCode.NOT_FOUND,
            "The request reaches no target: the data plane answers 404.",
        ),
        (
            pb.PickRequest(request=pb.Request(path="/")),
            MatchAnswer("shop/gate", "shop/web", "shop/router", "main", TARGETS),
            grpc.StatusCode.FAILED_PRECONDITION,
            (
                "No target has a weight in rule 'main' of 'shop/router'. Remedy: give one of them a "
                "weight."
            ),
        ),
    ],
)
async def test_a_pick_without_a_target_says_why(
    stub: TrimtabStub,
    router: Router,
    request_: pb.PickRequest,
    answer: MatchAnswer | None,
    code: grpc.StatusCode,
    text: str,
) -> None:
    """A pick that has no target to name is refused with the reason, never with an empty name."""
    router.answer = answer
    assert await refusal(stub.Pick(request_)) == (code, text)


async def test_a_request_leaves_no_line_in_the_log(
    stub: TrimtabStub, router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    """Matching writes no log, neither for good requests nor for bad ones."""
    caplog.set_level(logging.INFO)
    router.answer = ANSWER
    await stub.Match(pb.MatchRequest(request=pb.Request(path="/")))
    await refusal(stub.Match(pb.MatchRequest(request=pb.Request(path="bad"))))
    assert caplog.records == []


@given(number=st.integers(0, 2**64 - 1))
def test_pick_asks_with_the_number_given(number: int) -> None:
    """Any 64-bit number reaches the router as it is."""
    asked = []

    def pick(query: RuleQuery) -> MatchAnswer:
        asked.append(query.random)
        return ANSWER

    service = Service(lambda _: None, pick, History(), lambda: 7)
    key = pb.RuleKey(router="shop/router", rule="main", random=number)
    assert service._picked(pb.PickRequest(rule=key)) == "green"
    assert asked == [number]
