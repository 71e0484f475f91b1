"""Snapshots are versioned by their content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trimtab.edges.xds.snapshot import CLUSTER, EMPTY, ROUTE, changes, snapshot

BODIES = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=2), max_size=6)
Bodies = dict[str, dict[str, bytes]]
RESOURCES = st.fixed_dictionaries({CLUSTER: BODIES, ROUTE: BODIES})


@given(RESOURCES, RESOURCES)
def test_the_version_is_the_content(one: Bodies, other: Bodies) -> None:
    """Two snapshots have the same version if and only if they hold the same."""
    assert (snapshot(one).version == snapshot(other).version) == (one == other)
    assert snapshot(one, snapshot(other)).version == snapshot(one).version


@given(RESOURCES, RESOURCES)
def test_changes_say_exactly_what_differs(old: Bodies, new: Bodies) -> None:
    """Applying the changes to the old resources gives the new ones, and nothing is said twice."""
    before, after = snapshot(old), snapshot(new, snapshot(old))
    found = changes(before, after)
    for type_url in (CLUSTER, ROUTE):
        updated, removed = found.get(type_url, (frozenset(), frozenset()))
        assert updated == {n for n, b in new[type_url].items() if old[type_url].get(n) != b}
        assert removed == old[type_url].keys() - new[type_url].keys()
        assert (type_url in found) == bool(updated or removed)


@given(RESOURCES)
def test_what_did_not_change_is_the_same_object(resources: Bodies) -> None:
    """An unchanged type, and an unchanged whole, are taken over: nobody need look at them again."""
    first = snapshot(resources)
    again = {
        t: {n: bytes(bytearray(b)) for n, b in bodies.items()} for t, bodies in resources.items()
    }
    assert snapshot(again, first) is first
    changed = {**again, ROUTE: {**again[ROUTE], "new": b""}}
    assert snapshot(changed, first).of(CLUSTER) is first.of(CLUSTER)


def test_nothing_differs_from_itself() -> None:
    """The empty snapshot has no changes."""
    assert changes(EMPTY, EMPTY) == {}
