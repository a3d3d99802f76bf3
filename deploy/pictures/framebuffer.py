"""Turns what a virtual display shows (a file of `Xvfb -fbdir`) into a PNG: framebuffer.py FROM TO."""

import struct
import sys
import zlib

shown, png = sys.argv[1:]
with open(shown, "rb") as file:
    data = file.read()
header, _, _, depth, width, height = struct.unpack(">6I", data[:24])
bits_per_pixel, bytes_per_line = struct.unpack(">2I", data[44:52])
(colors,) = struct.unpack(">I", data[76:80])
if (depth, bits_per_pixel) != (24, 32):
    sys.exit(f"{shown} has {depth} bits of colour in {bits_per_pixel}; 24 in 32 are understood")

lines = bytearray()
for line in range(height):
    start = header + colors * 12 + line * bytes_per_line
    blue_green_red = data[start : start + width * 4]
    pixels = bytearray(width * 3)
    for channel in range(3):
        pixels[channel::3] = blue_green_red[2 - channel :: 4]
    lines += b"\0" + pixels


def chunk(kind, content):
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


with open(png, "wb") as file:
    file.write(b"\x89PNG\r\n\x1a\n")
    file.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
    file.write(chunk(b"IDAT", zlib.compress(bytes(lines), 9)))
    file.write(chunk(b"IEND", b""))
