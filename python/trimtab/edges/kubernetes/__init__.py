"""The Kubernetes API as a store: objects mirrored by list and watch, weights set by JSON Patch."""

from trimtab.edges.kubernetes.client import Client
from trimtab.edges.kubernetes.store import KubernetesPolicyStore, KubernetesStore

__all__ = ["Client", "KubernetesPolicyStore", "KubernetesStore"]
