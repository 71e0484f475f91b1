"""The names under which Envoy counts the requests to the nodes of a mesh."""

from __future__ import annotations

from trimtab.core.model import MetricFamilies

# Only the client's view of a node: cds_ingress_ clusters are a sidecar calling its own
# application, and a gateway's first hop, which would count each request a second time.
FAMILIES = MetricFamilies(
    target_label="envoy_cluster_name",
    selector='envoy_cluster_name=~"cds_egress_.*"',
    requests="envoy_cluster_upstream_rq_xx",
    class_label="envoy_response_code_class",
    timeouts="envoy_cluster_upstream_rq_timeout",
    latency="envoy_cluster_upstream_rq_time",
    in_flight="envoy_cluster_upstream_rq_active",
    uptime="envoy_server_uptime",
)
