"""How much each target could carry, from what it carries now: the rule of gRPC's A58.

A58 weighs a backend by ``qps / (utilisation + error_ratio * penalty)``. Envoy reports no
utilisation, but requests in flight tell it: a server that shares its capacity among N requests
is busy N/(N+1) of the time (M/M/1). With Little's law the quotient is goodput + 1/latency: the
throughput that it has plus the one that it has left. For M/M/1 this equals the capacity at any
load, so that the loop has no gain to oscillate with; with several workers the fixed point is an
equal number of requests in flight everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.core.evidence import Sums

# Below this an idle target would look infinitely capable for the noise of one request.
LEAST_UTILISATION = 0.01


def capacity(sums: Sums, error_penalty: float) -> float:
    """Estimated goodput capacity in requests per second; 0 for a target that answers nothing well."""
    in_flight = sums.mean_in_flight
    utilisation = max(in_flight / (in_flight + 1), LEAST_UTILISATION)
    return sums.goodput / (utilisation + sums.error_ratio * error_penalty)


def shares(capacities: Sequence[float], available: float) -> tuple[float, ...]:
    """``available`` divided in proportion to the capacities; evenly where all of them are zero."""
    total = sum(capacities)
    if total <= 0:
        return tuple(available / len(capacities) for _ in capacities)
    return tuple(available * c / total for c in capacities)
