#!/usr/bin/env python3
"""Draws the picture of the bot's profile: seven seats around a table, one of them lit.

    deploy/avatar.py src/matrix/avatar.png

Nothing but Python is needed. The same is written each time.
"""

import math
import struct
import sys
import zlib

SIZE = 256
SAMPLES = 4
GROUND, RING, SEAT, LIT = (27, 54, 93), (92, 124, 168), (236, 242, 250), (255, 193, 7)
SEATS = 7


def colour(x, y):
    """What lies at a point of the unit square."""
    x, y = x - 0.5, y - 0.5
    for seat in range(SEATS):
        angle = 2 * math.pi * seat / SEATS - math.pi / 2
        if math.hypot(x - 0.32 * math.cos(angle), y - 0.32 * math.sin(angle)) < 0.075:
            return LIT if seat == 0 else SEAT
    return RING if 0.15 < math.hypot(x, y) < 0.19 else GROUND


def pixel(column, row):
    """The mean of the samples within a pixel."""
    total = [0, 0, 0]
    for i in range(SAMPLES):
        for j in range(SAMPLES):
            x, y = (column + (i + 0.5) / SAMPLES) / SIZE, (row + (j + 0.5) / SAMPLES) / SIZE
            total = [sum_ + part for sum_, part in zip(total, colour(x, y))]
    return bytes(round(part / SAMPLES**2) for part in total)


def chunk(kind, data):
    """A piece of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main():
    rows = (b"\0" + b"".join(pixel(column, row) for column in range(SIZE)) for row in range(SIZE))
    head = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    with open(sys.argv[1], "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head))
        out.write(chunk(b"IDAT", zlib.compress(b"".join(rows), 9)) + chunk(b"IEND", b""))


if __name__ == "__main__":
    main()
