"""How long somebody waits after wrong passwords."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

# A factory may sit behind one address, so it may fail more often than a user.
_USER_FREE, _USER_CAP = 3, 60.0
_ADDRESS_FREE, _ADDRESS_CAP = 20, 600.0

# Failures are forgotten after so long without another one.
_FORGET = 3600.0
# Some MB at most, whatever names are tried.
_MOST = 10_000


class Delays:
    """Counts the failures of each key; the delay after each doubles, up to a cap.

    Args:
        free: Failures without a delay.
        cap: Longest delay in seconds.
        clock: Tells the time in seconds.
    """

    def __init__(self, free: int, cap: float, clock: Callable[[], float]) -> None:
        self._free = free
        self._cap = cap
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._failures)

    def left(self, key: str) -> float:
        """Return for how many seconds the key must still wait."""
        count, since = self._known(key)
        if count < self._free:
            return 0.0
        # The exponent is bounded: a float ends at 2**1024.
        delay = min(self._cap, 2.0 ** min(count - self._free, 60))
        return max(0.0, since + delay - self._clock())

    def failed(self, key: str) -> None:
        """Count one more failure."""
        count, _ = self._known(key)
        self._failures[key] = (count + 1, self._clock())
        self._failures.move_to_end(key)
        while len(self._failures) > _MOST:
            self._failures.popitem(last=False)

    def take_back(self, key: str) -> None:
        """Count one failure less."""
        count, since = self._known(key)
        if count > 1:
            self._failures[key] = (count - 1, since)
        else:
            self.forget(key)

    def forget(self, key: str) -> None:
        """Forget all failures of the key."""
        self._failures.pop(key, None)

    def _known(self, key: str) -> tuple[int, float]:
        count, since = self._failures.get(key, (0, 0.0))
        if count and self._clock() - since > _FORGET:
            self.forget(key)
            return 0, 0.0
        return count, since


class Throttle:
    """Slows down whoever tries passwords, by user and by address.

    Args:
        clock: Tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = Delays(_USER_FREE, _USER_CAP, clock)
        self._addresses = Delays(_ADDRESS_FREE, _ADDRESS_CAP, clock)
        self._lock = threading.Lock()

    def begin(self, user: str, address: str) -> float:
        """Begin a try, which counts as failed until `succeed`: many at once gain nothing.

        Returns:
            0 when it may go on, else the seconds to wait; then it counts not at all.
        """
        block = network(address)
        with self._lock:
            left = max(self._users.left(user), self._addresses.left(block))
            if left == 0:
                self._users.failed(user)
                self._addresses.failed(block)
            return left

    def succeed(self, user: str, address: str) -> None:
        """End a try whose password was right."""
        with self._lock:
            self._users.forget(user)
            # Own logins in between must not wash an address clean that guesses those of others.
            self._addresses.take_back(network(address))


def network(address: str) -> str:
    """Return what counts as one address: with IPv6 the /64 that a single line usually owns.

    >>> network("192.0.2.7"), network("2001:db8::1:2"), network("unknown")
    ('192.0.2.7', '2001:db8::/64', 'unknown')

    A server of both kinds sees those of IPv4 in the clothes of IPv6:

    >>> network("::ffff:192.0.2.7")
    '192.0.2.7'
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
