"""What must be seen before a Decision is called applied."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from trimtab.core.model import Decision, Objects
from trimtab.errors import Transient
from trimtab.ports import Provider, RouteStore


class ReadBack:
    """The weights stand in the store as they were decided, read past every cache."""

    def __init__(self, routes: RouteStore, provider: Provider) -> None:
        self._routes = routes
        self._provider = provider

    async def verify(self, decision: Decision) -> str | None:
        objects: Objects = {}
        try:
            for ref in {shift.route.key.object for shift in decision.shifts}:
                objects = await self._routes.read(fresh=ref)
        except Transient as error:
            return f"not read back: {error}"
        reading = self._provider.load(objects)
        for shift in decision.shifts:
            key = shift.route.key
            found = reading.resolve(key.object, (key.rule,), shift.route.steering).routes
            if [route.weights for route in found] != [shift.granted]:
                return f"{key} does not hold the weights that were written"
        return None


class Acknowledged:
    """Every Envoy that we serve has acknowledged the configuration with these weights."""

    def __init__(
        self,
        routes: RouteStore,
        publish: Callable[[Objects], None],
        acknowledged: Callable[[float], Awaitable[Mapping[str, str]]],
        deadline_s: float,
    ) -> None:
        self._routes = routes
        self._publish = publish
        self._acknowledged = acknowledged
        self._deadline_s = deadline_s

    async def verify(self, decision: Decision) -> str | None:
        del decision  # the newest snapshot holds it, together with all others of this tick
        self._publish(await self._routes.read())
        problems = await self._acknowledged(self._deadline_s)
        return "; ".join(f"{node}: {told}" for node, told in problems.items()) or None
