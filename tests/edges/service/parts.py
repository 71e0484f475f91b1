"""Reports as the core may make them, a router that answers as told, keys of a CA."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

import trustme
from hypothesis import strategies as st

from trimtab.core.matching import MatchAnswer, MatchQuery, RuleQuery
from trimtab.core.model import (
    Action,
    Decision,
    Judgement,
    ObjectRef,
    Outcome,
    Reason,
    Report,
    Role,
    Route,
    RouteKey,
    Shift,
    Target,
    Window,
)
from trimtab.core.steering import Cohort, Pair, Steering, Way
from trimtab.core.verdict import Verdict
from trimtab.serving import Address, Tls

LOOPBACK = Address("127.0.0.1", 0)


def make_policy(name: str) -> ObjectRef:
    return ObjectRef("trimtab.dev", "WeightPolicy", "shop", name)


def make_report(
    name: str = "web",
    at: float = 1000.0,
    *,
    weights: tuple[int, int] = (50, 50),
    granted: tuple[int, int] | None = None,
    verdict: Verdict = Verdict.GOOD,
    action: Action = Action.HOLD,
    outcome: Outcome = Outcome.UNCHANGED,
    phase: str = "optimise",
    message: str = "",
    attempts: int = 0,
    rule: str = "main",
) -> Report:
    """A Report on one rule with the targets a and b; verdict is that on b."""
    router = ObjectRef("appmesh.k8s.aws", "VirtualRouter", "shop", name)
    targets = tuple(
        Target(target, weight, f"cds_{target}")
        for target, weight in zip("ab", weights, strict=True)
    )
    decision = Decision(
        policy=make_policy(name),
        at=at,
        mode="optimise",
        action=action,
        phase=phase,
        shifts=(
            Shift(
                Route(RouteKey("appmesh", router, rule), targets, 100),
                (0.25, 0.75),
                granted or weights,
            ),
        ),
        judgements=(
            Judgement("a", Verdict.GOOD, "fine", requests=10, age_s=1.0),
            Judgement("b", verdict, "as it is", requests=20, errors=2, age_s=3.5),
        ),
        reasons=(Reason("Balanced", "Nothing to do."),),
        inputs={"cds_a": Window(at - 5, at, {2: 10}, 0, (1.0, math.inf), (9, 1), 12.0)},
    )
    return Report(decision, outcome, message, attempts)


def _reports() -> st.SearchStrategy[Report]:
    name = st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=8)
    when = st.floats(0, 4e9)
    span = st.floats(0, 1e6)
    ages = span | st.just(math.inf)
    count = st.integers(0, 2**64 - 1)
    unit = st.integers(0, 1_000_000)
    refs = st.builds(ObjectRef, name, name, name, name)
    policies = st.builds(ObjectRef, st.just("trimtab.dev"), st.just("WeightPolicy"), name, name)
    targets = st.lists(
        st.builds(
            Target,
            name,
            unit,
            st.none() | name,
            st.sampled_from(Role),
            st.lists(name, max_size=2).map(tuple),
        ),
        max_size=3,
        unique_by=lambda target: target.name,
    )
    keys = st.builds(RouteKey, name, refs, name)

    word = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
    pairs = st.lists(st.builds(Pair, name=word, value=st.none() | word), max_size=2).map(tuple)
    ways = st.builds(
        Steering,
        way=st.sampled_from(Way),
        services=st.lists(word, max_size=2).map(tuple),
        match=st.builds(Cohort, headers=pairs, cookies=pairs, query=pairs, host=name),
    )

    @st.composite
    def shifts(draw: st.DrawFn) -> Shift:
        route = Route(
            draw(keys),
            tuple(draw(targets)),
            draw(unit),
            draw(st.booleans()),
            draw(st.none() | ways),
        )
        size = len(route.targets)
        wanted = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
        granted = draw(st.lists(unit, min_size=size, max_size=size))
        return Shift(route, tuple(wanted), tuple(granted))

    windows = st.builds(
        Window,
        when,
        when,
        st.dictionaries(st.integers(0, 9), count, max_size=5),
        count,
        st.lists(st.floats(0), max_size=3).map(tuple),
        st.lists(count, max_size=3).map(tuple),
        st.floats(0),
        st.floats(0),
        ages,
        st.booleans(),
    )
    judgements = st.builds(
        Judgement,
        name,
        st.sampled_from(Verdict),
        name,
        count,
        count,
        count,
        st.none() | st.floats(0),
        ages,
    )
    decisions = st.builds(
        Decision,
        policies,
        when,
        name,
        st.sampled_from(Action),
        name,
        st.lists(
            shifts(), max_size=2, unique_by=lambda s: (s.route.key.object[1:], s.route.key.rule)
        ).map(tuple),
        st.lists(judgements, max_size=2).map(tuple),
        st.lists(st.builds(Reason, name, name), max_size=2).map(tuple),
        st.dictionaries(name, windows, max_size=2),
        st.booleans(),
    )
    return st.builds(
        Report, decisions, st.sampled_from(Outcome), name, st.integers(0, 2**32 - 1), span
    )


# Any Report that the model allows, odd ones included.
REPORTS = _reports()


class Router:
    """Answers with what a test puts in, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[MatchQuery | RuleQuery] = []
        self.answer: MatchAnswer | Exception | None = None

    def __call__(self, query: MatchQuery | RuleQuery) -> MatchAnswer | None:
        self.asked.append(query)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Keys:
    """A CA with a server's key and certificate for 127.0.0.1 and a client's, as PEM files."""

    def __init__(self, directory: Path) -> None:
        ca = trustme.CA()
        self.ca, self.client_ca = directory / "ca.pem", directory / "client-ca.pem"
        self.server_cert, self.server_key = directory / "server.pem", directory / "server.key"
        self.client_cert, self.client_key = directory / "client.pem", directory / "client.key"
        client_ca = trustme.CA()
        ca.cert_pem.write_to_path(self.ca)
        client_ca.cert_pem.write_to_path(self.client_ca)
        of_server = ca.issue_cert("127.0.0.1")
        of_client = client_ca.issue_cert("client.test")
        for leaf, cert, key in (
            (of_server, self.server_cert, self.server_key),
            (of_client, self.client_cert, self.client_key),
        ):
            leaf.cert_chain_pems[0].write_to_path(cert)
            leaf.private_key_pem.write_to_path(key)

    @property
    def tls(self) -> Tls:
        return Tls(self.server_cert, self.server_key)

    @property
    def mutual(self) -> Tls:
        return Tls(self.server_cert, self.server_key, self.client_ca)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that nobody announces, for a bounded time."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
