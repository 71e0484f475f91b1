"""Every rule at every place where it holds: the sentence of the field, what breaks it, what keeps it.

The pairs of files show each diagnostic once; the tables here say where else it must be found, and
how near to the mistake a document may come without earning it. All stand in the mesh of base.yaml.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from trimtab.core.model import Severity
from trimtab.providers.appmesh import AppMesh

TO_CART = "{target: {virtualService: {virtualServiceRef: {name: cart}}}}"
V1 = "{virtualNodeRef: {name: cart-v1}, weight: 1}"
ONE = f"{{weightedTargets: [{V1}]}}"
ON = "[{portMapping: {port: 8080, protocol: http}}]"
BOTH = "[{portMapping: {port: 1, protocol: http}}, {portMapping: {port: 2, protocol: http}}]"
MILLI = "{unit: ms, value: 16000}"


def write(kind: str, name: str, spec: str) -> str:
    head = f"apiVersion: appmesh.k8s.aws/v1beta2\nkind: {kind}\n"
    return f"{head}metadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n"


def gateway_route(match: str, rewrite: str = "", form: str = "httpRoute", port: str = "") -> str:
    change = f", rewrite: {rewrite}" if rewrite else ""
    target = TO_CART[1:-1].replace("}}}", "}}" + (f", port: {port}" if port else "") + "}")
    return write(
        "GatewayRoute", "r", f"{{{form}: {{match: {match}, action: {{{target}{change}}}}}}}"
    )


def rule(match: str, form: str = "httpRoute", targets: str = V1, more: str = "") -> str:
    body = f"match: {match}, action: {{weightedTargets: [{targets}]}}{more}"
    return f"{{name: a, {form}: {{{body}}}}}"


def router(*rules: str, listeners: str = ON) -> str:
    return write(
        "VirtualRouter", "cart", f"{{listeners: {listeners}, routes: [{', '.join(rules)}]}}"
    )


def node(listener: str = "", more: str = "") -> str:
    whole = f"[{{portMapping: {{port: 8080, protocol: http}}{listener}}}]"
    return write(
        "VirtualNode",
        "cart-v1",
        f"{{listeners: {whole}, serviceDiscovery: {{dns: {{hostname: x}}}}{more}}}",
    )


def gateway(listeners: str, more: str = "") -> str:
    return write(
        "VirtualGateway", "door", f"{{namespaceSelector: {{}}, listeners: {listeners}{more}}}"
    )


def found(load: Any, base: Any, *texts: str) -> list[str]:
    """Code and field of what is wrong, but for what is only good to know."""
    reading = AppMesh().load(load(base, *texts))
    told = [d for d in reading.diagnostics if d.severity is not Severity.INFO]
    return [f"{d.code} {d.field}".strip() for d in told]


G, R = "spec.httpRoute.match", "spec.routes[0].httpRoute.match"
GG, RG = "spec.grpcRoute.match", "spec.routes[0].grpcRoute.match"
REWRITE = "spec.httpRoute.action.rewrite"
NO_PREFIX = "{path: {exact: /x}, hostname: {exact: a.b}}"

ONE_DOCUMENT = {
    # paths, at gateways and at routers
    "gateway prefix": (gateway_route("{prefix: x}"), f"AM101 {G}.prefix"),
    "gateway exact": (gateway_route("{path: {exact: x}}"), f"AM101 {G}.path.exact"),
    "gateway regex": (gateway_route("{path: {regex: '(?=x)'}}"), f"AM111 {G}.path.regex"),
    "gateway dots": (gateway_route("{path: {exact: /a/../b}}"), f"AM115 {G}.path.exact"),
    "gateway query": (gateway_route("{prefix: '/a?b'}"), f"AM115 {G}.prefix"),
    "gateway reserved": (gateway_route("{prefix: /aws-app-mesh/x}"), f"AM109 {G}.prefix"),
    "http2": (gateway_route("{prefix: x}", form="http2Route"), "AM101 spec.http2Route.match.prefix"),
    "router prefix": (router(rule("{prefix: x}")), f"AM101 {R}.prefix"),
    "router exact": (router(rule("{path: {exact: x}}")), f"AM101 {R}.path.exact"),
    "router regex": (router(rule("{path: {regex: '('}}")), f"AM111 {R}.path.regex"),
    "router slashes": (router(rule("{prefix: /a//}")), f"AM115 {R}.prefix"),
    "router reserved": (router(rule("{prefix: /aws-appmesh}")), f"AM109 {R}.prefix"),
    "router no path": (router(rule("{method: GET}")), f"AM110 {R}"),
    "router scheme": (router(rule("{prefix: /, scheme: http}")), f"AM117 {R}.scheme"),
    # headers: a range that is empty, one after another; what Envoy refuses; "and" taken for "or"
    "gateway range": (
        gateway_route(
            "{prefix: /, headers: [{name: a, match: {range: {start: 1, end: 2}}}, "
            "{name: b, match: {range: {start: 2, end: 2}}}, {name: c, match: {regex: '('}}]}"
        ),
        f"AM102 {G}.headers[1].match.range\nAM111 {G}.headers[2]",
    ),
    "gateway header name": (gateway_route("{prefix: /, headers: [{name: 'a b'}]}"), f"AM111 {G}.headers[0]"),
    "gateway query and header": (
        gateway_route("{prefix: /, headers: [{name: a}], queryParameters: [{name: q, match: {}}]}"),
        f"AM103 {G}.queryParameters[0].match",
    ),
    "router range": (
        router(rule("{prefix: /, headers: [{name: a, match: {range: {start: 3, end: 2}}}]}")),
        f"AM102 {R}.headers[0].match.range",
    ),
    "router query": (
        router(rule("{prefix: /, queryParameters: [{name: q, match: {}}]}")),
        f"AM103 {R}.queryParameters[0].match",
    ),
    "router and": (
        router(rule("{prefix: /, headers: [{name: A, match: {exact: x}}, {name: a, match: {exact: y}}]}")),
        f"AM305 {R}.headers[1]",
    ),
    "gateway metadata": (
        gateway_route("{serviceName: s, metadata: [{name: a, match: {range: {start: 2, end: 1}}}]}", form="grpcRoute"),
        f"AM102 {GG}.metadata[0].match.range",
    ),
    "router metadata": (
        router(rule("{serviceName: s, metadata: [{name: a, match: {range: {start: 2, end: 1}}}]}", form="grpcRoute")),
        f"AM102 {RG}.metadata[0].match.range",
    ),
    # grpc names, hosts
    "gateway grpc name": (
        gateway_route("{serviceName: aws.app-mesh.x}", form="grpcRoute"),
        f"AM109 {GG}.serviceName\nAM212 spec.grpcRoute",
    ),
    "router grpc name": (
        router(rule("{serviceName: aws.app-mesh}", form="grpcRoute"), listeners=ON.replace("http", "grpc")),
        f"AM109 {RG}.serviceName",
    ),
    "router method": (router(rule("{methodName: m}", form="grpcRoute")), f"AM105 {RG}.methodName"),
    "gateway host": (gateway_route("{prefix: /, hostname: {exact: 'a*b'}}"), f"AM111 {G}.hostname"),
    "gateway host none": (gateway_route("{prefix: /, hostname: {}}"), f"AM007 {G}.hostname"),
    "gateway grpc host": (
        gateway_route("{hostname: {exact: a, suffix: b}}", form="grpcRoute"), f"AM007 {GG}.hostname"
    ),
    # rewrites
    "rewrite no prefix": (gateway_route(NO_PREFIX, "{prefix: {value: /y/}}"), f"AM104 {REWRITE}.prefix"),
    "rewrite no path": (gateway_route("{prefix: /x/}", "{path: {exact: /y}}"), f"AM104 {REWRITE}.path"),
    "rewrite exact": (gateway_route("{path: {exact: /x}}", "{path: {exact: y}}"), f"AM101 {REWRITE}.path.exact"),
    "rewrite begins": (gateway_route("{prefix: /x/}", "{prefix: {value: y/}}"), f"AM104 {REWRITE}.prefix.value"),
    "rewrite ends": (gateway_route("{prefix: /x/}", "{prefix: {value: /y}}"), f"AM104 {REWRITE}.prefix.value"),
    "rewrite both": (gateway_route("{prefix: /x/}", "{prefix: {value: /y/, defaultPrefix: ENABLED}}"), f"AM007 {REWRITE}.prefix"),
    "rewrite nothing": (gateway_route("{prefix: /x/}", "{}"), f"AM007 {REWRITE}"),
    "rewrite two": (gateway_route("{prefix: /x/}", "{prefix: {value: /y/}, path: {exact: /z}}"), f"AM007 {REWRITE}"),
    "rewrite grpc": (
        gateway_route("{serviceName: s}", "{}", form="grpcRoute"), "AM007 spec.grpcRoute.action.rewrite"
    ),
    # one-of rules that nobody enforced for routers
    "two forms": (
        router(f"{{name: a, httpRoute: {{match: {{prefix: /}}, action: {ONE}}}, tcpRoute: {{action: {ONE}}}}}"),
        "AM007 spec.routes[0]",
    ),
    "no form": (router("{name: a}"), "AM007 spec.routes[0]"),
    "header two": (
        router(rule("{prefix: /, headers: [{name: a, match: {exact: x, prefix: y}}]}")), f"AM007 {R}.headers[0].match"
    ),
    "header none": (gateway_route("{prefix: /, headers: [{name: a, match: {}}]}"), f"AM007 {G}.headers[0].match"),
    "provider two": (
        write("VirtualService", "cart", "{provider: {virtualNode: {virtualNodeRef: {name: cart-v1}}, virtualRouter: {virtualRouterRef: {name: cart}}}}"),
        "AM007 spec.provider",
    ),
    "provider empty": (write("VirtualService", "cart", "{provider: {}}"), "AM208 spec.provider"),
    "weights at a gateway": (
        write("GatewayRoute", "r", f"{{httpRoute: {{match: {{prefix: /}}, action: {ONE}}}}}"),
        "AM604 spec.httpRoute.action.weightedTargets\nAM001 spec.httpRoute.action.weightedTargets\nAM002 spec.httpRoute.action.target",
    ),
    "target by both": (
        router(rule("{prefix: /}", targets="{virtualNodeRef: {name: cart-v1}, virtualNodeARN: 'arn:a:b/c', weight: 1}")),
        "AM007 spec.routes[0].httpRoute.action.weightedTargets[0]",
    ),
    # listeners
    "gateway pool": (
        gateway("[{portMapping: {port: 8088, protocol: http}, connectionPool: {grpc: {maxRequests: 1}}}]"),
        "AM114 spec.listeners[0].connectionPool",
    ),
    "node timeout": (node(f", timeout: {{tcp: {{idle: {MILLI}}}}}"), "AM114 spec.listeners[0].timeout"),
    "gateway ports": (
        gateway("[{portMapping: {port: 8088, protocol: http}}, {portMapping: {port: 8088, protocol: http2}}]"),
        "AM116 spec.listeners[1].portMapping.port",
    ),
    "router ports": (
        router(rule("{prefix: /, port: 8080}"), listeners=f"[{ON[1:-1]}, {ON[1:-1]}]"),
        "AM116 spec.listeners[1].portMapping.port",
    ),
    "gateway tcp": (gateway("[{portMapping: {port: 8088, protocol: tcp}}]"), "AM004 spec.listeners[0].portMapping.protocol"),
    "backend by arn twice": (
        node("", ", backends: [{virtualService: {virtualServiceARN: a}}, {virtualService: {virtualServiceARN: a}}]"),
        "AM108 spec.backends[1]",
    ),
    # weights
    "grpc zero": (
        router(rule("{serviceName: s}", form="grpcRoute", targets=V1.replace("weight: 1", "weight: 0")), listeners=ON.replace("http", "grpc")),
        "AM401 spec.routes[0].grpcRoute.action.weightedTargets\nAM212 spec.routes[0].grpcRoute.action.weightedTargets[0]",
    ),
    "duplicate by arn": (
        router(rule("{prefix: /}", targets="{virtualNodeARN: x, weight: 1}, {virtualNodeARN: x, weight: 2}")),
        "AM403 spec.routes[0].httpRoute.action.weightedTargets[1]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_DOCUMENT)
def test_a_rule_holds_wherever_it_is_written(load: Any, base: Any, name: str) -> None:
    """The codes and fields listed are found in the document, among what follows from them."""
    text, expected = ONE_DOCUMENT[name]
    told = found(load, base, text)
    assert [line for line in expected.split("\n") if line not in told] == [], told
    codes = {line.split()[0] for line in expected.split("\n")}
    extra = {line.split()[0] for line in told} - codes
    assert extra <= {"AM207", "AM208", "AM210", "AM212", "AM301", "AM302"}, told


# As near as one can come without a mistake.
CLEAN = {
    "prefix in dots": gateway_route("{prefix: /.}"),
    "a slash at the end": gateway_route("{path: {exact: /x/}}"),
    "rewritten to the root": gateway_route("{prefix: /x/}", "{prefix: {value: /}}"),
    "rewritten path": gateway_route("{path: {regex: '/x.*'}}", "{path: {exact: /y}}"),
    "header twice, once inverted": gateway_route(
        "{prefix: /, headers: [{name: a, match: {exact: x}}, {name: a, match: {exact: y}, invert: true}]}"
    ),
    "header twice, one a prefix": gateway_route(
        "{prefix: /, headers: [{name: a, match: {exact: xy}}, {name: a, match: {prefix: x}}]}"
    ),
    "range of one": gateway_route(
        "{prefix: /, headers: [{name: a, match: {range: {start: 1, end: 2}}}]}"
    ),
    "query present": router(rule("{prefix: /, queryParameters: [{name: q}]}")),
    "pool of the protocol": gateway(
        "[{portMapping: {port: 8088, protocol: http}, connectionPool: {http: {maxConnections: 1}}}]"
    ),
    "timeout of the protocol": node(", timeout: {http: {idle: {unit: s, value: 1}}}"),
    "one target with weight": router(rule("{prefix: /}", targets=V1)),
    "a hundred": router(
        rule(
            "{prefix: /}",
            targets=V1.replace("weight: 1", "weight: 99") + ", {virtualNodeARN: x, weight: 1}",
        )
    ),
    "the port of the gateway": gateway_route("{prefix: /, port: 8088}"),
    "the port of the router": gateway_route("{prefix: /}", port="8080"),
    "node without listeners": write("VirtualNode", "far", "{}"),
    "different ports": router(rule("{prefix: /, port: 1}"), listeners=BOTH),
}


@pytest.mark.parametrize("name", CLEAN)
def test_there_is_no_alarm_beside_a_mistake(load: Any, base: Any, name: str) -> None:
    """Legal documents, close to each rule, earn nothing."""
    told = found(load, base, CLEAN[name])
    ports = (
        ["AM211", "AM209", "AM009"] if name in ("different ports", "node without listeners") else []
    )
    assert [line for line in told if line.split()[0] not in ports] == []


def test_names_that_lead_nowhere_are_found_in_every_field(load: Any, base: Any) -> None:
    """Each reference of each kind, in other namespaces too; by ARN, and ``*``, they are not ours."""
    gone, elsewhere = "{name: gone}", "{name: cart, namespace: other}"
    target = f"{{virtualService: {{virtualServiceRef: {elsewhere}}}}}"
    texts = [
        write("GatewayRoute", "a", f"{{virtualGatewayRef: {gone}, httpRoute: {{match: {{prefix: /}}, action: {{target: {target}}}}}}}"),
        write("VirtualService", "b", f"{{provider: {{virtualNode: {{virtualNodeRef: {gone}}}}}}}"),
        write("VirtualService", "c", f"{{provider: {{virtualRouter: {{virtualRouterRef: {gone}}}}}}}"),
        write("VirtualService", "arn", "{provider: {virtualRouter: {virtualRouterARN: x}}}"),
        write("VirtualRouter", "d", f"{{routes: [{rule('{prefix: /}', targets=f'{V1}, {{virtualNodeRef: {elsewhere}, weight: 1}}')}]}}"),
        write("VirtualNode", "e", f"{{meshRef: {gone}, backends: [{{virtualService: {{virtualServiceRef: {gone}}}}}], backendGroups: [{gone}, {{name: '*'}}]}}"),
        write("BackendGroup", "f", f"{{virtualservices: [{{name: cart}}, {gone}]}}"),
        write("VirtualNode", "g", f"{{meshRef: {gone}}}"),
    ]  # fmt: skip
    reading = AppMesh().load(load(base, *texts))
    told = {(str(d.ref), d.field) for d in reading.diagnostics if d.code == "AM207"}
    assert told == {
        ("GatewayRoute shop/a", "spec.virtualGatewayRef"),
        ("GatewayRoute shop/a", "spec.httpRoute.action.target.virtualService.virtualServiceRef"),
        ("VirtualService shop/b", "spec.provider.virtualNode.virtualNodeRef"),
        ("VirtualService shop/c", "spec.provider.virtualRouter.virtualRouterRef"),
        (
            "VirtualRouter shop/d",
            "spec.routes[0].httpRoute.action.weightedTargets[1].virtualNodeRef",
        ),
        ("VirtualNode shop/e", "spec.meshRef"),
        ("VirtualNode shop/e", "spec.backends[0].virtualService.virtualServiceRef"),
        ("VirtualNode shop/e", "spec.backendGroups[0]"),
        ("BackendGroup shop/f", "spec.virtualservices[1]"),
    }
    (of_mesh,) = (d for d in reading.diagnostics if d.field == "spec.meshRef" and d.code == "AM207")
    assert "1 other objects" in of_mesh.message


T0 = "spec.routes[0].httpRoute.action.weightedTargets[0]"
LONG = ", timeout: {perRequest: {unit: s, value: 20}}"
TOGETHER = {
    "gateway route to a wrong port": ([gateway_route("{prefix: /}", port="9")], "AM209 spec.httpRoute.action.target.port"),
    "gateway route without a port": (
        [gateway_route("{prefix: /}"), router(rule("{prefix: /, port: 1}"), listeners=BOTH)],
        "AM211 spec.httpRoute.action.target",
    ),
    "gateway route of a wrong port": ([gateway_route("{prefix: /, port: 9}")], f"AM209 {G}.port"),
    "gateway route of a wrong form": ([gateway_route("{prefix: /}", form="http2Route")], "AM212 spec.http2Route"),
    "gateway route of another listener": (
        [
            gateway_route("{prefix: /, port: 2}"),
            gateway("[{portMapping: {port: 1, protocol: http}}, {portMapping: {port: 2, protocol: http2}}]"),
        ],
        "AM212 spec.httpRoute",
    ),
    "route of a wrong port": ([router(rule("{prefix: /, port: 9}"))], f"AM209 {R}.port"),
    "route of a wrong form": ([router(rule("{prefix: /}", form="http2Route"))], "AM212 spec.routes[0].http2Route"),
    "target of a wrong port": (
        [router(rule("{prefix: /}", targets=V1.replace("weight", "port: 9, weight")))], f"AM209 {T0}.port"
    ),
    "target of a wrong protocol": (
        [router(rule("{prefix: /}")), node().replace("http}", "tcp}")], f"AM212 {T0}"
    ),
    "target of two listeners": (
        [node().replace("]", ", {portMapping: {port: 9, protocol: http}}]")], f"AM211 {T0}"
    ),
    "target without listeners": ([write("VirtualNode", "cart-v1", "{podSelector: {}}")], f"AM215 {T0}"),
    "long at the route": ([router(rule("{prefix: /}", more=LONG))], "AM306 spec.routes[0].httpRoute.timeout.perRequest"),
    "long at the node": ([node(f", timeout: {{http: {{perRequest: {MILLI}}}}}")], "AM306 spec.routes[0].httpRoute.timeout.perRequest"),
    "endless at the node": (
        [node(", timeout: {http: {perRequest: {unit: s, value: 0}}}")], "AM306 spec.routes[0].httpRoute.timeout.perRequest"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOGETHER)
def test_documents_that_do_not_fit_each_other(load: Any, base: Any, name: str) -> None:
    """Ports, protocols and timeouts, at every step from the gateway to the node."""
    texts, expected = TOGETHER[name]
    assert expected in found(load, base, *texts)


def circles(load: Any, base: Any, *texts: str) -> list[str]:
    reading = AppMesh().load(load(base, *texts))
    return [d.message.partition(": ")[2] for d in reading.diagnostics if d.code == "AM213"]


def calls(name: str, *services: str) -> str:
    listed = ", ".join(
        f"{{virtualService: {{virtualServiceRef: {{name: {s}}}}}}}" for s in services
    )
    return write("VirtualNode", name, f"{{backends: [{listed}]}}")


def leads(name: str, node: str) -> str:
    return write(
        "VirtualService",
        name,
        f"{{provider: {{virtualNode: {{virtualNodeRef: {{name: {node}}}}}}}}}",
    )


def test_circles_go_through_routers_and_nodes(load: Any, base: Any) -> None:
    """By a router, by a node alone, over several steps; a chain and a diamond are none, and what
    is not there ends the way."""
    assert circles(load, base, calls("cart-v2", "cart")) == ["cart-v2 -> cart-v2."]
    ring = [
        calls("a", "b"),
        leads("b", "b"),
        calls("b", "c"),
        leads("c", "c"),
        calls("c", "a"),
        leads("a", "a"),
    ]
    assert circles(load, base, *ring) == ["a -> b -> c -> a."]
    diamond = [
        calls("a", "b", "c"),
        leads("b", "b"),
        leads("c", "c"),
        calls("b", "d"),
        calls("c", "d"),
        leads("d", "d"),
    ]
    assert circles(load, base, *diamond, calls("d", "gone")) == []
    assert circles(load, base, *diamond, calls("d", "b")) == ["b -> d -> b."]


def test_examples_are_requests_that_arrive_so(load: Any, base: Any) -> None:
    """Where a pattern would be met by a path that is normalised away, another example is shown, or
    none and no finding."""
    both = rule("{prefix: /}").replace("name: a", "name: b", 1)
    told = AppMesh().load(load(base, router(rule("{path: {regex: '/.*/x'}}"), both))).diagnostics
    (ambiguous,) = (d for d in told if d.code == "AM303")
    assert "for example GET /a/x)" in ambiguous.message
    never = "{prefix: /, headers: [{name: a, match: {exact: x}}]}"
    told = AppMesh().load(load(base, router(rule("{path: {regex: '/x//y'}}"), both))).diagnostics
    assert [d.code for d in told] == []
    twins = [rule(never).replace("name: a,", f"name: {name},", 1) for name in "abcdef"]
    (*_, last) = (d for d in AppMesh().load(load(base, router(*twins))).diagnostics)
    assert "route 'a' both match (for example GET /, a: x)" in last.message
    assert "It shares requests with route 'b', route 'c' too." in last.message


def test_of_connections_the_first_route_takes_all(load: Any, base: Any) -> None:
    """TCP has nothing to match: two routes are open in order, a lower number decides."""
    tcp = "[{portMapping: {port: 8080, protocol: tcp}}]"
    rules = [f"{{name: {n}, tcpRoute: {{action: {ONE}}}}}" for n in "ab"]
    told = AppMesh().load(load(base, router(*rules, listeners=tcp))).diagnostics
    (found,) = (d for d in told if d.code == "AM303")
    assert "route 'a' both match (any connection)" in found.message
    rules[1] = rules[1].replace("name: b", "name: b, priority: 1")
    told = AppMesh().load(load(base, router(*rules, listeners=tcp))).diagnostics
    assert [d.field for d in told if d.code == "AM302"] == ["spec.routes[0].tcpRoute.match"]


def test_what_stands_on_different_ports_and_hosts_is_never_held_against_each_other(
    load: Any, base: Any
) -> None:
    """Of two listeners each has its list; a route for all of them is not dead on one alone."""
    low, high = "a, priority: 0", "a, priority: 9"
    first = rule("{prefix: /, port: 1}").replace("name: a", f"name: {low}")
    second = (
        rule("{prefix: /x, port: 2}").replace("name: a", f"name: {high}").replace("a,", "b,", 1)
    )
    every = rule("{prefix: /x}").replace("name: a", "name: c, priority: 9")
    told = found(load, base, router(first, second, every, listeners=BOTH))
    assert [line for line in told if line.startswith("AM30")] == [
        "AM303 spec.routes[2].httpRoute.match"
    ]


def test_documents_of_the_tables_are_yaml() -> None:
    """The tables are read as they are meant: one object each."""
    for text, _ in ONE_DOCUMENT.values():
        assert yaml.safe_load(text)["spec"]
