"""Writes the WeightPolicy CRD and its reference page from the typed policy.

python -m trimtab.crds deploy/crds                      write the CRD
python -m trimtab.crds --check deploy/crds              exit 1 when it is out of date
python -m trimtab.crds --reference docs/weightpolicy.md write the reference page
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from trimtab.core.policy import GROUP, KIND, VERSION
from trimtab.policies import spec_schema
from trimtab.ports import POLICY_KIND

_COLUMNS = (
    ("Target", ".spec.targetRef.name", "string"),
    ("Mode", ".spec.mode", "string"),
    ("Phase", ".status.phase", "string"),
    ("Age", ".metadata.creationTimestamp", "date"),
)


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition, as an API server takes it."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "jsonPath": path, "type": kind} for name, path, kind in _COLUMNS
        ],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": "What a user asks for a weighted route.",
                "required": ["spec"],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": spec_schema(),
                    "status": {
                        "type": "object",
                        "description": "What Trimtab did and must remember; written by it alone.",
                        "x-kubernetes-preserve-unknown-fields": True,
                    },
                },
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{POLICY_KIND.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": POLICY_KIND.plural,
                "singular": KIND.lower(),
                "shortNames": ["wp"],
                "categories": ["trimtab"],
            },
            "versions": [version],
        },
    }


def reference() -> str:
    """The reference page: one row for each field."""
    head = [
        f"# {KIND} ({GROUP}/{VERSION})",
        "",
        "Generated from `python/trimtab/core/policy.py` by `make docs`.",
        "",
        "| field | type | what it is |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *_rows("spec", spec_schema())]) + "\n"


def _rows(path: str, node: Mapping[str, Any]) -> Iterator[str]:
    for name, child in node["properties"].items():
        here = f"{path}.{name}"
        item = child.get("items", child)
        kind = f"{item['type']} list" if child["type"] == "array" else child["type"]
        needed = " (required)" if name in node.get("required", ()) else ""
        yield f"| `{here}` | {kind}{needed} | {child['description']} |"
        if "properties" in item:
            yield from _rows(here + ("[]" if item is not child else ""), item)


def main(arguments: list[str]) -> int:
    if len(arguments) == 2 and arguments[0] == "--reference":
        Path(arguments[1]).write_text(reference(), encoding="utf-8")
        return 0
    check = arguments[:1] == ["--check"]
    if len(arguments) != 1 + check:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    file = Path(arguments[-1]) / f"{GROUP}_{POLICY_KIND.plural}.yaml"
    text = "# Generated from python/trimtab/core/policy.py by `make crds`.\n"
    text += yaml.safe_dump(crd(), sort_keys=False, width=100)
    if check:
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{file} is out of date: run `make crds`\n")
            return 1
        return 0
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
