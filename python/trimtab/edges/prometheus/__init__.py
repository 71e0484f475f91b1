"""Metrics from a Prometheus, or what speaks its query API."""

from trimtab.edges.prometheus.source import PrometheusSource

__all__ = ["PrometheusSource"]
