"""A real etcd and kube-apiserver on loopback: a cluster without nodes."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import yaml

from trimtab.testbed.process import Process, answers, free_port, poll
from trimtab.testbed.tools import find

CRDS = Path(__file__).parent / "crds"


class Cluster:
    """etcd and kube-apiserver. RBAC is on, the ServiceAccount admission off, no controllers run.

    Two users have static tokens: ``admin`` (system:masters) and ``nobody``, who may do nothing
    until a Role is bound to that user.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.admin_token = secrets.token_hex(16)
        self.ca_file = directory / "certs" / "apiserver.crt"  # signed by itself
        self._port = free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self._tokens = {"admin": self.admin_token, "nobody": secrets.token_hex(16)}
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc: loopback only
        self._etcd: Process | None = None
        self._apiserver: Process | None = None

    @classmethod
    def start(cls, directory: Path) -> Self:
        """Start both; returns when the API server says that it is ready (some 3 s). Raises
        Unavailable with the end of the log, MissingTool where a program cannot be had."""
        directory.mkdir(parents=True, exist_ok=True)
        find("kube-apiserver")  # before anything runs: this may take minutes
        cluster = cls(directory)
        try:
            cluster._start_etcd()
            cluster._write_credentials()
            cluster.start_apiserver()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop both, the API server first: it hangs on SIGTERM once its etcd is gone."""
        self.stop_apiserver()
        if self._etcd is not None:
            self._etcd.stop()

    def stop_apiserver(self) -> None:
        """Stop the API server alone; what it stored stays in etcd."""
        if self._apiserver is not None:
            self._apiserver.stop()

    def start_apiserver(self) -> None:
        """Start the API server (again), on the same port and with the same certificate."""
        if self._apiserver is None:
            self._apiserver = Process(
                "kube-apiserver", self._apiserver_command(), self.directory / "kube-apiserver.log"
            )
        else:
            self._apiserver.start_again()
        self._apiserver.await_ready(self._ready, 60)

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._etcd_url = client
        self._etcd = Process(
            "etcd",
            [
                find("etcd"),
                f"--data-dir={self.directory / 'etcd'}",
                "--unsafe-no-fsync",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
            ],
            self.directory / "etcd.log",
        )
        self._etcd.await_ready(lambda: answers(f"{client}/health"), 30)

    def _write_credentials(self) -> None:
        groups = {"admin": ',"system:masters"'}
        lines = [
            f"{token},{user},{user}{groups.get(user, '')}\n" for user, token in self._tokens.items()
        ]
        _write_secret(self.directory / "tokens.csv", "".join(lines))
        _write_secret(self.directory / "sa.key", _new_ec_key())

    def _apiserver_command(self) -> list[str | Path]:
        key = self.directory / "sa.key"  # a private key serves as the public one too
        return [
            find("kube-apiserver"),
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={self.directory / 'certs'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            f"--service-account-issuer={self.url}/",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--endpoint-reconciler-type=none",
        ]

    def _ready(self) -> bool:
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        return self.ca_file.exists() and answers(f"{self.url}/readyz", str(self.ca_file), headers)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """One call of the API with its answer; raises requests.HTTPError with the server's words."""
        answer = self._session.request(
            method,
            self.url + path,
            json=body,
            headers={
                "Authorization": f"Bearer {token or self.admin_token}",
                "Content-Type": content_type,
            },
            verify=str(self.ca_file),
            timeout=30,
        )
        if not answer.ok:
            what = f"{method} {path}: {answer.status_code}: {answer.text}"
            raise requests.HTTPError(what, response=answer)
        return answer.json()

    def apply(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Create the object, or replace it, and return it as stored. A CRD is waited for until
        it is served. Raises requests.HTTPError with the server's words."""
        path = self.path(document)
        name = document["metadata"]["name"]
        try:
            stored = self.request("POST", path, dict(document))
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code != 409:
                raise
            old = self.request("GET", f"{path}/{name}")
            version = {"resourceVersion": old["metadata"]["resourceVersion"]}
            body = {**document, "metadata": {**document["metadata"], **version}}
            stored = self.request("PUT", f"{path}/{name}", body)
        if document["kind"] == "CustomResourceDefinition":
            self._await_established(stored)
        return dict(stored)

    def apply_all(self, folder: Path) -> None:
        """Apply every document of the YAML files in a folder, in the order of their names."""
        for file in sorted(folder.glob("*.yaml")):
            for document in yaml.safe_load_all(file.read_text()):
                if document:
                    self.apply(document)

    def path(self, document: Mapping[str, Any]) -> str:
        """The path of the collection that holds a document, from the server's own discovery."""
        version, kind = document["apiVersion"], document["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._plurals:
            for resource in self.request("GET", root)["resources"]:
                if "/" not in resource["name"]:
                    entry = (resource["name"], resource["namespaced"])
                    self._plurals[version, resource["kind"]] = entry
        plural, namespaced = self._plurals[version, kind]
        space = (
            f"/namespaces/{document['metadata'].get('namespace', 'default')}" if namespaced else ""
        )
        return f"{root}{space}/{plural}"

    def _await_established(self, crd: Mapping[str, Any]) -> None:
        spec = crd["spec"]
        urls = [
            f"/apis/{spec['group']}/{v['name']}/{spec['names']['plural']}"
            for v in spec["versions"]
            if v["served"]
        ]

        def served() -> bool:
            with contextlib.suppress(requests.HTTPError):
                for url in urls:
                    self.request("GET", url + "?limit=1")
                return True
            return False

        if not poll(served, 20):
            raise TimeoutError(f"CRD {crd['metadata']['name']} was not established within 20 s")
        self._plurals.clear()  # what was discovered before did not have it

    def kubeconfig(self, user: str = "admin", token: str | None = None) -> Path:
        """Write a kubeconfig for ``admin``, ``nobody``, or any name with a token of its own."""
        path = self.directory / f"kubeconfig-{user}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": user,
            "clusters": [
                {
                    "name": "testbed",
                    "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)},
                }
            ],
            "users": [{"name": user, "user": {"token": token or self._tokens[user]}}],
            "contexts": [{"name": user, "context": {"cluster": "testbed", "user": user}}],
        }
        _write_secret(path, yaml.safe_dump(document))
        return path

    def token_for(self, namespace: str, serviceaccount: str) -> str:
        """A token of a ServiceAccount that exists, good for an hour."""
        answer = self.request(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{serviceaccount}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": 3600},
            },
        )
        return str(answer["status"]["token"])


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _new_ec_key() -> str:
    """A P-256 private key as PEM (RFC 5915): any number below the order of the curve is one,
    so that neither openssl nor a cryptography library is needed for it."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    secret = (1 + secrets.randbelow(order - 1)).to_bytes(32, "big")
    der = bytes.fromhex("30310201010420") + secret + bytes.fromhex("a00a06082a8648ce3d030107")
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n"
