"""Tables that are made from another one."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab import HeaderMatch, RouteTable, Rule, RuleError

HOSTS = ["a", "b", "*.c", "*"]


def rules_of(host: str, count: int, mark: str = "") -> list[Rule]:
    return [
        Rule(f"{host}{n}{mark}", prefix=f"/{n}", hosts=[host], targets=[(f"{host}{n}{mark}", 1)])
        for n in range(count)
    ]


def answer(table: RouteTable, path: str, host: str) -> tuple[str, int] | None:
    match = table.match(path, host)
    return (match.route, match.rank) if match else None


def test_weights_change_and_nothing_else() -> None:
    """The rules keep their ranks and data; the table before stays as it was."""
    data = object()
    before = RouteTable(
        [Rule("x", path="/x"), Rule("r", targets=[("v1", 1), ("v2", 0)], data=data)]
    )
    after = before.with_targets({"r": [("v1", 90), ("v2", 10)]})
    old, new = before.match("/"), after.match("/")
    assert old is not None
    assert new is not None
    assert (old.targets, new.targets) == ((("v1", 1), ("v2", 0)), (("v1", 90), ("v2", 10)))
    assert (new.rank, new.data, new.pick(95)) == (1, data, "v2")
    assert after.match("/x") == before.match("/x")
    assert [rule.targets for rule in after.rules] == [(), new.targets]
    routed = after.route("/", value=95)
    assert routed is not None
    assert routed.target == "v2"


def test_all_rules_of_a_name_get_the_weights() -> None:
    """A name may stand for several matches of one route."""
    table = RouteTable([Rule("r", path="/a", targets=[("v1", 1)]), Rule("r", targets=[("v1", 1)])])
    changed = table.with_targets({"r": [("v2", 1)]})
    assert [rule.targets for rule in changed.rules] == [(("v2", 1),)] * 2


def test_weights_that_cannot_be_are_refused() -> None:
    """By rule and field, as when the rule was made; an unknown name is an error."""
    table = RouteTable([Rule("r", targets=[("v1", 1)])])
    with pytest.raises(RuleError, match=r'rule "r": targets: the weights sum to zero'):
        table.with_targets({"r": [("v1", 0)]})
    with pytest.raises(RuleError, match=r'rule "r": targets: -1 is not in'):
        table.with_targets({"r": [("v1", -1)]})
    with pytest.raises(ValueError, match='no rule "s"'):
        table.with_targets({"s": [("v1", 1)]})


def test_the_picks_of_a_changed_table_go_on() -> None:
    """A seeded table that is changed midway picks as one that was not, where the weights agree."""
    rule = Rule("r", targets=[("a", 1), ("b", 1)])
    plain, changing = RouteTable([rule], seed=3), RouteTable([rule], seed=3)
    picked = []
    for _ in range(50):
        match = changing.route("/")
        assert match is not None
        picked.append(match.target)
        changing = changing.with_targets({"r": [("a", 1), ("b", 1)]})
    assert picked == [match.target for match in (plain.route("/") for _ in range(50)) if match]


def test_a_host_is_replaced_added_emptied_and_removed() -> None:
    """Other hosts answer as before; ranks of what stays stay; ``explain`` tells the same story."""
    table = RouteTable([*rules_of("a", 2), *rules_of("*", 2)])
    replaced = table.with_host("a", rules_of("ignored", 3, "-new"))
    assert answer(replaced, "/2", "a") == ("ignored2-new", 4)
    assert answer(replaced, "/1", "x") == ("*1", 3)
    assert replaced.with_host("a", []).match("/1", "a") is None
    assert answer(table.without_host("a"), "/1", "a") == ("*1", 3)
    assert answer(table.without_host(["a", "nobody"]), "/1", "a") == ("*1", 3)
    added = table.with_host(["b", "*.c"], rules_of("b", 1))
    assert answer(added, "/0", "x.c") == answer(added, "/0", "B") == ("b0", 4)
    assert len(added) == len(added.rules) == 5
    assert answer(table, "/1", "a") == ("a1", 1)
    with pytest.raises(RuleError, match="hosts"):
        table.with_host("a*b", [])
    with pytest.raises(ValueError, match="name at least one"):
        table.with_host([], [])


def test_new_rules_may_ask_about_new_headers() -> None:
    """Headers that no rule asked about before are found in the changed table."""
    table = RouteTable([Rule("a", headers=[HeaderMatch("x-a")])])
    changed = table.with_host("*", [Rule("b", headers=[HeaderMatch("x-b")])])
    assert changed.match("/", None, None, {"x-b": "1"})
    assert changed.match("/", None, None, {"x-a": "1"}) is None


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["host", "gone", "targets"]), st.sampled_from(HOSTS), st.integers(0, 3)
    ),
    max_size=6,
)


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4), CHANGES)
def test_a_changed_table_answers_as_one_built_anew(
    counts: list[int], changes: list[tuple[str, str, int]]
) -> None:
    """Whatever was changed, in whichever order: routes and targets are those of a new table, by
    ``match``, ``match_many``, ``match_columns`` and by going through the list."""
    served = {host: rules_of(host, count) for host, count in zip(HOSTS, counts, strict=True)}
    table = RouteTable([r for rules in served.values() for r in rules], empty_hosts=HOSTS)
    for step, (kind, host, count) in enumerate(changes):
        if kind == "host":
            served[host] = rules_of(host, count, f"-{step}")
            table = table.with_host(host, served[host])
        elif kind == "gone":
            served.pop(host, None)
            table = table.without_host(host)
        elif served.get(host):
            name = served[host][0].name
            table = table.with_targets({name: [("new", 1)]})
            served[host][0] = Rule(name, prefix="/0", hosts=[host], targets=[("new", 1)])
    anew = RouteTable([r for rules in served.values() for r in rules], empty_hosts=list(served))
    for path in ("/0", "/1x", "/2", "/"):
        for asked in ("a", "b", "x.c", "other"):
            match, expected = table.match(path, asked), anew.match(path, asked)
            told = match and (match.route, match.targets)
            assert told == (expected and (expected.route, expected.targets))
            assert table.match_listed(path, asked) is match
            assert table.match_many([(path, asked)]) == [match]
            (rank,) = table.match_columns([path], [asked])
            assert table.rule(rank) is (match.rule if match else None)
            assert sum(reason is None for _, _, reason in table.explain(path, asked)) == bool(match)


def test_a_table_of_many_is_changed_at_both_ends() -> None:
    """Answers stand in chunks: the first, the last and those that are added are all found."""
    table = RouteTable([Rule(f"r{n}", path=f"/{n}", targets=[("v1", 1)]) for n in range(1000)])
    changed = table.with_targets({f"r{n}": [("v2", 1)] for n in (0, 511, 512, 999)})
    changed = changed.with_host("h", [Rule(f"h{n}", path=f"/{n}") for n in range(600)])
    assert [changed.rules[n].targets[0][0] for n in (0, 1, 511, 512, 999)] == [
        "v2",
        "v1",
        "v2",
        "v2",
        "v2",
    ]
    assert [answer(changed, f"/{n}", "h") for n in (0, 599)] == [("h0", 1000), ("h599", 1599)]
    assert len(changed) == 1600


def test_a_table_before_is_collected() -> None:
    """A chain of changes does not keep what it left behind."""

    class Handler:
        table: RouteTable

    handler = Handler()
    handler.table = RouteTable([Rule("r", targets=[("v1", 1)], data=handler)])
    handler.table = handler.table.with_targets({"r": [("v2", 1)]})
    gone = weakref.ref(handler)
    del handler
    gc.collect()
    assert gone() is None


def test_gateway_api_asks_the_next_best_host() -> None:
    """Its order is that of HTTPRoute; where the best host has no rule that matches, another may."""
    table = RouteTable(
        [
            Rule("any", prefix="/"),
            Rule("suffix", prefix="/", hosts=["*.example"], methods=["GET"]),
            Rule("short", prefix="/a", hosts=["shop.example"]),
            Rule("long", prefix="/a/b", hosts=["shop.example"]),
            Rule("exact", path="/a", hosts=["shop.example"]),
        ],
        order="gateway-api",
    )
    asked = [("/a", "GET"), ("/a/b", "GET"), ("/ax", "GET"), ("/", "GET"), ("/", "PUT")]
    routes = [
        match.route for match in (table.match(p, "shop.example", m) for p, m in asked) if match
    ]
    assert routes == ["exact", "long", "short", "suffix", "any"]
