"""The diagnostics of the App Mesh provider: every code, how bad it is, and what it is about.

``fatal`` says that a document with this diagnostic is used for nothing: not steered, not
served, not matched. docs/appmesh-diagnostics.md explains each code; a test compares the two.
"""

from __future__ import annotations

from typing import NamedTuple

from trimtab.core.model import Diagnostic, Object, ObjectRef, Severity


class Code(NamedTuple):
    name: str
    severity: Severity
    title: str
    fatal: bool = False


class Problem(NamedTuple):
    """A diagnostic before it is known in which document it stands."""

    code: Code
    field: str
    message: str
    remedy: str = ""


def diagnostic(problem: Problem, obj: Object | None, ref: ObjectRef | None = None) -> Diagnostic:
    return Diagnostic(
        code=problem.code.name,
        severity=problem.code.severity,
        message=problem.message,
        remedy=problem.remedy,
        ref=obj.ref if obj else ref,
        field=problem.field,
    )


E, W, I = Severity.ERROR, Severity.WARNING, Severity.INFO  # noqa: E741 - a table reads better

# reading: what the schema says
UNKNOWN_FIELD = Code("AM001", W, "unknown field")
MISSING = Code("AM002", E, "required field missing", fatal=True)
WRONG_TYPE = Code("AM003", E, "wrong type", fatal=True)
NOT_A_CHOICE = Code("AM004", E, "not one of the legal values", fatal=True)
OUT_OF_RANGE = Code("AM005", E, "number out of range", fatal=True)
BAD_LENGTH = Code("AM006", E, "too long, too short, too many or too few", fatal=True)
ONE_OF = Code("AM007", E, "one-of rule broken", fatal=True)
WRONG_VERSION = Code("AM008", E, "API version that is not read", fatal=True)
EMPTY_SPEC = Code("AM009", W, "empty spec")

# rules of one document: the old webhooks, and the App Mesh API behind them
BAD_PATH = Code("AM101", E, "path does not start with a slash", fatal=True)
EMPTY_RANGE = Code("AM102", E, "empty range", fatal=True)
EMPTY_QUERY_MATCH = Code("AM103", E, "query parameter match without exact", fatal=True)
BAD_REWRITE = Code("AM104", E, "rewrite that does not fit the match", fatal=True)
METHOD_WITHOUT_SERVICE = Code("AM105", E, "methodName without serviceName", fatal=True)
DUPLICATE_ROUTE = Code("AM106", E, "two routes of one name", fatal=True)
NO_DISCOVERY = Code("AM107", E, "listeners without serviceDiscovery", fatal=True)
DUPLICATE_BACKEND = Code("AM108", E, "backend listed twice")
RESERVED_NAME = Code("AM109", W, "name reserved by App Mesh")
NO_PATH = Code("AM110", W, "router route without prefix or path")
BAD_MATCH = Code("AM111", E, "match that Envoy would refuse", fatal=True)
PORT_NEEDED = Code("AM112", W, "several listeners and a route without port")
OWNER_BY_HAND = Code("AM113", I, "reference that is not a user's to set")
PROTOCOL_MISMATCH = Code("AM114", W, "settings of another protocol than the listener's")
NEVER_SEEN = Code("AM115", W, "path that no request has")
SAME_PORT = Code("AM116", E, "two listeners on one port")
SCHEME = Code("AM117", W, "scheme outside of http2")
ONE_ADDRESS = Code("AM118", I, "outlier detection of a single address")

# names and references
NO_MESH = Code("AM201", W, "no Mesh selects the namespace")
SEVERAL_MESHES = Code("AM202", E, "several Meshes select the namespace")
ASSUMED_MESH = Code("AM203", I, "Mesh assumed")
NO_GATEWAY = Code("AM204", W, "no VirtualGateway selects the GatewayRoute")
SEVERAL_GATEWAYS = Code("AM205", E, "several VirtualGateways select the GatewayRoute")
ASSUMED_GATEWAY = Code("AM206", I, "VirtualGateway assumed")
UNRESOLVED = Code("AM207", E, "reference that does not resolve")
NO_PROVIDER = Code("AM208", W, "VirtualService without provider")
NO_SUCH_PORT = Code("AM209", E, "port that nobody listens on")
IDLE_GATEWAY = Code("AM210", W, "VirtualGateway without GatewayRoutes")
TARGET_PORT_NEEDED = Code("AM211", W, "target with several listeners and no port")
WRONG_PROTOCOL = Code("AM212", W, "protocols that do not fit")
CIRCLE = Code("AM213", I, "circle of backends")
SAME_NAME = Code("AM214", E, "two objects of one awsName")
NO_LISTENER = Code("AM215", W, "target without listeners")

# matching: what wins, and what never does
LOST_IN_REWRITE = Code("AM301", W, "route that never matches after the gateway's rewrite")
SHADOWED = Code("AM302", W, "route that never gets a request")
AMBIGUOUS = Code("AM303", W, "order that App Mesh leaves open")
UPSIDE_DOWN = Code("AM304", W, "priority upside down")
AND_FOR_OR = Code("AM305", W, "headers that exclude each other")
TIMEOUT_TWICE = Code("AM306", W, "timeout stated in one of two places")

# weights
ALL_ZERO = Code("AM401", E, "weights all zero")
OVER_100 = Code("AM402", W, "weights add up to more than 100")
DUPLICATE_TARGET = Code("AM403", W, "target listed twice in one route")
SHARED_NODE = Code("AM404", I, "VirtualNode shared by several routers")
WEIGHTS_UNREAD = Code("AM405", E, "weights annotation that cannot be used")
WEIGHTS_OURS = Code("AM406", I, "weights annotation honoured by our xDS alone")

# serving by our own xDS
NOT_SERVED = Code("AM501", W, "field not honoured by our xDS")
NOT_OBSERVED = Code("AM502", I, "field of observation not honoured by our xDS")

# older and wrong shapes, read for looking and never applied
OLD_SHAPE = Code("AM601", E, "v1beta1 document")
NO_SUCH_KIND = Code("AM602", E, "kind that never existed")
NEVER_EXISTED = Code("AM603", E, "shape that never existed")
WEIGHTS_AT_GATEWAY = Code("AM604", E, "weights or several targets in a GatewayRoute")
LITERAL_HOST = Code("AM605", W, "host rewritten to a literal")
TLS_MISSING = Code("AM606", W, "https without a certificate")
LEFT_OUT = Code("AM607", I, "what the v1beta2 form does otherwise")

ALL: tuple[Code, ...] = tuple(v for v in list(globals().values()) if isinstance(v, Code))
