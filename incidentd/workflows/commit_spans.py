"""The part of a traced post that is its commit: written together with others, and yet a span in its own trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from incidentd.tracing import Kind, Tracer
from incidentd.workflows.receive import Submission


@contextmanager
def commits(tracer: Tracer, posts: Sequence[Submission]) -> Iterator[list[Submission]]:
    """A span for each post that is traced, for as long as the block lasts.

    The posts as they are to be written: what they cause names that span as its parent.
    """
    spans = {
        at: tracer.begin("commit", Kind.INTERNAL, post.trace, {"incidentd.alerts": len(post.alerts)})
        for at, post in enumerate(posts)
        if post.trace is not None
    }
    error: str | None = "rolled back"
    try:
        yield [
            replace(post, trace=spans[at].context) if at in spans else post for at, post in enumerate(posts)
        ]
        error = None
    finally:
        for span in spans.values():
            span.end({"incidentd.batch.posts": len(posts)}, error)
