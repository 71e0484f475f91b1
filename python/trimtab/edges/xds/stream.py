"""One ADS stream, state of the world, without input or output: requests in, responses out.

The rules, from Envoy's "xDS REST and gRPC protocol":

1. A request with the nonce of our last response acknowledges it, or refuses it if it holds an
   error. A request with an older nonce says nothing.
2. Nothing that the Envoy holds is sent again. Of listeners and clusters every response is the
   full set; of the other types only what changed, or was asked for anew.
3. Make before break: clusters, endpoints, listeners, routes, each acknowledged before the next
   is sent; the clusters that nobody needs any more go last. Route configurations go one by one
   in their order, since one may lead to another.
4. Envoy acknowledges clusters only when they are warm: those that are found by name have looked
   up their first address. So rule 3 also means that no route leads to a cluster that is not in
   use yet. A name server that does not answer must not hold up everything else, though: after
   ``patience_s`` the rest goes on.
5. What was refused stays as it was, and whatever names a cluster that is missing because of
   that is held back. All the rest goes on. The same content is not offered a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from trimtab.edges.xds.snapshot import (
    CLUSTER,
    EMPTY,
    ENDPOINT,
    LISTENER,
    ORDER,
    ROUTE,
    WHOLE,
    Resource,
    Resources,
    Snapshot,
    changes,
    version_of,
)
from trimtab.edges.xds.subscription import (
    Missing,
    Refusal,
    Request,
    Response,
    Subscription,
    subscribed,
)

_ASKED_BY = {ROUTE: LISTENER, ENDPOINT: CLUSTER}


class Stream:
    """The state of one stream.

    ``recall`` says what an Envoy holds that accepted a version of a type on another stream, None
    if that is not known.
    """

    def __init__(
        self,
        patience_s: float = 5.0,
        recall: Callable[[str, str], Resources | None] = lambda *_: None,
    ) -> None:
        self._patience_s = patience_s
        self._recall = recall
        self._subscriptions: dict[str, Subscription] = {}
        self._target: Snapshot | None = None
        self._recent: dict[str, set[str]] = {}
        self._came_back = False
        self.sent = 0  # responses
        self.acknowledged = 0  # responses that were accepted
        self.wake_at: float | None = None  # when ``next`` may have more, though nothing happens

    @property
    def target(self) -> Snapshot | None:
        return self._target

    @property
    def versions(self) -> Mapping[str, str]:
        """The version that was acknowledged, by type."""
        return {
            type_url: version_of(s.held if s.before is None else s.before)
            for type_url, s in self._subscriptions.items()
        }

    def known(self) -> Iterator[tuple[str, str, Resources]]:
        """Type, version and content of what the Envoy may come back with: what it accepted last,
        and what is in flight, whose acknowledgement may be lost. To be recalled."""
        for type_url, subscription in self._subscriptions.items():
            if subscription.accepted is not None:
                yield type_url, *subscription.accepted
            if subscription.before is not None:
                yield type_url, subscription.version, subscription.held

    # --- what happens -----------------------------------------------------------------------

    def offer(self, snapshot: Snapshot) -> None:
        """From now on the Envoy should have ``snapshot``; what was not yet sent is forgotten."""
        waiting = {(m.type_url, m.name) for m in self.missing() if m.refused is None}
        for type_url, change in changes(self._target or EMPTY, snapshot).items():
            waiting |= {(type_url, name) for name in change.updated}
        self._recent = {}
        for type_url, name in waiting:
            self._recent.setdefault(type_url, set()).add(name)
        self._target = snapshot

    def receive(self, request: Request, now: float) -> Refusal | None:
        """Take in a request; the answer is the refusal, if it was one."""
        known = self._subscriptions.get(request.type_url)
        if known is None:
            self._subscriptions[request.type_url] = self._subscribe(request)
            return None
        if request.nonce != known.nonce:
            return None  # rule 1: about an older response
        refusal = None
        if known.before is not None:
            if request.error is None:
                self.acknowledged += 1
                known.accepted = known.version, known.held
            else:
                refusal = self._refuse(known, request, request.error, now)
            self._close(request.type_url, known)
        names = subscribed(request, known.names, first=False)
        if names != known.names:
            known.names = names
            known.settled = None
            known.claimed = ""
            if names is not None:
                known.held = {n: r for n, r in known.held.items() if n in names}
        return refusal

    def _subscribe(self, request: Request) -> Subscription:
        self._came_back |= bool(request.version)
        # What asks for it was changed on this stream: the Envoy may have dropped in between what
        # it had in that version, and now asks for it anew. Sent twice is better than never.
        asker = self._subscriptions.get(_ASKED_BY.get(request.type_url, ""))
        version = "" if asker is not None and asker.nonce else request.version
        fresh = Subscription(subscribed(request, None, first=True), version)
        held = self._recall(request.type_url, version) if version else None
        if held is not None:
            fresh.claimed, fresh.answered, fresh.held = "", True, dict(fresh.wanted(held))
            fresh.accepted = version, fresh.held
        return fresh

    def next(self, now: float) -> Response | None:
        """The next response to send; None when there is nothing to do but wait."""
        self.wake_at = None
        if self._target is None:
            return None
        for type_url in ORDER:
            subscription = self._subscriptions.get(type_url)
            if subscription is None:
                continue
            if subscription.before is not None:
                if type_url != CLUSTER:
                    return None
                patient_until = subscription.sent_at + self._patience_s
                if now < patient_until:
                    self.wake_at = patient_until
                    return None
                continue
            if subscription.settled is self._target.of(type_url):
                continue
            response = self._advance(type_url, subscription, self._target.of(type_url), now)
            if response is not None:
                return response
        return self._retire(now)

    # --- what is known ----------------------------------------------------------------------

    def missing(self) -> list[Missing]:
        """What was changed by the last offers and is not in place in the Envoy as offered.

        A resource that the Envoy did not ask for is not missing.
        """
        return [
            m for type_url, names in self._recent.items() for m in self._missing(type_url, names)
        ]

    @property
    def complete(self) -> bool:
        """Whether the Envoy has asked for all types of the snapshot and has exactly what is in it."""
        return self._target is not None and all(
            (s := self._subscriptions.get(type_url)) is not None
            and s.before is None
            and s.settled is resources
            for type_url, resources in self._target.types.items()
            if resources
        )

    def _missing(self, type_url: str, names: set[str]) -> Iterator[Missing]:
        subscription = self._subscriptions.get(type_url)
        if subscription is None or self._target is None:
            return
        wanted = subscription.wanted(self._target.of(type_url))
        for name in names:
            resource = wanted.get(name)
            if resource is not None and subscription.acknowledged(name) != resource:
                yield Missing(
                    type_url, name, self._obstacle(type_url, subscription, name, resource)
                )

    # --- how it goes on -----------------------------------------------------------------------

    def _advance(
        self, type_url: str, subscription: Subscription, resources: Resources, now: float
    ) -> Response | None:
        wanted = subscription.wanted(resources)
        if subscription.claimed and version_of(wanted) == subscription.claimed:
            subscription.held = dict(wanted)
            subscription.answered = True  # by whoever served it before
            subscription.accepted = subscription.claimed, subscription.held
        subscription.claimed = ""
        held = subscription.held
        due = [name for name, r in wanted.items() if held.get(name) != r]
        ready = [n for n in due if self._obstacle(type_url, subscription, n, wanted[n]) is None]
        if type_url in WHOLE:
            back = set(due) - set(ready)
            return self._send_all(type_url, subscription, resources, back, now)
        if type_url == ROUTE:
            ready = ready[:1] if due[:1] == ready[:1] else []  # rule 3: one by one, in order
        subscription.held = {n: r for n, r in held.items() if n in wanted}
        if ready:
            return self._send(type_url, subscription, {n: wanted[n] for n in ready}, now)
        if not due:
            subscription.settled = resources
        return None

    def _send_all(
        self,
        type_url: str,
        subscription: Subscription,
        resources: Resources,
        back: set[str],
        now: float,
    ) -> Response | None:
        """The full set: what is held back as it was before, and clusters until nobody needs them."""
        held, wanted = subscription.held, subscription.wanted(resources)
        full = {n: (held.get(n) if n in back else r) for n, r in wanted.items()}
        if type_url == CLUSTER:
            full |= {n: r for n, r in held.items() if n not in full}
        goal = {n: r for n, r in full.items() if r is not None}
        # An Envoy that has asked waits for an answer, even for that there is nothing.
        if goal != held or not subscription.answered:
            return self._send(type_url, subscription, goal, now)
        if goal.keys() == wanted.keys() and not back:
            subscription.settled = resources
        return None

    def _obstacle(
        self, type_url: str, subscription: Subscription, name: str, resource: Resource
    ) -> str | None:
        """Why a resource cannot be in place until something else is offered (rule 5)."""
        if subscription.rejects(name, resource):
            return subscription.refused[name][1]
        if type_url in (CLUSTER, ENDPOINT):
            return None
        for cluster in self._absent():
            if cluster.encode() in resource.body:
                return f"held back, since {cluster} was refused"
        return None

    def _absent(self) -> Iterator[str]:
        """Clusters that the Envoy has not, since it refused them."""
        clusters = self._subscriptions.get(CLUSTER)
        if clusters is not None:
            yield from (name for name in clusters.refused if name not in clusters.held)

    def _retire(self, now: float) -> Response | None:
        """Drop the clusters that nobody needs, once all that may have needed them is in place."""
        clusters = self._subscriptions.get(CLUSTER)
        if clusters is None or clusters.before is not None or self._target is None:
            return None
        if not self._later_settled(self._target):
            return None
        wanted = clusters.wanted(self._target.of(CLUSTER))
        if clusters.held.keys() <= wanted.keys():
            return None
        goal = {n: r for n, r in clusters.held.items() if n in wanted}
        return self._send(CLUSTER, clusters, goal, now)

    def _later_settled(self, target: Snapshot) -> bool:
        for type_url in (LISTENER, ROUTE):
            later = self._subscriptions.get(type_url)
            if later is not None and later.settled is not target.of(type_url):
                return False
            # One that comes back asks for one type after the other: until it has asked for all,
            # nobody knows what its routes need.
            if later is None and self._came_back and target.of(type_url):
                return False
        return True

    def _send(
        self,
        type_url: str,
        subscription: Subscription,
        resources: Resources,
        now: float,
    ) -> Response:
        self.sent += 1
        subscription.nonce, subscription.sent_at = str(self.sent), now
        subscription.answered = True
        subscription.before = subscription.held
        rest = {} if type_url in WHOLE else subscription.held
        subscription.held = {**rest, **resources}
        subscription.version = version_of(subscription.held)
        return Response(type_url, subscription.version, subscription.nonce, resources)

    # --- how a response ends --------------------------------------------------------------------

    def _refuse(
        self, subscription: Subscription, request: Request, error: str, now: float
    ) -> Refusal:
        """Envoy applies what it can of a response and names in the error what it could not."""
        before, held = subscription.before or {}, subscription.held
        blamed = subscription.mentioned(error)
        for name in blamed:
            subscription.refused[name] = (held[name].version, error)
        subscription.held = {
            name: kept
            for name, resource in held.items()
            if (kept := before.get(name) if name in blamed else resource) is not None
        }
        return Refusal(now, request.type_url, subscription.version, tuple(blamed), error)

    def _close(self, type_url: str, subscription: Subscription) -> None:
        before, subscription.before = subscription.before or {}, None
        changed = {n for n, r in subscription.held.items() if before.get(n) != r}
        for name in changed:
            subscription.refused.pop(name, None)
        endpoints = self._subscriptions.get(ENDPOINT)
        if type_url == CLUSTER and endpoints is not None and changed & endpoints.held.keys():
            # Envoy keeps a changed cluster out of use until it hears its endpoints, even unchanged.
            endpoints.held = {n: r for n, r in endpoints.held.items() if n not in changed}
            endpoints.settled = None
