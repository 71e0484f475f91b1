"""The gRPC API: four calls, and the server that they are made to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from trimtab.core import matching, model
from trimtab.edges.grpc_messages import match_query, match_response, report_message
from trimtab.edges.pb.trimtab.v1 import trimtab_pb2 as pb
from trimtab.edges.pb.trimtab.v1 import trimtab_pb2_grpc as pb_grpc
from trimtab.errors import InvalidDocument, Refused, Transient, TrimtabError, Unavailable
from trimtab.history import History, Subscription, policy_name
from trimtab.serving import Address, Tls, require_safe

Match = Callable[[matching.MatchQuery], matching.MatchAnswer | None]
PickRule = Callable[[matching.RuleQuery], matching.MatchAnswer | None]

SERVICE = pb.DESCRIPTOR.services_by_name["Trimtab"].full_name
MAX_PAGE = 1000


class _NotFound(Refused):
    """A name that nothing here has."""


async def _abort(context: grpc.aio.ServicerContext, error: TrimtabError) -> NoReturn:
    """End the call with the status that says who must do what about ``error``."""
    match error:
        case _NotFound():
            code = grpc.StatusCode.NOT_FOUND
        case InvalidDocument():
            code = grpc.StatusCode.INVALID_ARGUMENT
        case Transient():
            code = grpc.StatusCode.UNAVAILABLE
        case _:
            code = grpc.StatusCode.FAILED_PRECONDITION
    await context.abort(code, str(error))
    raise error  # never reached: abort has raised


class Service(pb_grpc.TrimtabServicer):
    """The four calls.

    ``match`` and ``pick`` answer in microseconds, on the event loop; None means that the named
    entry or rule does not exist. Of the errors they raise, InvalidDocument blames the caller,
    another Refused a state that a person must change, Transient one that passes. ``chance``
    returns a random 64-bit number, for picks that bring none. ``backlog`` is how many Reports a
    slow watcher may be behind before it loses the oldest.
    """

    def __init__(
        self,
        match: Match,
        pick: PickRule,
        history: History,
        chance: Callable[[], int],
        *,
        backlog: int = 256,
    ) -> None:
        self._match = match
        self._pick = pick
        self._history = history
        self._chance = chance
        self._backlog = backlog
        self._watching: set[Subscription] = set()

    def close(self) -> None:
        """End the streams: each watcher is told to connect again."""
        for subscription in self._watching:
            subscription.close()

    async def Match(  # noqa: N802 - named by the proto
        self, request: pb.MatchRequest, context: grpc.aio.ServicerContext
    ) -> pb.MatchResponse:
        try:
            random = request.request.random if request.request.HasField("random") else None
            return match_response(self._answer(request.request, random))
        except TrimtabError as error:
            await _abort(context, error)

    async def Pick(  # noqa: N802
        self, request: pb.PickRequest, context: grpc.aio.ServicerContext
    ) -> pb.PickResponse:
        try:
            return pb.PickResponse(target=self._picked(request))
        except TrimtabError as error:
            await _abort(context, error)

    async def GetDecisions(  # noqa: N802
        self, request: pb.GetDecisionsRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetDecisionsResponse:
        try:
            return self._page(request)
        except TrimtabError as error:
            await _abort(context, error)

    async def WatchDecisions(  # noqa: N802
        self, request: pb.WatchDecisionsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.WatchDecisionsResponse]:
        names = frozenset(request.policies)

        def wanted(report: model.Report) -> bool:
            return not names or policy_name(report.decision.policy) in names

        with self._history.subscribe(wanted, self._backlog) as subscription:
            self._watching.add(subscription)
            try:
                newest = () if request.only_new else self._history.newest()
                # Headers at once: from here on the client misses nothing unsaid.
                await context.send_initial_metadata(())
                for report in filter(wanted, newest):
                    yield pb.WatchDecisionsResponse(report=report_message(report))
                async for news in subscription:
                    yield pb.WatchDecisionsResponse(
                        report=report_message(news.report), dropped=news.dropped
                    )
            finally:
                self._watching.discard(subscription)
        await _abort(context, Unavailable("The server stops. Remedy: connect again."))

    def _answer(self, request: pb.Request, random: int | None) -> matching.MatchAnswer:
        answer = self._match(match_query(request, random))
        if answer is None:
            entry = request.WhichOneof("entry")
            raise _NotFound(
                f"There is no {entry} {getattr(request, entry)!r}."
                if entry
                else "There is no gateway."
            )
        return answer

    def _picked(self, request: pb.PickRequest) -> str:
        subject = request.WhichOneof("subject")
        if subject is None:
            raise InvalidDocument("Nothing to pick for. Remedy: give request or rule.")
        asked = request.rule if subject == "rule" else request.request
        random = asked.random if asked.HasField("random") else self._chance()
        if subject == "rule":
            answer = self._answer_rule(request.rule, random)
        else:
            answer = self._answer(request.request, random)
        if not answer.targets:
            raise _NotFound("The request reaches no target: the data plane answers 404.")
        if answer.target is None:
            raise Refused(
                f"No target has a weight in rule {answer.rule!r} of {answer.router!r}. "
                "Remedy: give one of them a weight."
            )
        return answer.target

    def _answer_rule(self, rule: pb.RuleKey, random: int) -> matching.MatchAnswer:
        if not (rule.router and rule.rule):
            raise InvalidDocument("rule: router and rule are both required.")
        answer = self._pick(matching.RuleQuery(rule.router, rule.rule, random))
        if answer is None:
            raise _NotFound(f"There is no rule {rule.rule!r} in router {rule.router!r}.")
        return answer

    def _page(self, request: pb.GetDecisionsRequest) -> pb.GetDecisionsResponse:
        known = {policy_name(policy): policy for policy in self._history.policies()}
        for name in request.policies:
            if name not in known:
                raise _NotFound(f"No decision is known of policy {name!r}.")
        limit = min(request.page_size or MAX_PAGE, MAX_PAGE)
        response = pb.GetDecisionsResponse()
        last = request.page_token
        for name in sorted(frozenset(request.policies) or known):
            if name <= request.page_token:
                continue
            reports = self._history.of(known[name])[: request.history or 1]
            if response.reports and len(response.reports) + len(reports) > limit:
                response.next_page_token = last
                break
            response.reports.extend(report_message(report) for report in reports)
            last = name
        return response


class Server:
    """The API, health and reflection on one address.

    Health says NOT_SERVING until told otherwise. Raises Refused for plaintext beyond this
    machine unless ``insecure``, for keys that do not work and for an address that is taken.
    """

    def __init__(
        self, service: Service, address: Address, *, tls: Tls | None = None, insecure: bool = False
    ) -> None:
        require_safe("gRPC", address, tls, insecure=insecure)
        self._service = service
        self._address = address
        self._tls = tls
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """Listen, and return the port."""
        await self.set_serving(serving=False)
        # Without this option a second server takes half of the connections, unnoticed.
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        pb_grpc.add_TrimtabServicer_to_server(self._service, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        try:
            if self._tls is None:
                port = server.add_insecure_port(str(self._address))
            else:
                port = server.add_secure_port(str(self._address), _credentials(self._tls))
        except RuntimeError as error:
            raise Refused(
                f"gRPC: cannot listen on {self._address}: {error}. Remedy: choose a free port of "
                "an address of this machine."
            ) from error
        await server.start()
        self._server = server
        return int(port)

    async def set_serving(self, *, serving: bool) -> None:
        """What health says, of the server and of the service."""
        kinds = health_pb2.HealthCheckResponse
        for name in (health.OVERALL_HEALTH, SERVICE):
            await self._health.set(name, kinds.SERVING if serving else kinds.NOT_SERVING)

    async def stop(self, grace_s: float = 5.0) -> None:
        """Say NOT_SERVING, end the streams, let calls finish for ``grace_s``, then cut them."""
        await self._health.enter_graceful_shutdown()
        self._service.close()
        if self._server is not None:
            await self._server.stop(grace_s)


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.certificate.read_bytes())],
        root_certificates=tls.client_ca.read_bytes() if tls.client_ca else None,
        require_client_auth=tls.client_ca is not None,
    )
