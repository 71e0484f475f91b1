"""Metrics read from Envoys directly, without a Prometheus."""

from trimtab.edges.scrape.source import ScrapeSource

__all__ = ["ScrapeSource"]
