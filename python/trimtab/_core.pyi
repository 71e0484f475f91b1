"""The compiled half of Trimtab: matching, picking, allocating.

This is its contract, compared with the binary by stubtest.
"""

# ruff: noqa: PYI021 - what editors show for compiled code is what stands here

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

from typing_extensions import Buffer

__all__ = [
    "HeaderMatch",
    "Match",
    "Picker",
    "QueryMatch",
    "RouteTable",
    "Rule",
    "RuleError",
    "__version__",
    "allocate",
]

__version__: str

_Text: TypeAlias = str | bytes
_Headers: TypeAlias = (
    Mapping[str, _Text | Sequence[_Text]]
    | Mapping[bytes, _Text | Sequence[_Text]]
    | Sequence[tuple[_Text, _Text]]
)
_Request: TypeAlias = (
    _Text
    | tuple[_Text]
    | tuple[_Text, _Text | None]
    | tuple[_Text, _Text | None, _Text | None]
    | tuple[_Text, _Text | None, _Text | None, _Headers | None]
)

_Column: TypeAlias = list[str] | list[bytes] | tuple[bytes, Buffer]

class RuleError(ValueError):
    """A rule that cannot be honoured; ``rule`` and ``field`` say where."""

    rule: str
    field: str

def allocate(
    shares: Sequence[float], units: int, lower: Sequence[int], upper: Sequence[int]
) -> list[int]:
    """Whole units nearest to ``shares * units`` within the bounds, summing to ``units``.

    "Nearest" is the least sum of squared differences; of equally near ones the earlier target
    gets the unit. Raises ValueError when a share is not finite, the bounds leave no solution,
    or ``units`` is above 1,000,000.
    """

@final
class HeaderMatch:
    """A condition on one header: at most one kind; none means that the header is there.

    Texts are compared with the whole value; ``regex`` is RE2 syntax; ``range`` holds whole numbers,
    its end not included. Of a repeated header one value that passes is enough. An absent header
    fails every condition on its value, inverted or not, unless ``treat_missing_as_empty``.
    Pseudo-headers (``:path``, ``:authority``, ``:method``, ``:scheme``) can be asked too.
    """

    def __new__(
        cls,
        name: str,
        *,
        exact: str | None = None,
        prefix: str | None = None,
        suffix: str | None = None,
        contains: str | None = None,
        regex: str | None = None,
        range: tuple[int, int] | None = None,  # noqa: A002 - Envoy's word for it
        present: bool | None = None,
        invert: bool = False,
        treat_missing_as_empty: bool = False,
        ignore_case: bool = False,
    ) -> HeaderMatch: ...
    @property
    def name(self) -> str: ...

@final
class QueryMatch:
    """A condition on one query parameter: at most one kind; none means that it is there.

    The query is compared as it was sent (nothing is decoded); of a repeated parameter the first
    value counts.
    """

    def __new__(
        cls,
        name: str,
        *,
        exact: str | None = None,
        prefix: str | None = None,
        suffix: str | None = None,
        contains: str | None = None,
        regex: str | None = None,
        present: bool | None = None,
        ignore_case: bool = False,
    ) -> QueryMatch: ...
    @property
    def name(self) -> str: ...

@final
class Rule:
    """What a rule asks of a request, and where it sends the requests that it gets.

    ``path``: the whole path. ``prefix``: its beginning (``/s`` matches ``/sx``).
    ``path_separated_prefix``: a beginning that ends at a slash. ``regex``: RE2 syntax for the whole
    path. At most one of them; ``ignore_case`` goes with the first three. The query is no part of it.

    ``hosts``: ``name``, ``*.suffix``, ``prefix.*`` or ``*``; a rule without hosts serves ``*``. The
    host of a request chooses one pattern (exact, longest suffix, longest prefix, ``*``), and only
    the rules that name it are tried. ``grpc``: True for any call, or ``"package.Service"``,
    ``"package.Service/Method"``, ``"*/Method"``. ``targets``: names with weights, as
    Envoy's weighted clusters. ``data`` comes back with each match.

    Raises RuleError, which names the field.
    """

    def __new__(
        cls,
        name: str,
        *,
        path: str | None = None,
        prefix: str | None = None,
        regex: str | None = None,
        path_separated_prefix: str | None = None,
        ignore_case: bool = False,
        hosts: Sequence[str] = (),
        methods: Sequence[str] = (),
        scheme: str | None = None,
        port: int | None = None,
        grpc: bool | str = False,
        headers: Sequence[HeaderMatch] = (),
        query: Sequence[QueryMatch] = (),
        priority: int | None = None,
        targets: Sequence[tuple[str, int]] = (),
        data: object = None,
    ) -> Rule: ...
    @property
    def name(self) -> str: ...
    @property
    def hosts(self) -> tuple[str, ...]: ...
    @property
    def priority(self) -> int | None: ...
    @property
    def targets(self) -> tuple[tuple[str, int], ...]: ...
    @property
    def data(self) -> object: ...

