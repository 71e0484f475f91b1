"""Answers that are none: the source is down for that read, with a sentence and no secret in it."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from edges.prometheus.bed import FAMILIES, Bed
from edges.prometheus.exporter import Exporter

from trimtab.core.model import Telemetry
from trimtab.edges.prometheus import PrometheusSource
from trimtab.testbed.processes import free_port

EMPTY = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}})
Open = Callable[..., PrometheusSource]


@pytest.fixture
def server() -> Iterator[Exporter]:
    """A server that says what the test wants where a Prometheus should be."""
    with Exporter() as exporter:
        exporter.body = EMPTY
        exporter.content_type = "application/json"
        yield exporter


@pytest.fixture
async def source() -> AsyncIterator[Open]:
    """Opens sources, and closes them in the end."""
    opened: list[PrometheusSource] = []

    def make(url: str, **options: Any) -> PrometheusSource:
        opened.append(PrometheusSource(url, FAMILIES, **{"timeout_s": 2, **options}))
        return opened[-1]

    yield make
    for one in opened:
        await one.close()


def sentence(telemetry: Telemetry) -> str:
    assert telemetry.down
    assert not telemetry.windows
    return telemetry.down


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, "<html>a login page</html>", "answered 200: no word of why"),
        (200, "[]", "answered 200: no word of why"),
        (200, '{"status":"success"}', "answered with no result, not a vector"),
        (
            200,
            '{"status":"success","data":{"resultType":"matrix","result":[]}}',
            "answered with matrix, not a vector",
        ),
        (
            200,
            '{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}',
            "answered with scalar, not a vector",
        ),
        (
            200,
            '{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}',
            "a vector that has no values",
        ),
        (
            200,
            '{"status":"success","data":{"resultType":"vector","result":null}}',
            "a vector that has no values",
        ),
        (
            200,
            EMPTY[:-1] + ',"warnings":["a store is away"]}',
            "may be incomplete: a store is away",
        ),
        (
            400,
            '{"status":"error","errorType":"bad_data","error":"parse error"}',
            "answered 400: parse error",
        ),
        (503, '{"status":"error","error":"query timed out"}', "answered 503: query timed out"),
        (500, "", "answered 500: no word of why"),
        (401, "", "answered 401: no word of why"),
        (302, "", "answered 302: no word of why"),
    ],
)
async def test_an_answer_that_is_none(
    server: Exporter, source: Open, status: int, body: str, said: str
) -> None:
    """Whatever is not a vector in full is an outage that says what was answered."""
    server.status, server.body = status, body
    told = sentence(await source(server.url).read(1763800000))
    assert told.startswith(f"Prometheus at {server.url} ")
    assert said in told


async def test_a_note_on_style_is_no_warning(server: Exporter, source: Open) -> None:
    """Prometheus 2 puts its notes on queries among the warnings; nothing is missing then."""
    answer = json.loads(EMPTY) | {"warnings": ["PromQL info: metric might not be a counter"]}
    server.body = json.dumps(answer)
    telemetry = await source(server.url).read(1763800000)
    assert (telemetry.down, telemetry.warnings) == (None, ())


async def test_nobody_there(source: Open) -> None:
    """A refused connection is an outage, and the sentence says where."""
    url = f"http://127.0.0.1:{free_port()}"
    assert sentence(await source(url).read(1)) == f"Prometheus at {url} cannot be reached"


async def test_no_answer_in_time(server: Exporter, source: Open) -> None:
    """A server that hangs is an outage after the timeout, not a hanging controller."""
    server.gate.clear()
    told = sentence(await source(server.url, timeout_s=0.2).read(1))
    server.gate.set()
    assert "0.2 s" in told


async def test_credentials_are_sent_and_never_shown(
    server: Exporter, source: Open, tmp_path: Path
) -> None:
    """Headers and the token go to the server; no sentence shows them, nor a password in a URL.
    The token is read anew each time, since Kubernetes rotates it."""
    token = tmp_path / "token"
    token.write_text("s3cret-one\n")
    with_password = server.url.replace("//", "//user:s3cret-pass@")
    opened = source(with_password, token_file=token, headers={"X-Scope-OrgID": "s3cret-org"})
    assert (await opened.read(1763800000)).down is None
    assert server.headers["Authorization"] == "Bearer s3cret-one"
    assert server.headers["X-Scope-OrgID"] == "s3cret-org"
    token.write_text("s3cret-two")
    server.status = 401
    told = sentence(await opened.read(1763800001))
    assert server.headers["Authorization"] == "Bearer s3cret-two"
    server.broken = True
    told += sentence(await opened.read(1763800002))
    token.write_text("s3cret\nsmuggled: header")
    told += sentence(await opened.read(1763800003))
    token.unlink()
    gone = sentence(await opened.read(1763800004))
    assert gone == f"the token file {token} cannot be read"
    assert "s3cret" not in told
    assert "s3cret" not in repr(opened)


async def test_a_password_in_the_url_is_used(server: Exporter, source: Open) -> None:
    """As everywhere, user:password@ in the URL is basic authentication."""
    await source(server.url.replace("//", "//user:pass@")).read(1763800000)
    assert server.headers["Authorization"].startswith("Basic ")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
async def test_certificates(source: Open, tmp_path: Path) -> None:
    """A server needs a certificate that is trusted: by default, by a CA file, or not asked for."""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Exporter(context) as server:
        server.body = EMPTY
        told = sentence(await source(server.url).read(1763800000))
        assert "certificate that is not trusted" in told
        for verify in (str(tmp_path / "ca.pem"), False):
            assert (await source(server.url, verify=verify).read(1763800000)).down is None


async def test_a_path_prefix_is_kept(server: Exporter, source: Open) -> None:
    """A Prometheus behind a prefix, written with or without the slash at its end."""
    for url in (f"{server.url}/prometheus", f"{server.url}/prometheus/"):
        assert (await source(url).read(1763800000)).down is None
        assert server.path.startswith("/prometheus/api/v1/query?")


async def test_one_failed_family_is_no_half_window(bed: Bed) -> None:
    """When one query of a reading fails nothing of that reading is used, and nothing is lost."""
    families = bed.families
    source = bed.open(families=replace(families, timeouts="not a name"))
    bed.one.count(bed.web, {2: 10})
    now = await bed.scraped()
    assert (await source.read(now - 1)).down is None
    broken = await source.read(now)
    assert "answered 400" in sentence(broken)
    assert "parse error" in sentence(broken)


async def test_families_that_a_data_plane_does_not_have(bed: Bed) -> None:
    """Without timeouts, gauge, histogram and age the requests are still counted."""
    bed.families = replace(bed.families, timeouts="", in_flight="", latency="", uptime="")
    bed.source = bed.open()
    bed.one.count(bed.web, {2: 10}, timeouts=1, latencies_ms=[1])
    await bed.read()
    bed.one.count(bed.web, {2: 3, 5: 1}, timeouts=1, latencies_ms=[1])
    window = await bed.window()
    assert (window.classes, window.timeouts, window.bounds_ms) == ({2: 3, 5: 1}, 0, ())
    assert not window.partial


async def test_only_jobs_that_are_asked_for_are_trusted(bed: Bed) -> None:
    """The selector of ``up`` says whose scrapes count: those of another job prove nothing."""
    envoy, other = (bed.open(up_selector=f'job="{job}"') for job in ("envoy", "other"))
    bed.one.count(bed.web, {2: 10})
    now = await bed.scraped()
    for source in (envoy, other):
        await source.read(now)
    bed.one.count(bed.web, {2: 3})
    now = await bed.scraped()
    trusted, untrusted = [(await one.read(now)).windows[bed.web] for one in (envoy, other)]
    assert (trusted.requests, trusted.partial) == (3, False)
    assert (untrusted.requests, untrusted.partial) == (0, True)
