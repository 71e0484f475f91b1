"""Route configurations of Envoy (v3), as rules of the matcher.

What a configuration asks for and the matcher cannot do is refused, with its virtual host, route
and field: see ``docs/envoy-routes.md``.
"""

from __future__ import annotations

from trimtab._core import RouteTable
from trimtab.providers.envoy_routes.answers import EnvoyAnswer, RouteReason, answer, explain
from trimtab.providers.envoy_routes.message import to_message
from trimtab.providers.envoy_routes.place import Place
from trimtab.providers.envoy_routes.routes import Action, EnvoyRoute, read_routes
from trimtab.providers.envoy_routes.source import Source, find_configuration

__all__ = ["Action", "EnvoyAnswer", "EnvoyRoute", "RouteReason", "answer", "explain", "table_of"]


def table_of(source: Source, name: str | None = None) -> RouteTable:
    """The table of a RouteConfiguration: of a document, a text, a file or a configuration dump.
    Raises InvalidDocument."""
    where, document = find_configuration(source, name)
    place = Place(where)
    routes = read_routes(to_message(document, place), place)
    return RouteTable(routes.rules, empty_hosts=routes.empty_hosts, ignore_port=routes.ignore_port)
