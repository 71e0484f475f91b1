"""Real Envoy, Prometheus, etcd and kube-apiserver on loopback, for tests and for the demo.

``tools`` finds the programs or installs them, ``processes`` runs them. Needs no container
runtime and no root. ``python -m trimtab.testbed`` says where each program is found.
"""
