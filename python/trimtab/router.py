"""Holds the current route table. A swap is one assignment; readers never wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from trimtab.core.matching import MatchAnswer, MatchQuery, RuleQuery
from trimtab.errors import Unavailable


class Table(Protocol):
    """The compiled routes of one instant; None is a door or a rule that does not exist."""

    def answer(self, query: MatchQuery) -> MatchAnswer | None: ...

    def pick(self, query: RuleQuery) -> MatchAnswer | None: ...


class Router:
    """The table of the newest objects, compiled when it is first asked after a swap.

    Compiling late keeps a burst of changes (a ramp that moves 500 routes) from compiling
    500 tables that nobody asks.
    """

    def __init__(self) -> None:
        self._compile: Callable[[], Table] | None = None
        self._table: Table | None = None

    def swap(self, compile_table: Callable[[], Table]) -> None:
        self._compile, self._table = compile_table, None

    def match(self, query: MatchQuery) -> MatchAnswer | None:
        """Where a request goes. Raises Unavailable before the first swap."""
        return self._current().answer(query)

    def pick(self, query: RuleQuery) -> MatchAnswer | None:
        """The target of one rule. Raises Unavailable before the first swap."""
        return self._current().pick(query)

    def _current(self) -> Table:
        table = self._table
        if table is None:
            if self._compile is None:
                raise Unavailable("the objects have not been read yet; try again in a moment")
            table = self._table = self._compile()
        return table