@final
class Match:
    """The rule that gets a request. Two that name the same rule at the same rank, and the same target
    if one was picked, are equal."""

    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    @property
    def route(self) -> str:
        """The name of the rule."""
    @property
    def rule(self) -> Rule: ...
    @property
    def rank(self) -> int:
        """The place of the rule in its table, 0 for the one that is tried first."""
    @property
    def targets(self) -> tuple[tuple[str, int], ...]: ...
    @property
    def data(self) -> object:
        """What the rule was given as ``data``."""
    @property
    def target(self) -> str | None:
        """The name of the picked target, where the match comes from ``RouteTable.route``."""
    def pick(self, value: int) -> str:
        """The name of the target that Envoy picks when it has drawn ``value`` (0 to 2**64 - 1):
        ``value`` modulo the sum of the weights, in the half-open intervals of the list.

        This and the other picks raise ValueError when the rule has no targets.
        """
    def sticky(self, key: _Text) -> str:
        """The name of the target that ``key`` always gets, in every process and version.

        By weighted rendezvous: a changed weight moves only the keys that it must. The cost grows
        with the number of targets.
        """
    def split(self, picks: int) -> tuple[tuple[str, int], ...]:
        """``picks`` (0 to 2**64 - 1) shared out by weight: pairs of name and number, in order.

        What is owed is rounded down; what is left over goes to the largest remainders, the earlier
        first. The numbers sum to ``picks``.
        """
    def picker(
        self, mode: Literal["random", "smooth", "swrr"] = "random", *, seed: int | None = None
    ) -> Picker:
        """A sequence of picks from these targets."""

@final
class Picker:
    """A sequence of picks from weighted targets, pairs of name and weight.

    ``mode``: "random", each pick by chance; "smooth", in which every target has its share at any
    time, to within a few picks; "swrr", nginx's smooth weighted round robin, whose cost grows with
    the number of targets. The same ``seed`` (0 to 2**64 - 1) gives the same sequence ("swrr" has
    only one); without one it is drawn anew, in forked processes too. Threads may share a picker:
    each pick of the sequence is given once. A weight of zero is never picked.

    Raises RuleError for weights that sum to zero or to more than 2**32 - 1.
    """

    def __new__(
        cls,
        targets: Sequence[tuple[str, int]],
        mode: Literal["random", "smooth", "swrr"] = "random",
        *,
        seed: int | None = None,
    ) -> Picker: ...
    def pick(self) -> str:
        """The name of the next target."""
    def pick_many(self, count: int) -> list[str]:
        """The names of the next ``count`` targets."""
    @property
    def targets(self) -> tuple[tuple[str, int], ...]: ...
    @property
    def mode(self) -> Literal["random", "smooth", "swrr"]: ...
    @property
    def seed(self) -> int | None:
        """What the sequence depends on: given again, it gives the same one. None for "swrr"."""

