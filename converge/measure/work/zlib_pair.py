"""Compress and decompress a file with the zlib of the given directory. usage: FILE DIRECTORY"""

import os
import sys
import zlib

here = os.path.realpath(sys.argv[2]) + "/libz.so"
with open("/proc/self/maps") as maps:
    if not any(here in line for line in maps):
        sys.exit("this python takes its zlib from somewhere else")
with open(sys.argv[1], "rb") as file:
    data = file.read()
packed = zlib.compress(data, 6)
print(len(packed), zlib.decompress(packed) == data)
