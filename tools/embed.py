#!/usr/bin/env python3
"""Writes a file as a C array: embed.py NAME INPUT OUTPUT."""
import os
import sys

name, source, target = sys.argv[1:]
data = open(source, "rb").read()
os.makedirs(os.path.dirname(target), exist_ok=True)
with open(target, "w") as out:
    out.write('#include "sentry/stub/image.h"\n')
    out.write(f"const unsigned char {name}[] __attribute__((aligned(16))) = {{\n")
    for i in range(0, len(data), 16):
        out.write("    " + " ".join(f"0x{b:02x}," for b in data[i:i + 16]) + "\n")
    out.write(f"}};\nconst unsigned long {name}_size = sizeof({name});\n")
