"""The objects of many files under their names. A change leaves most of them as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from trimtab.core.model import Object, ObjectRef


def merged(
    given: Sequence[Object],
) -> tuple[dict[ObjectRef, Object], dict[ObjectRef, list[Object]]]:
    """Of all objects, in their order, the first of each name; and under each name that is given more
    than once all that have it."""
    refs = [*map(attrgetter("ref"), given)]
    objects = dict(zip(refs, given, strict=True))
    if len(objects) == len(given):
        return objects, {}
    objects.update(zip(reversed(refs), reversed(given), strict=True))  # the first one stays
    twins: dict[ObjectRef, list[Object]] = {
        ref: [] for ref, times in Counter(refs).items() if times > 1
    }
    for found in given:
        if found.ref in twins:
            twins[found.ref].append(found)
    return objects, twins


def renewed(
    objects: Mapping[ObjectRef, Object],
    changes: Iterable[tuple[Sequence[Object], Sequence[Object]]],
) -> dict[ObjectRef, Object] | None:
    """``objects``, no two of one name, after others came in the place of some of them; None where
    a name came, or stands in another order: then there is no place for it yet."""
    now = dict(objects)
    for gone, come in changes:
        left = {found.ref: found for found in come}
        for found in gone:
            if found.ref not in left:
                del now[found.ref]
        if [found.ref for found in come] != [found.ref for found in gone if found.ref in left]:
            return None
        now.update(left)
    return now
