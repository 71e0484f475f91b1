"""How traffic is carried: health checks, pools, timeouts, retries, outliers, TLS, access logs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from annotated_types import Ge, Le, Len

from trimtab.providers.appmesh.values import (
    AtLeastOne,
    Duration,
    GatewayProtocol,
    Natural,
    Port,
    Protocol,
    Rules,
    Text,
    at_most_one,
    exactly_one,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    healthy_threshold: Annotated[int, Ge(2), Le(10)]
    interval_millis: Annotated[int, Ge(5000), Le(300_000)]
    path: str | None = None
    port: Port | None = None
    protocol: Protocol
    timeout_millis: Annotated[int, Ge(2000), Le(60_000)]
    unhealthy_threshold: Annotated[int, Ge(2), Le(10)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayHealthCheck:
    healthy_threshold: Annotated[int, Ge(2), Le(10)] | None = None
    interval_millis: Annotated[int, Ge(5000), Le(300_000)]
    path: str | None = None
    port: Port | None = None
    protocol: GatewayProtocol
    timeout_millis: Annotated[int, Ge(2000), Le(60_000)]
    unhealthy_threshold: Annotated[int, Ge(2), Le(10)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPool:
    max_connections: AtLeastOne
    max_pending_requests: AtLeastOne | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPool:
    max_requests: AtLeastOne


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpPool:
    max_connections: AtLeastOne


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConnectionPool:
    http: HttpPool | None = None
    http2: RequestPool | None = None
    grpc: RequestPool | None = None
    RULES: ClassVar[Rules] = (exactly_one("http", "http2", "grpc"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPool:
    tcp: TcpPool | None = None
    http: HttpPool | None = None
    http2: RequestPool | None = None
    grpc: RequestPool | None = None
    RULES: ClassVar[Rules] = (exactly_one("tcp", "http", "http2", "grpc"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTimeout:
    per_request: Duration | None = None
    idle: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpTimeout:
    idle: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTimeout:
    tcp: TcpTimeout | None = None
    http: HttpTimeout | None = None
    http2: HttpTimeout | None = None
    grpc: HttpTimeout | None = None
    RULES: ClassVar[Rules] = (exactly_one("tcp", "http", "http2", "grpc"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierDetection:
    max_server_errors: AtLeastOne
    interval: Duration
    base_ejection_duration: Duration
    max_ejection_percent: Annotated[int, Ge(0), Le(100)]


class HttpRetryEvent(StrEnum):
    SERVER_ERROR = "server-error"
    GATEWAY_ERROR = "gateway-error"
    CLIENT_ERROR = "client-error"
    STREAM_ERROR = "stream-error"


class TcpRetryEvent(StrEnum):
    CONNECTION_ERROR = "connection-error"


class GrpcRetryEvent(StrEnum):
    CANCELLED = "cancelled"
    DEADLINE_EXCEEDED = "deadline-exceeded"
    INTERNAL = "internal"
    RESOURCE_EXHAUSTED = "resource-exhausted"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRetryPolicy:
    max_retries: Natural
    per_retry_timeout: Duration
    http_retry_events: Annotated[tuple[HttpRetryEvent, ...], Len(1, 25)] | None = None
    tcp_retry_events: Annotated[tuple[TcpRetryEvent, ...], Len(1, 1)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcRetryPolicy:
    max_retries: Natural
    per_retry_timeout: Duration
    http_retry_events: Annotated[tuple[HttpRetryEvent, ...], Len(1, 25)] | None = None
    tcp_retry_events: Annotated[tuple[TcpRetryEvent, ...], Len(1, 1)] | None = None
    grpc_retry_events: Annotated[tuple[GrpcRetryEvent, ...], Len(1, 5)] | None = None


# --- TLS, logging ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmCertificate:
    certificate_arn: Annotated[str, Len(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCertificate:
    certificate_chain: Text
    private_key: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class SdsSecret:
    secret_name: Annotated[str, Len(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The certificate of a listener."""

    acm: AcmCertificate | None = None
    file: FileCertificate | None = None
    sds: SdsSecret | None = None
    RULES: ClassVar[Rules] = (exactly_one("acm", "file", "sds"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    file: FileCertificate | None = None
    sds: SdsSecret | None = None
    RULES: ClassVar[Rules] = (exactly_one("file", "sds"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmTrust:
    certificate_authority_arns: Annotated[tuple[str, ...], Len(1, 3)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrust:
    certificate_chain: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTrust:
    file: FileTrust | None = None
    sds: SdsSecret | None = None
    RULES: ClassVar[Rules] = (exactly_one("file", "sds"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyTrust:
    acm: AcmTrust | None = None
    file: FileTrust | None = None
    sds: SdsSecret | None = None
    RULES: ClassVar[Rules] = (exactly_one("acm", "file", "sds"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactNames:
    exact: tuple[Annotated[str, Len(1, 254)], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectAlternativeNames:
    match: ExactNames


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerValidation:
    trust: ListenerTrust
    subject_alternative_names: SubjectAlternativeNames | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    trust: AnyTrust
    subject_alternative_names: SubjectAlternativeNames | None = None


class TlsMode(StrEnum):
    DISABLED = "DISABLED"
    PERMISSIVE = "PERMISSIVE"
    STRICT = "STRICT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTls:
    mode: TlsMode
    certificate: Certificate
    validation: ListenerValidation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayListenerTls:
    mode: TlsMode
    certificate: Certificate
    validation: Validation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    enforce: bool = True
    ports: tuple[Port, ...] = ()
    certificate: ClientCertificate | None = None
    validation: Validation


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPolicy:
    tls: ClientTls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendDefaults:
    client_policy: ClientPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPair:
    key: Annotated[str, Len(1)]
    value: Annotated[str, Len(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    text: str | None = None
    json: tuple[JsonPair, ...] | None = None
    RULES: ClassVar[Rules] = (at_most_one("text", "json"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    path: Text
    format: LogFormat | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLog:
    file: LogFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    access_log: AccessLog | None = None
