"""usage: many_files.py COUNT FOLDER [text|data]: an OCI layout whose one layer has COUNT small files, each with a name and a content of its own.

Then: /usr/bin/time -v build/lazaret scan --no-cache -q -o /dev/null oci:FOLDER
"""
import gzip
import hashlib
import os
import sys

import make_image

FILES_IN_FOLDER = 1000


def header(name, size, kind):
    field = bytearray(512)
    field[0:len(name)] = name
    field[100:108] = b"0000755\0" if kind == b"5" else b"0000644\0"
    field[108:124] = b"0000000\0" * 2
    field[124:136] = b"%011o\0" % size
    field[136:148] = b"00000000000\0"
    field[148:156] = b" " * 8
    field[156:157] = kind
    field[257:265] = b"ustar\x0000"
    field[148:156] = b"%06o\0 " % sum(field)
    return bytes(field)


def main():
    count, folder = int(sys.argv[1]), sys.argv[2]
    before = b"\0\1" if sys.argv[3:] == ["data"] else b""
    os.makedirs(folder, exist_ok=True)
    packed = os.path.join(folder, "layer.tar.gz")
    plain = hashlib.sha256()
    with open(packed, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as out:
        def put(data):
            plain.update(data)
            out.write(data)

        for number in range(count):
            parent = b"srv/data/%04d/" % (number // FILES_IN_FOLDER)
            block = b""
            if number % FILES_IN_FOLDER == 0:
                block = header(parent, 0, b"5")
            content = before + b"record %d of %d: %d\n" % (number, count, number * 2654435761 % (1 << 32))
            block += header(b"%sentry-%07d.txt" % (parent, number), len(content), b"0") + content + bytes(-len(content) % 512)
            put(block)
        put(bytes(1024))
    make_image.write_layout(packed, plain.hexdigest(), folder)
    os.remove(packed)


if __name__ == "__main__":
    main()
