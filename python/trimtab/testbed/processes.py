"""The programs of the test bed, each a context that leaves nothing behind."""

from trimtab.testbed.cluster import CRDS, Cluster
from trimtab.testbed.envoy import Envoy
from trimtab.testbed.process import Process, answers, free_port, poll
from trimtab.testbed.prometheus_server import Prometheus

__all__ = ["CRDS", "Cluster", "Envoy", "Process", "Prometheus", "answers", "free_port", "poll"]
