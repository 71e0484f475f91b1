"""How the API server is reached: a kubeconfig, or the service account of the pod."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)
from kubernetes.aio.config.kube_config import load_kube_config

from trimtab.errors import Refused

_RENEW_AFTER_S = 60.0
_REMEDY = "Remedy: name a kubeconfig, or run in a pod with a service account"


async def configure(
    kubeconfig: Path | None, context: str | None, environ: Mapping[str, str]
) -> Configuration:
    """The way to the cluster, looked for as kubectl does: the file named, $KUBECONFIG, the pod's
    service account, ~/.kube/config. Raises Refused when there is none or it cannot be read."""
    if kubeconfig is not None:
        return await _from_kubeconfig(str(kubeconfig), context)
    if environ.get("KUBECONFIG"):
        return await _from_kubeconfig(environ["KUBECONFIG"], context)
    if environ.get(SERVICE_HOST_ENV_NAME):
        return from_pod(environ)
    return await _from_kubeconfig("~/.kube/config", context)


def from_pod(
    environ: Mapping[str, str],
    token_file: Path = Path(SERVICE_TOKEN_FILENAME),
    ca_file: Path = Path(SERVICE_CERT_FILENAME),
) -> Configuration:
    """The service account of the pod that we run in; its token is re-read when it is rotated."""
    configuration = Configuration()
    loader = InClusterConfigLoader(
        str(token_file), str(ca_file), try_refresh_token=False, environ=environ
    )
    try:
        loader.load_and_set(configuration)
    except ConfigException as error:
        raise Refused(f"service account of the pod: {error}. {_REMEDY}") from error
    configuration.refresh_api_key_hook = TokenFile(token_file)
    return configuration


class TokenFile:
    """Sets the bearer token before every request, from a file that the kubelet replaces.

    The file is read again when its inode, size or time has changed, so that a rotated token is
    used at once and the unchanged one costs a stat.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def __call__(self, configuration: Configuration) -> None:
        # While the file is away the last token serves on: the server says if it is too old.
        with contextlib.suppress(OSError) if self._seen else contextlib.nullcontext():
            stat = self._path.stat()
            seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if seen != self._seen:
                token = self._path.read_text().strip()
                configuration.api_key["BearerToken"] = f"Bearer {token}"
                self._seen = seen


async def _from_kubeconfig(path: str, context: str | None) -> Configuration:
    if not _has_file(path):
        raise Refused(f"kubeconfig {path}: no such file. {_REMEDY}")
    configuration = Configuration()
    try:
        loader = await load_kube_config(
            path, context, client_configuration=configuration, persist_config=False
        )
    except ConfigException as error:
        raise Refused(f"kubeconfig {path}: {error}. {_REMEDY}") from error
    except yaml.YAMLError as error:
        # The parser's words quote the file, and the file holds secrets.
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise Refused(f"kubeconfig {path}: not valid YAML{where}. {_REMEDY}") from None
    except (
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ):  # the loader takes the shape for granted
        raise Refused(f"kubeconfig {path}: not a kubeconfig. {_REMEDY}") from None
    configuration.refresh_api_key_hook = _Renewal(loader)
    return configuration


def _has_file(path: str) -> bool:
    """Whether one of the files of a path in the form of $KUBECONFIG is there."""
    return any(Path(part).expanduser().is_file() for part in path.split(os.pathsep))


class _Renewal:
    """Asks the kubeconfig again once a minute: token files are rotated, and what an exec plugin
    gives (``aws eks get-token``) expires."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._due = asyncio.get_running_loop().time() + _RENEW_AFTER_S

    async def __call__(self, configuration: Configuration) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._due:
            self._due = now + _RENEW_AFTER_S
            await self._loader.load_and_set(configuration)
