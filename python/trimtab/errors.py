"""The errors of Trimtab, one closed tree.

    TrimtabError
    ├── Transient           the world was not ready: the next cycle tries again
    │   ├── Conflict        somebody else wrote first: re-read, recompute, retry
    │   └── Unavailable     a server did not answer, in time or at all
    └── Refused             a person must act; retrying changes nothing
        ├── InvalidDocument a document, field or option that cannot be honoured
        └── MissingTool     a program that this machine needs is absent

A library's own error is kept as ``__cause__``. What is none of these is a bug
and ends in a traceback.
"""

from __future__ import annotations


class TrimtabError(Exception):
    """Anything that Trimtab reports on purpose."""


class Transient(TrimtabError):  # noqa: N818 - named by what it means, not by a suffix
    """The world was not ready; nothing was changed; the next cycle tries again."""


class Conflict(Transient):
    """The object changed since it was read. ``writer`` names who, where known."""

    def __init__(self, message: str, writer: str | None = None) -> None:
        super().__init__(message)
        self.writer = writer


class Unavailable(Transient):
    """A server did not answer, in time or at all."""


class Refused(TrimtabError):  # noqa: N818
    """A person must act; retrying changes nothing."""


class InvalidDocument(Refused):
    """A document, field or option that cannot be honoured; says where and what to do."""


class MissingTool(Refused):
    """A program that this machine needs is absent; says how to get it."""
