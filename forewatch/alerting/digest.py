"""The digest: a receiver's first page leaves at once, what else is due to it in the next seconds leaves as one.

    page ──> at once            then, for `within`: pages, updates and recoveries wait
    timer ─> all that waits as one notification, and the wait begins anew; nothing waits: the next leaves at once again

After a digest of several incidents their recoveries wait for one another, so that a storm ends in one notice: for as
long as one more comes every `calm`, at most `ends_within` seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from forewatch.clock import micros
from forewatch.config.models import Digest

PAGING = frozenset({"page", "failure"})


@dataclass(frozen=True)
class Receiver:
    """When a notifier was sent something last: anything, a page, a critical page. Instants in microseconds UTC.

    `due_at`: when what waits for it leaves; None: nothing waits. `storm`: it was told of several incidents at once.
    """

    notifier: str
    told_at: int = 0
    paged_at: int = 0
    critical_at: int = 0
    due_at: int | None = None
    storm: bool = False


def leaves_at(receiver: Receiver, kind: str, severity: str, now: int, digest: Digest) -> int:
    """When a message of this kind and severity may leave: `now`, or when the receiver's wait is over.

    Nothing less severe delays a page: a critical one waits for nobody but the critical one before it.
    """
    if kind in PAGING:
        last = receiver.critical_at if severity == "critical" else receiver.paged_at
    else:
        last = receiver.told_at
    if kind == "resolved" and receiver.storm and digest.within:
        return now + micros(digest.within)
    # Dated ahead of a clock that was set back it would wait for as long as that.
    return last + micros(digest.within) if last <= now < last + micros(digest.within) else now


def sent(receiver: Receiver, kind: str, severity: str, now: int, *, incidents: int = 1) -> Receiver:
    """The receiver after a message of so many incidents has left, with all that waited in it."""
    pages = kind in PAGING
    return replace(
        receiver,
        told_at=now,
        paged_at=now if pages else receiver.paged_at,
        critical_at=now if pages and severity == "critical" else receiver.critical_at,
        due_at=None,
        storm=(receiver.storm or incidents > 1) if kind != "resolved" else False,
    )


def ends_wait(receiver: Receiver, first: int, newest: int, now: int, digest: Digest) -> bool:
    """Whether a digest of recoveries alone waits for more: they came between `first` and `newest`."""
    if not receiver.storm or not first <= now or not newest <= now:
        return False
    return newest > now - micros(2 * digest.within) and first > now - micros(digest.ends_within)
