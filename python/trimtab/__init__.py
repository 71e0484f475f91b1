"""Trimtab keeps the weights of weighted mesh routes right, from live evidence.

The route matcher is all that this package imports by itself:

>>> table = RouteTable([Rule("cart", prefix="/cart", targets=[("v1", 90), ("v2", 10)])])
>>> table.match("/cart/1?q=x").targets
(('v1', 90), ('v2', 10))
"""

from trimtab._core import (
    HeaderMatch,
    Match,
    Picker,
    QueryMatch,
    RouteTable,
    Rule,
    RuleError,
    __version__,
)

__all__ = [
    "HeaderMatch",
    "Match",
    "Picker",
    "QueryMatch",
    "RouteTable",
    "Rule",
    "RuleError",
    "__version__",
]
