"""Serving Envoys over xDS: snapshots, the state of one stream, the server, the bootstrap.

``snapshot`` versions the resources of a node by their content, ``stream`` is the protocol
without input or output, ``server`` pumps it over gRPC, ``bootstrap`` tells a plain Envoy
where to find it. Only ``server`` imports gRPC and protobuf.
"""
