"""Shares of 1 to whole units, exactly."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab._core import allocate


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=4
    ),
    st.integers(0, 12),
)
def test_no_other_way_is_nearer(targets: list[tuple[float, int, int]], units: int) -> None:
    """The answer minimises the squared differences over all legal ways, in exact arithmetic.

    Of equally near ways it is the one that gives more to earlier targets.
    """
    shares = [share for share, _, _ in targets]
    lower = [low for _, low, _ in targets]
    upper = [low + more for _, low, more in targets]
    wishes = [Fraction(share * units) for share in shares]
    ways = [
        way
        for way in product(*(range(low, high + 1) for low, high in zip(lower, upper, strict=True)))
        if sum(way) == units
    ]
    if not ways:
        with pytest.raises(ValueError, match="bounds sum to"):
            allocate(shares, units, lower, upper)
        return

    def distance(way: tuple[int, ...]) -> Fraction:
        return sum(((x - wish) ** 2 for x, wish in zip(way, wishes, strict=True)), Fraction(0))

    nearest = min(ways, key=lambda way: (distance(way), [-x for x in way]))
    assert allocate(shares, units, lower, upper) == list(nearest)


def test_a_hundred_targets_share_a_million_units() -> None:
    """The largest case keeps its sum and its bounds."""
    shares = [n / 4950 for n in range(100)]
    units = allocate(shares, 1_000_000, [100] * 100, [15_000] * 100)
    assert sum(units) == 1_000_000
    assert min(units) >= 100
    assert max(units) == 15_000
    assert units == sorted(units)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5], 10, [0], [5]), "the upper bounds sum to 5, below the 10 units"),
        (([0.5, 0.5], 10, [6, 5], [9, 9]), "the lower bounds sum to 11, above the 10 units"),
        (([0.5], 10, [6], [5]), r"lower\[0\] is 6, above upper\[0\], which is 5"),
        (([0.5, float("nan")], 10, [0, 0], [9, 9]), r"shares\[1\] is NaN"),
        (([float("inf")], 10, [0], [9]), r"shares\[0\] is inf"),
        (([0.5], -1, [0], [9]), "units: -1 is not in"),
        (([0.5], 10, [-1], [9]), r"lower\[0\]: -1 is not in"),
        (([0.5], 1_000_001, [0], [9]), "units: 1000001 is more than 1000000"),
        (([0.5], 10, [], [9]), "1 shares, 0 lower bounds and 1 upper bounds"),
    ],
)
def test_what_cannot_be_is_named(
    arguments: tuple[list[float], int, list[int], list[int]], message: str
) -> None:
    """A ValueError says which number makes it impossible."""
    with pytest.raises(ValueError, match=message):
        allocate(*arguments)
