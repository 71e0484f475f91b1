"""RouteConfigurations and requests in few words."""

from __future__ import annotations

from typing import Any

from trimtab.testbed.telling_envoy import Asked

Document = dict[str, Any]


def host(name: str, domains: list[str], *routes: Document, **more: Any) -> Document:
    """A virtual host."""
    return {"name": name, "domains": domains, "routes": list(routes), **more}


def to(name: str, match: Document | None = None, **action: Any) -> Document:
    """A route called ``name``; without a match it takes everything, without an action it leads to
    cluster c0."""
    leads = action or {"route": {"cluster": "c0"}}
    return {"name": name, "match": match or {"prefix": "/"}, **leads}


def table(*hosts: Document, **more: Any) -> Document:
    return {"virtual_hosts": list(hosts), **more}


def only(match: Document) -> Document:
    """A table with one route, ``it``, for every host."""
    return table(host("v", ["*"], to("it", match)))


def header(**asks: Any) -> Document:
    """A table whose one route, ``it``, asks this of the header x."""
    return only({"prefix": "/", "headers": [{"name": "x", **asks}]})


def query(**asks: Any) -> Document:
    """A table whose one route, ``it``, asks this of the query parameter k."""
    return only({"prefix": "/", "query_parameters": [{"name": "k", **asks}]})


def with_x(*values: str) -> Asked:
    """A request that has the header x as often as there are values."""
    return Asked(b"/", fields=tuple((b"x", value.encode()) for value in values))


def for_path(path: str) -> Asked:
    return Asked(path.encode())


def for_host(name: str) -> Asked:
    return Asked(b"/", name.encode())
