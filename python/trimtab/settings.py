"""Settings of ``trimtab run``: flags over environment over file over defaults.

One name for one thing: the field ``tick_seconds`` is the flag ``--tick-seconds``, the variable
``TRIMTAB_TICK_SECONDS`` and the key ``tickSeconds`` of a settings file.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from annotated_types import Ge, Gt
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from trimtab.core.policy import camel
from trimtab.errors import InvalidDocument

ENVIRONMENT = "TRIMTAB_"

Seconds = Annotated[float, Gt(0)]
# Several values in one variable are separated by commas, not written as JSON.
Texts = Annotated[tuple[str, ...], NoDecode]
Paths = Annotated[tuple[Path, ...], NoDecode]


class Settings(BaseSettings):
    """What a running Trimtab is made of."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT, extra="forbid", frozen=True, validate_default=False
    )

    manifests: Paths = Field(
        default=(), description="Files or directories of manifests to steer instead of a cluster."
    )
    kubeconfig: Path | None = Field(
        default=None, description="Steer the cluster of this kubeconfig (its current context)."
    )
    in_cluster: bool = Field(default=False, description="Steer the cluster that this pod runs in.")
    namespaces: Texts = Field(
        default=(), description="Namespaces to watch in a cluster; none means all."
    )
    policies: Paths = Field(
        default=(),
        description="Files or directories of WeightPolicies; default: where the routes are.",
    )
    state: Path | None = Field(
        default=None, description="File that remembers ramps where policies are files."
    )
    scrape: Texts = Field(
        default=(), description="Envoy admin addresses to read, e.g. http://127.0.0.1:9901."
    )
    prometheus: str | None = Field(default=None, description="URL of a Prometheus to query.")
    prometheus_token_file: Path | None = Field(
        default=None, description="File with a bearer token for Prometheus."
    )
    prometheus_ca_file: Path | None = Field(
        default=None, description="CA that signed the certificate of Prometheus."
    )
    prometheus_settle_seconds: Annotated[float, Ge(0)] = Field(
        default=0.5,
        description="Windows end this long before a reading: above the scrape duration, and above "
        "the delay of remote write where there is one.",
    )
    prometheus_up_selector: str = Field(
        default="",
        description="Label matchers for `up`, where several jobs scrape the same instances.",
    )
    tick_seconds: Seconds = Field(default=5.0, description="Time from one decision to the next.")
    source_timeout_seconds: Seconds = Field(
        default=4.0, description="How long a metric source may take to answer."
    )
    verify_seconds: Seconds = Field(
        default=2.0, description="How long Envoys may take to acknowledge a written weight."
    )
    xds: str | None = Field(default=None, description="Serve xDS to Envoys at HOST:PORT.")
    grpc: str | None = Field(default=None, description="Serve the gRPC API at HOST:PORT.")
    http: str | None = Field(
        default="127.0.0.1:8080",
        description="Serve /metrics, /healthz, /readyz and /decisions at HOST:PORT.",
    )
    tls_certificate: Path | None = Field(
        default=None, description="PEM certificate of all servers."
    )
    tls_key: Path | None = Field(default=None, description="PEM key of the certificate.")
    tls_client_ca: Path | None = Field(
        default=None, description="CA that clients' certificates must be signed by."
    )
    insecure: bool = Field(
        default=False, description="Allow plaintext servers that other machines can reach."
    )
    decisions: Path | None = Field(
        default=None, description="Append every decision to this file, one JSON object a line."
    )
    dry_run: bool = Field(
        default=False, description="Shadow mode: decide and tell, but write nothing at all."
    )
    grace_seconds: Seconds = Field(
        default=10.0, description="How long running calls may take to end when stopping."
    )
    log_level: str = Field(default="info", description="debug, info, warning or error.")
    log_json: bool | None = Field(
        default=None, description="Log JSON lines; default: unless standard error is a terminal."
    )

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Variables hold lists as text with commas."""
        lists = {"manifests", "policies", "namespaces", "scrape"}
        return {
            name: tuple(p.strip() for p in value.split(",") if p.strip())
            if name in lists and isinstance(value, str)
            else value
            for name, value in values.items()
        }

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        stores = [bool(self.manifests), self.kubeconfig is not None, self.in_cluster]
        if sum(stores) != 1:
            raise ValueError("give exactly one of manifests, kubeconfig and in_cluster")
        if self.scrape and self.prometheus:
            raise ValueError(
                "give scrape or prometheus, not both: two sources would be counted twice"
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together")
        return self


def load_settings(config: Path | None, flags: Mapping[str, Any]) -> Settings:
    """Settings from flags (those that were given), environment and ``config``.

    Raises InvalidDocument naming the file, the field and the nearest known name.
    """
    given = {name: value for name, value in flags.items() if value not in (None, (), [])}
    from_file = _read_file(config) if config is not None else {}

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            below = InitSettingsSource(settings_cls, init_kwargs=from_file)
            return init_settings, env_settings, below

    try:
        return Layered(**given)
    except ValidationError as error:
        lines = [_sentence(e) for e in error.errors(include_url=False)]
        raise InvalidDocument("settings: " + "; ".join(lines)) from error


def _read_file(path: Path) -> dict[str, Any]:
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InvalidDocument(f"{path}: {error}") from error
    if not isinstance(body, dict):
        raise InvalidDocument(f"{path}: a settings file is a mapping, e.g. `tickSeconds: 5`")
    known = {camel(name): name for name in Settings.model_fields}
    for key in body:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise InvalidDocument(f"{path}: {key}: unknown setting; {hint}")
    return {known[key]: value for key, value in body.items()}


def _sentence(error: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
