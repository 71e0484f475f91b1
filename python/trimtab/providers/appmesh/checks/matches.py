"""Matches that cannot do what they were written for: what a router sees of a gateway's requests."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.providers.appmesh import codes, hops
from trimtab.providers.appmesh.checks.view import View
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.hops import GatewayEntry, Path, PathKind, RewriteKind
from trimtab.providers.appmesh.model import GatewayRoute
from trimtab.providers.appmesh.values import Protocol


def rewrites(view: View, route: GatewayRoute) -> Iterator[Problem]:
    """A router behind a gateway sees the rewritten path; rules for the original one never match."""
    entries = hops.gateway_entries(view, route)
    entry = entries[-1]  # of a pair, the one as it was written
    if entry.service is None or entry.match.path.kind is PathKind.REGEX:
        return
    ref = entry.service.spec.router_ref
    router = view.router(ref, entry.service) if ref else None
    rules = hops.router_rules(router.spec, entry.service_port) if router else []
    rules = [(rule, match) for rule, match in rules if rule.protocol is not Protocol.TCP]
    if not rules:
        return
    seen = _seen(entry)
    field = f"spec.{route.spec.protocol}Route"
    misled = [
        (rule.name, match.path.text)
        for rule, match in rules
        if _expects_original(match.path, entry.match.path, seen)
    ]
    if misled:
        name, original = misled[0]
        message = (
            f"rewrites {entry.match.path.text} to {seen.text}, but route {name!r} of "
            f"{entry.service.ref} asks for {original}: a request for {original} arrives there as "
            f"{_rewritten(original, entry)} and does not match."
        )
        remedy = "Set action.rewrite.prefix.defaultPrefix: DISABLED here, or match the rewritten path there."
        yield Problem(codes.LOST_IN_REWRITE, f"{field}.match", message, remedy)
    elif not any(_may_meet(match.path, seen) for _, match in rules):
        message = (
            f"sends {_words(seen)} to {entry.service.ref}, where no route matches; every request "
            "gets a 404."
        )
        remedy = "Change the rewrite here, or the prefixes of the router's routes."
        yield Problem(codes.LOST_IN_REWRITE, f"{field}.match", message, remedy)


def _seen(entry: GatewayEntry) -> Path:
    """The paths that a router sees of the requests of an entry."""
    if entry.rewrite.kind is RewriteKind.PREFIX:
        return Path(PathKind.PREFIX, entry.rewrite.text)
    if entry.rewrite.kind is RewriteKind.PATH:
        return Path(PathKind.EXACT, entry.rewrite.text)
    return entry.match.path


def _rewritten(path: str, entry: GatewayEntry) -> str:
    rest = path[len(entry.match.path.text) :]
    if rest.startswith("/") and entry.rewrite.text.endswith("/"):
        rest = rest[1:]
    return entry.rewrite.text + rest


def _expects_original(asked: Path, original: Path, seen: Path) -> bool:
    """Whether a rule begins with the prefix that the gateway takes away, and would not match."""
    if original.kind is not PathKind.PREFIX or seen == original or asked.kind is PathKind.REGEX:
        return False
    prefix = original.text.rstrip("/")
    began = prefix != "" and (asked.text == prefix or asked.text.startswith(f"{prefix}/"))
    return began and not seen.text.startswith(asked.text)


def _may_meet(asked: Path, seen: Path) -> bool:
    """Whether some path passes both; regular expressions are given the benefit of the doubt."""
    if PathKind.REGEX in (asked.kind, seen.kind):
        return True
    if asked.kind is PathKind.EXACT:
        met = seen.text == asked.text
        return met or (seen.kind is PathKind.PREFIX and asked.text.startswith(seen.text))
    if seen.kind is PathKind.EXACT:
        return seen.text.startswith(asked.text)
    return seen.text.startswith(asked.text) or asked.text.startswith(seen.text)


def _words(seen: Path) -> str:
    return f"paths that begin with {seen.text}" if seen.kind is PathKind.PREFIX else seen.text
