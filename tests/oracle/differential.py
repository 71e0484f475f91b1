"""Random tables and requests, asked of the fast table, the list and the real Envoy."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from oracle.asking import DifferenceError, Read, answers_of, envoy_of, fast_answer, smallest
from oracle.questions import Questions
from oracle.tables import Tables
from oracle.tally import Tally

from trimtab import RouteTable

TABLES = 80  # to one Envoy
REQUESTS = 250  # to one table


def run(
    cases: int,
    seed: int,
    told: Callable[[Tally], None] = lambda _: None,
    read: Read = RouteTable.from_envoy,
) -> Tally:
    """Ask ``cases`` questions. Raises the first DifferenceError, on the smallest table that shows it.

    ``told`` is called now and then with the tally so far; ``read`` makes the tables that are asked.
    """
    tally = Tally()
    round_number = 0
    while tally.cases < cases:
        random = Random(f"{seed}/{round_number}")
        try:
            _round(random, tally, cases, read)
        except DifferenceError as difference:
            raise smallest(difference, read) from None
        round_number += 1
        told(tally)
    return tally


def _round(random: Random, tally: Tally, cases: int, read: Read) -> None:
    source = Tables(random)
    drawn = [source.draw() for _ in range(TABLES)]
    tables = [read(case.document) for case in drawn]
    questions = Questions(random)
    refused = sorted(source.refused)
    with envoy_of([case.document for case in drawn], refused) as envoy:
        tally.refused += len(refused)
        for number, (case, table) in enumerate(zip(drawn, tables, strict=True)):
            left = min(REQUESTS, cases - tally.cases)
            asked = [questions.draw(case) for _ in range(left)]
            seen = envoy.ask(number, asked)
            for one, envoys in zip(asked, seen, strict=True):
                found = fast_answer(table, one)
                answers = answers_of(table, one, found, envoys)
                if not answers.agree:
                    raise DifferenceError(case.document, one, answers)
                tally.count(case, table, one, found)
