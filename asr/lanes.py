"""Work on the engine's lanes: as many calls of it at once as it takes, results in order.

One call's Python and decoding leave gaps that another's encoding fills: two lanes of one thread are
faster than one lane of two (docs/ears.md).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_lanes(
    lanes: int, work: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[_Result]:
    """The results of ``work``, in the order of the items.

    Items are drawn as they are needed, one more than there are lanes: memory does not grow with
    their number. The first error is raised in its item's place, and no later item is begun.
    """
    under_way: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(lanes)
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) > lanes:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
