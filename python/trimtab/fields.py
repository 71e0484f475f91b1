"""Writes the table of every field of the App Mesh CRDs and what Trimtab does with it.

python -m trimtab.fields docs/appmesh-fields.md          write the page
python -m trimtab.fields --check docs/appmesh-fields.md  exit 1 when it is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from trimtab.providers.appmesh.documents import SPECS
from trimtab.providers.appmesh.envoy import HONOURED
from trimtab.providers.appmesh.reader import field_paths
from trimtab.providers.appmesh.unserved import OBSERVED_ONLY

_HEAD = """\
# Fields of App Mesh resources

Generated from the types in `python/trimtab/providers/appmesh` by `make docs`; a test compares it
with the CRDs of the App Mesh controller, field by field.

*Read* fields are typed, held against their limits, and used by lint, matching, steering and graphs
as far as they concern these. *Served* says what becomes of a field where Trimtab configures Envoys:
*yes*, it reaches them; *in part*, only fields below it do; *no*, they act as if it were not there,
and `trimtab lint --xds` says so wherever it is set; *seen only*, it changes what is seen of the
traffic and not where the traffic goes.
"""
_ENVELOPE = {
    "apiVersion": "by the store",
    "kind": "by the store",
    "metadata": "name, namespace, labels and annotations",
}
# What is not read, and why it cannot concern routing, weights or our xDS.
_UNREAD = {
    "status": "what the App Mesh controller noted of its calls to AWS, ARNs and conditions; "
    "nothing is routed by it, and nobody writes it any more",
}


def page() -> str:
    parts = [_HEAD, "## In every kind\n\n| field | read |\n|---|---|"]
    parts += [f"| `{field}` | yes: {how} |" for field, how in _ENVELOPE.items()]
    parts += [f"| `{field}` | no: {why} |" for field, why in _UNREAD.items()]
    for kind, spec in SPECS.items():
        parts.append(f"\n## {kind}\n\n| field | read | served |\n|---|---|---|")
        parts.append("| `spec` | yes | in part |")
        parts += [f"| `spec.{path}` | yes | {_served(kind, path)} |" for path in field_paths(spec)]
    return "\n".join(parts) + "\n"


def _served(kind: str, path: str) -> str:
    whole = f"{kind}.{path}"
    if any(above in HONOURED for above in _and_above(whole)):
        return "yes"
    if any(honoured.startswith(f"{whole}.") for honoured in HONOURED):
        return "in part"
    return "seen only" if set(path.split(".")) & set(OBSERVED_ONLY) else "no"


def _and_above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]


def main(arguments: list[str]) -> int:
    check = arguments[:1] == ["--check"]
    if len(arguments) != 1 + check:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    file = Path(arguments[-1])
    if not check:
        file.write_text(page(), encoding="utf-8")
    elif not file.exists() or file.read_text(encoding="utf-8") != page():
        sys.stderr.write(f"{file} is out of date: run `make docs`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
