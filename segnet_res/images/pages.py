"""How many pages a TIFF has."""

import struct
from typing import IO

# A file can list pages by the million that hold nothing; nobody needs to know how many.
MAX_PAGES = 10_000


def count_pages(file: IO[bytes]) -> int:
    """Return the number of pages of a TIFF, `MAX_PAGES` + 1 for more; 1 where the file is damaged.

    Only the links from page to page are read. Pillow reads all tags of all pages, and takes
    minutes where a damaged file has many.

    Args:
        file: Seekable; its position is changed.
    """
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 16:
        return 1
    # BigTIFF, number 43, counts with 8 bytes what the older form counts with 2 and 4.
    big = head[2:4] in (b"\x2b\0", b"\0\x2b")
    number, link, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    place = struct.unpack_from(order + link, head, 8 if big else 4)[0]
    seen: set[int] = set()
    while place and place not in seen and len(seen) <= MAX_PAGES:
        try:
            entries = _read(file, place, order + number)
            size = struct.calcsize(order + number) + entries * entry
            after = _read(file, place + size, order + link)
        except (struct.error, OSError, OverflowError, ValueError):
            # The page is not there whole.
            break
        seen.add(place)
        place = after
    return max(1, len(seen))


def _read(file: IO[bytes], place: int, form: str) -> int:
    file.seek(place)
    value: int = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return value
