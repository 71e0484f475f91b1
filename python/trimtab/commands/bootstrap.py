"""``trimtab envoy-bootstrap``."""

from __future__ import annotations

import sys

from trimtab.commands.output import print_json
from trimtab.edges.xds.bootstrap import ClientTls, as_yaml, bootstrap
from trimtab.errors import InvalidDocument


def bootstrap_command(
    node: str, xds: str, admin: str, tls: tuple[str, str, str], *, as_json: bool
) -> int:
    """``tls``: the paths of CA, certificate and key as the Envoy sees them, or empty."""
    ca, certificate, key = tls
    if (certificate or key) and not (ca and certificate and key):
        raise InvalidDocument("--tls-certificate and --tls-key belong together, and to --tls-ca")
    try:
        document = bootstrap(node, xds, admin, tls=ClientTls(*tls) if ca else None)
    except ValueError as error:
        raise InvalidDocument(str(error)) from error
    if as_json:
        print_json(document)
    else:
        sys.stdout.write(as_yaml(document))
    return 0
