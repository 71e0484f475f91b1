"""What several kinds share: limits and one-of rules, references, selectors, matches.

The dataclasses are the schema: ``reader`` builds a reader from their field types, and the
annotations are the limits of the CRDs, or of the App Mesh API where the CRDs have none
(ports, names). Field names appear in documents in camelCase (``_arn`` as ``ARN``). Classes
with a ``RULES`` attribute have one-of rules that types cannot say. Absent and null are the
same, as in the Kubernetes API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple, TypeAlias

from annotated_types import Ge, Le, Len

GROUP = "appmesh.k8s.aws"
VERSION = "v1beta2"
API_VERSION = f"{GROUP}/{VERSION}"
UNSET_PRIORITY = 1001  # a route without a priority comes after every stated one (0 to 1000)


class Choice(NamedTuple):
    """A one-of rule: between ``least`` and ``most`` of ``names`` (as in Python) are set."""

    least: int
    most: int
    names: tuple[str, ...]


class Among(NamedTuple):
    """A limit on an enum: only these of its values are legal here."""

    values: tuple[str, ...]


def exactly_one(*names: str) -> Choice:
    return Choice(1, 1, names)


def at_most_one(*names: str) -> Choice:
    return Choice(0, 1, names)


def at_least_one(*names: str) -> Choice:
    return Choice(1, len(names), names)


Rules: TypeAlias = tuple[Choice, ...]
AwsName = Annotated[str, Len(1, 255)]
Name = Annotated[str, Len(1, 253)]
Text = Annotated[str, Len(1, 255)]
Port = Annotated[int, Ge(1), Le(65535)]
Weight = Annotated[int, Ge(0), Le(100)]
Priority = Annotated[int, Ge(0), Le(1000)]
Int64 = Annotated[int, Ge(-(2**63)), Le(2**63 - 1)]
Natural = Annotated[int, Ge(0), Le(2**63 - 1)]
AtLeastOne = Annotated[int, Ge(1), Le(2**63 - 1)]
Arn = Annotated[str, Len(1)]


class Protocol(StrEnum):
    HTTP = "http"
    HTTP2 = "http2"
    GRPC = "grpc"
    TCP = "tcp"


GatewayProtocol = Annotated[
    Protocol, Among((Protocol.GRPC.value, Protocol.HTTP.value, Protocol.HTTP2.value))
]


class Switch(StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class Method(StrEnum):
    CONNECT = "CONNECT"
    DELETE = "DELETE"
    GET = "GET"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"
    PATCH = "PATCH"
    POST = "POST"
    PUT = "PUT"
    TRACE = "TRACE"


class Scheme(StrEnum):
    HTTP = "http"
    HTTPS = "https"


# --- shared by several kinds ----------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRef:
    """``meshRef`` or ``virtualGatewayRef``: filled in by the old controller, not by people."""

    name: Name
    namespace: Name | None = None
    uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshRef:
    name: Name
    uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Another object; without a namespace it stands in that of the referrer."""

    name: Name
    namespace: Name | None = None


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    key: Annotated[str, Len(1)]
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator is Operator.EXISTS:
            return value is not None
        if self.operator is Operator.DOES_NOT_EXIST:
            return value is None
        return (value in self.values) == (self.operator is Operator.IN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A Kubernetes label selector: all must hold; an empty one selects everything."""

    match_labels: Mapping[str, str] = field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()

    @property
    def keys(self) -> set[str]:
        """The labels on which it depends what is selected."""
        return {*self.match_labels, *(r.key for r in self.match_expressions)}

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(k) == v for k, v in self.match_labels.items()) and all(
            r.matches(labels) for r in self.match_expressions
        )


class Unit(StrEnum):
    SECONDS = "s"
    MILLISECONDS = "ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    unit: Unit
    value: Natural

    @property
    def milliseconds(self) -> int:
        return self.value * 1000 if self.unit is Unit.SECONDS else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMapping:
    port: Port
    protocol: Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPortMapping:
    port: Port
    protocol: GatewayProtocol


# --- matches --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRange:
    """A half-open interval [start, end) of integers."""

    start: Int64
    end: Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueMatch:
    exact: Text | None = None
    prefix: Text | None = None
    suffix: Text | None = None
    regex: Text | None = None
    range: ValueRange | None = None
    RULES: ClassVar[Rules] = (exactly_one("exact", "prefix", "suffix", "regex", "range"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderMatch:
    """One header, or one entry of gRPC metadata; without ``match`` it has to be there."""

    name: Annotated[str, Len(1, 50)]
    match: ValueMatch | None = None
    invert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryValue:
    exact: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryMatch:
    """One query parameter; without ``match`` it has to be there."""

    name: Annotated[str, Len(1)]
    match: QueryValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMatch:
    exact: Text | None = None
    regex: Text | None = None
    RULES: ClassVar[Rules] = (exactly_one("exact", "regex"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostnameMatch:
    exact: Name | None = None
    suffix: Name | None = None
    RULES: ClassVar[Rules] = (exactly_one("exact", "suffix"),)


Headers = Annotated[tuple[HeaderMatch, ...], Len(1, 10)]
Queries = Annotated[tuple[QueryMatch, ...], Len(1, 10)]
