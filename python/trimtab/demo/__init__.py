"""The main job, live: real Envoys and backends, four acts, measured against weights left alone."""

from __future__ import annotations

from pathlib import Path


def run(report: Path, *, cluster: bool = False, as_json: bool = False) -> int:
    """Play the four acts and write ``report/index.html``; 0 if every act did what it claims.

    ``cluster``: on a real kube-apiserver and Prometheus instead of files and scraping.
    ``as_json`` prints the figures as JSON on standard output, and what happens on standard
    error. Raises MissingTool or Unavailable where the stage cannot be set.
    """
    from trimtab.demo.show import play

    return play(report, cluster=cluster, as_json=as_json)