@final
class RouteTable:
    """An immutable set of rules in order: which of them gets a request? Safe to share among threads.

    ``order``: "listed" (Envoy: the first that matches) or "priority-then-length" (the lower priority
    number, none counting as 1001; then the longer path; exact before regex before prefix; the rule
    with more conditions; the name) or "gateway-api" (HTTPRoute's and GRPCRoute's: the best host
    first, and the next best where none of its rules match; the longer gRPC service and method; exact
    before regex before prefix; the longer path; a method; more headers, more query parameters; the
    lower priority number, which stands for the older route; the name). ``empty_hosts`` have no rule: their requests get no answer,
    where those of a host that nobody names get the rules of ``*``. ``ignore_port`` looks up the host
    of a request without its port. ``seed`` makes the picks of ``route`` repeatable.
    """

    def __new__(
        cls,
        rules: Iterable[Rule],
        order: Literal["listed", "priority-then-length", "gateway-api"] = "listed",
        *,
        empty_hosts: Sequence[str] = (),
        ignore_port: bool = False,
        seed: int | None = None,
    ) -> RouteTable: ...
    @staticmethod
    def from_manifests(
        paths: Iterable[str | Path], *, gateway: str | None = None, values: Iterable[str] = ()
    ) -> RouteTable:
        """The table that App Mesh manifests (files and directories) give an Envoy.

        Without ``gateway`` that of a client: every VirtualService is a host (under its name, with
        any port or none), on the first port of its VirtualRouter or VirtualNode. With ``gateway``,
        ``name`` or ``namespace/name``: the first listener of that VirtualGateway, whose targets are
        VirtualServices. ``values``: files or KEY=VALUE pairs for placeholders. ``Match.data`` is the
        entry of the mesh. The Envoys of App Mesh normalize a path before they match it: give paths
        in normal form, with neither ``//`` nor ``/../``.

        Raises ``trimtab.errors.InvalidDocument``, which names file and field, for what cannot be
        read or honoured, and for a gateway that is not there.
        """
    @staticmethod
    def from_envoy(
        source: Mapping[str, Any] | str | PathLike[str], *, name: str | None = None
    ) -> RouteTable:
        """The table of an Envoy v3 RouteConfiguration.

        ``source``: a document, YAML or JSON text, a file, or what Envoy's ``/config_dump`` answers;
        ``name`` says which one where there are several. ``Match.data`` is a
        ``trimtab.providers.envoy_routes.EnvoyRoute``: its virtual host, what kind of action it is,
        and by which header it picks. A route to one cluster has it as its target, of weight 1.

        Raises ``trimtab.errors.InvalidDocument``, which names virtual host, route and field, for
        what Envoy would refuse and for what cannot be honoured.
        """
    def match(
        self,
        path: _Text,
        host: _Text | None = None,
        method: _Text | None = None,
        headers: _Headers | None = None,
        *,
        scheme: _Text | None = None,
        port: int | None = None,
    ) -> Match | None:
        """The rule that gets this request, or None.

        ``path`` may carry a query. Names of headers are in any case. What is not given is absent: a
        rule that asks for it does not match. Lone surrogates that stand for undecodable bytes
        (``surrogateescape``) are those bytes; any other raises UnicodeEncodeError.
        """
    def route(
        self,
        path: _Text,
        host: _Text | None = None,
        method: _Text | None = None,
        headers: _Headers | None = None,
        value: int | None = None,
        *,
        scheme: _Text | None = None,
        port: int | None = None,
    ) -> Match | None:
        """The same, with ``target`` as Envoy picks it when it has drawn ``value`` (0 to 2**64 - 1).

        Without a value a number is drawn: the next of the sequence that the table's ``seed`` gives,
        of which threads that share the table each take their own. ``target`` is None when the rule
        has no targets.
        """
    def match_listed(
        self,
        path: _Text,
        host: _Text | None = None,
        method: _Text | None = None,
        headers: _Headers | None = None,
        *,
        scheme: _Text | None = None,
        port: int | None = None,
    ) -> Match | None:
        """The answer of ``match`` by trying one rule after the other: what ``match`` is tested against."""
    def match_many(self, requests: Iterable[_Request]) -> list[Match | None]:
        """One answer for each request: a path, or a tuple of up to path, host, method, headers."""
    def match_columns(
        self,
        paths: _Column,
        hosts: _Column | _Text | None = None,
        methods: _Column | _Text | None = None,
    ) -> memoryview[int]:
        """The ranks of the rules that get the requests: 32-bit numbers, 2**32 - 1 where none does.

        ``paths``: a list of texts, or a tuple of bytes and offsets: all texts one after the other,
        and where each begins and the last ends, as a buffer of 32 or 64-bit numbers (Arrow's
        layout). ``hosts`` and ``methods`` are the same, or one for all. ``rule(rank)`` is the rule.
        Other threads run meanwhile where no column is a list and there are 1,000 requests or more.

        Raises ValueError for columns of different lengths, and for offsets that are out of order.
        """
    def explain(
        self,
        path: _Text,
        host: _Text | None = None,
        method: _Text | None = None,
        headers: _Headers | None = None,
        *,
        scheme: _Text | None = None,
        port: int | None = None,
    ) -> list[tuple[str, bool, str | None]]:
        """For each rule in order: its name, whether it matches, why it does not get the request.

        The last is None for the one rule that gets it.
        """
    def with_targets(self, targets: Mapping[str, Sequence[tuple[str, int]]]) -> RouteTable:
        """The same table with other targets, by the names of rules.

        What they ask stays, so nothing is compiled: microseconds, at any size. All rules of a name
        are changed; they keep their ``data``. ``route`` goes on with the sequence that it has.

        Raises ValueError for a name that no rule has, RuleError for weights that cannot be picked
        from.
        """
    def with_host(self, hosts: str | Sequence[str], rules: Iterable[Rule]) -> RouteTable:
        """The same table with these rules and no others for requests of these hosts.

        The hosts that the rules name themselves do not count. No rules: requests that get no answer.
        The cost is that of compiling the rules and some of other hosts, about 256 in all; for a host
        that is new also that of the index of all hosts. A rule that stays keeps its rank; new ones
        get ranks that nobody has.

        Raises ValueError when the table would be too large.
        """
    def without_host(self, hosts: str | Sequence[str]) -> RouteTable:
        """The same table without these hosts: their requests get the rules of the next best pattern.

        A host that is not there is no error.
        """
    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in the order in which they are tried; that of a rank where the table was built
        at once (``rule`` finds it in every table)."""
    def rule(self, rank: int) -> Rule | None:
        """The rule of this rank, as ``match_columns`` gives it; None for one that no rule has."""
    def __len__(self) -> int: ...
