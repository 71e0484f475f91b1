"""Instant queries to the HTTP API, answered in full or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from requests.auth import AuthBase
from requests.utils import check_header_validity
from urllib3.util.retry import Retry

from trimtab.errors import Unavailable

_SHOWN = 300  # characters of an answer's error that a sentence quotes


class Row(NamedTuple):
    labels: Mapping[str, str]
    value: float


class Answer(NamedTuple):
    """The rows of an instant vector, and when Prometheus evaluated it (None for no rows)."""

    rows: tuple[Row, ...]
    at: float | None


class Incomplete(Unavailable):
    """An answer with warnings: part of the data may be missing, so none of it is used."""

    def __init__(self, message: str, warnings: tuple[str, ...]) -> None:
        super().__init__(message)
        self.warnings = warnings


class _Credentials(AuthBase):
    """Puts the headers on each request; a token file is read anew, since Kubernetes rotates it.

    As the session's ``auth`` it also keeps requests from taking credentials out of a ~/.netrc.
    """

    def __init__(self, headers: Mapping[str, str], token_file: Path | None) -> None:
        self._headers = dict(headers)
        self._token_file = token_file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        sent = dict(self._headers)
        if self._token_file is not None:
            try:
                token = self._token_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeError) as error:
                raise Unavailable(f"the token file {self._token_file} cannot be read") from error
            sent["Authorization"] = f"Bearer {token}"
        for header in sent.items():
            check_header_validity(header)
        request.headers.update(sent)
        return request


class Client:
    """Asks one Prometheus. Blocking; safe to use from several threads.

    Every failure is Unavailable with a sentence that shows no credentials. Nothing is retried:
    the next reading asks again.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        headers: Mapping[str, str],
        token_file: Path | None,
        verify: bool | str,
    ) -> None:
        self._name = f"Prometheus at {_without_credentials(url)}"
        self._timeout_s = timeout_s
        session = requests.Session()
        session.verify = verify
        session.hooks["response"].append(self._check)
        if headers or token_file is not None:
            session.auth = _Credentials(headers, token_file)
        self._connection = PrometheusConnect(
            url.rstrip("/"), session=session, retry=Retry(total=0), timeout=timeout_s
        )

    def ask(self, query: str) -> Answer:
        """The instant vector that answers ``query``. Raises Unavailable or Incomplete."""
        try:
            result = self._connection.custom_query(
                query, params={"timeout": f"{round(self._timeout_s * 1000)}ms"}
            )
        except requests.Timeout as error:
            raise Unavailable(
                f"{self._name} did not answer within {self._timeout_s:g} s"
            ) from error
        except requests.exceptions.SSLError as error:
            raise Unavailable(f"{self._name} has a certificate that is not trusted here") from error
        except requests.ConnectionError as error:
            raise Unavailable(f"{self._name} cannot be reached") from error
        except requests.exceptions.InvalidHeader as error:
            raise Unavailable(f"a header or token for {self._name} cannot be sent") from error
        except requests.RequestException as error:
            raise Unavailable(f"{self._name}: {type(error).__name__}") from error
        return self._read(result)

    def close(self) -> None:
        self._connection.close()

    def _check(self, response: requests.Response, **_: object) -> requests.Response:
        """Called by requests with each answer: PrometheusConnect returns ``data.result`` alone,
        whatever its type, and would drop the warnings."""
        if response.is_redirect:
            return response
        try:
            body = response.json()
        except requests.exceptions.JSONDecodeError:
            body = None
        body = body if isinstance(body, dict) else {}
        if response.status_code != requests.codes.ok or body.get("status") != "success":
            told = str(body.get("error") or "no word of why")[:_SHOWN]
            raise Unavailable(f"{self._name} answered {response.status_code}: {told}")
        warnings = tuple(str(w) for w in body.get("warnings") or () if _matters(str(w)))
        if warnings:
            raise Incomplete(
                f"{self._name} warned that its answer may be incomplete: {warnings[0][:_SHOWN]}",
                warnings,
            )
        data = body.get("data")
        kind = data.get("resultType") if isinstance(data, dict) else None
        if kind != "vector":
            raise Unavailable(f"{self._name} answered with {kind or 'no result'}, not a vector")
        response.json = lambda **_: body  # type: ignore[method-assign] # parsed once, for a large answer
        return response

    def _read(self, result: Any) -> Answer:
        try:
            rows = tuple(Row(item["metric"], float(item["value"][1])) for item in result)
            at = float(result[0]["value"][0]) if rows else None
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise Unavailable(f"{self._name} answered with a vector that has no values") from error
        return Answer(tuple(row for row in rows if math.isfinite(row.value)), at)


def _matters(warning: str) -> bool:
    """Servers before 3.0 put notes on style among the warnings."""
    return not warning.startswith("PromQL info:")


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
