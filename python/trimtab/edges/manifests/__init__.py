"""Files as a store: YAML and JSON manifests that come back as they were, but for the weights.

Beside the stores, what looks and does not steer uses: ``look`` reads files once, leniently;
``rewrite`` replaces whole documents; ``as_yaml`` shows one.
"""

from trimtab.edges.manifests.dump import as_yaml
from trimtab.edges.manifests.look import Looked, look
from trimtab.edges.manifests.placeholders import Values, read_values
from trimtab.edges.manifests.policies import ManifestPolicyStore
from trimtab.edges.manifests.rewrite import Replacement, Written, rewrite
from trimtab.edges.manifests.store import ManifestStore

__all__ = [
    "Looked",
    "ManifestPolicyStore",
    "ManifestStore",
    "Replacement",
    "Values",
    "Written",
    "as_yaml",
    "look",
    "read_values",
    "rewrite",
]
