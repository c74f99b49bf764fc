"""Makes container images for tests and the demo: layers from Python values, written as OCI layout or docker-archive.

Everything is deterministic, so that the same sample has the same digest on every machine.
"""
import gzip
import hashlib
import io
import json
import os
import struct
import tarfile

MTIME = 1514764800  # 2018-01-01


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class File:
    """One entry of a layer. `content` may be bytes or text; `link` makes a symlink, `hard` a hard link, `folder` a directory."""

    def __init__(self, path, content=b"", mode=0o644, link=None, hard=None, folder=False, uid=0, gid=0):
        self.path = path.lstrip("/")
        self.content = content.encode() if isinstance(content, str) else content
        self.mode = mode
        self.link, self.hard, self.folder = link, hard, folder
        self.uid, self.gid = uid, gid


def layer(*files):
    """An uncompressed layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            info = tarfile.TarInfo(file.path)
            info.mtime, info.mode, info.uid, info.gid = MTIME, file.mode, file.uid, file.gid
            if file.link is not None:
                info.type, info.linkname = tarfile.SYMTYPE, file.link
                tar.addfile(info)
            elif file.hard is not None:
                info.type, info.linkname = tarfile.LNKTYPE, file.hard.lstrip("/")
                tar.addfile(info)
            elif file.folder:
                info.type, info.mode = tarfile.DIRTYPE, file.mode | 0o111
                tar.addfile(info)
            else:
                info.size = len(file.content)
                tar.addfile(info, io.BytesIO(file.content))
    return out.getvalue()


def zipped(data):
    return gzip.compress(data, compresslevel=6, mtime=0)


class Image:
    def __init__(self, layers, entrypoint=None, cmd=None, env=None, history=None, labels=None, healthcheck=None, onbuild=None, working_dir="",
                 architecture="amd64"):
        self.layers = layers
        config = {"Env": env or ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
        if entrypoint is not None:
            config["Entrypoint"] = entrypoint
        if cmd is not None:
            config["Cmd"] = cmd
        if labels:
            config["Labels"] = labels
        if healthcheck:
            config["Healthcheck"] = {"Test": healthcheck}
        if onbuild:
            config["OnBuild"] = onbuild
        if working_dir:
            config["WorkingDir"] = working_dir
        document = {
            "created": "2018-01-01T00:00:00Z",
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in layers]},
            "history": history if history is not None else [{"created": "2018-01-01T00:00:00Z", "created_by": "layer %d" % (i + 1)} for i in range(len(layers))],
        }
        self.config = json.dumps(document).encode()

    def manifest(self, compress=True):
        blobs = {digest(self.config): self.config}
        layers = []
        for data in self.layers:
            stored = zipped(data) if compress else data
            blobs[digest(stored)] = stored
            layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar" + ("+gzip" if compress else ""), "digest": digest(stored), "size": len(stored)})
        document = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(self.config), "size": len(self.config)},
            "layers": layers,
        }
        return json.dumps(document).encode(), blobs


def write_layout(folder, images, compress=True, extra_blobs=()):
    """An OCI layout folder. `images`: {tag: Image}."""
    os.makedirs(os.path.join(folder, "blobs", "sha256"), exist_ok=True)

    def put(data):
        with open(os.path.join(folder, "blobs", "sha256", digest(data)[7:]), "wb") as out:
            out.write(data)

    manifests = []
    for tag, image in images.items():
        document, blobs = image.manifest(compress)
        put(document)
        for data in blobs.values():
            put(data)
        manifests.append({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(document), "size": len(document),
                          "annotations": {"org.opencontainers.image.ref.name": tag}})
    for data in extra_blobs:
        put(data)
    with open(os.path.join(folder, "index.json"), "w") as out:
        json.dump({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}, out)
    with open(os.path.join(folder, "oci-layout"), "w") as out:
        json.dump({"imageLayoutVersion": "1.0.0"}, out)


def write_docker_archive(path, images):
    """What `docker save` wrote before 25.0. `images`: {reference: Image}."""
    with tarfile.open(path, "w") as tar:
        def put(name, data):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), MTIME
            tar.addfile(info, io.BytesIO(data))

        manifest, seen = [], set()
        for reference, image in images.items():
            names = []
            for data in image.layers:
                name = digest(data)[7:] + "/layer.tar"
                if name not in seen:
                    put(name, data)
                    seen.add(name)
                names.append(name)
            config = digest(image.config)[7:] + ".json"
            put(config, image.config)
            manifest.append({"Config": config, "RepoTags": [reference], "Layers": names})
        put("manifest.json", json.dumps(manifest).encode())


def elf(rodata=b"", text=b""):
    """A 64-bit ELF program that only exits, with `rodata` in it."""
    code = b"\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05" + text  # mov eax, 60; xor edi, edi; syscall
    base, header = 0x400000, 64 + 56 * 2
    body = code + rodata
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + header, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, header + len(body), header + len(body), 0x1000)
    stack = struct.pack("<IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)
    return head + load + stack + body


RANDOMX_CONSTANTS = bytes.fromhex(
    "53a5ac6d096671622b55b5db1749f4b4" "07af7c6d0d716a8478d325174edca10d" "f162123fc67e949f4f79c0f445e3203e" "3581ef6a7c31bab1884c311654911649"
    "0d2cb592de56a89f47db82ccad3a98d7") + b"RandomX\x03"


def miner_elf():
    """The evidence of a RandomX miner without its code."""
    return elf(RANDOMX_CONSTANTS + b'\0{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"%s","pass":"%s","agent":"%s"}}\0'
               b'stratum+tcp://\0keepalived\0"method":"submit"\0donate-level\0')


# --- CryptoNote addresses, for samples: on the test network, so that they are nobody's money ------------------------------------------

def keccak256(data):
    rounds = [0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B, 0x0000000080000001,
              0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
              0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
              0x000000000000800A, 0x800000008000000A, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008]
    mask = (1 << 64) - 1

    def rotate(value, by):
        by %= 64
        return ((value << by) | (value >> (64 - by))) & mask if by else value

    state = [[0] * 5 for _ in range(5)]
    padded = bytearray(data) + b"\x01" + bytes(135 - len(data) % 136)
    padded[-1] |= 0x80
    for block in range(0, len(padded), 136):
        for i in range(17):
            state[i % 5][i // 5] ^= int.from_bytes(padded[block + 8 * i:block + 8 * i + 8], "little")
        for constant in rounds:
            c = [state[x][0] ^ state[x][1] ^ state[x][2] ^ state[x][3] ^ state[x][4] for x in range(5)]
            d = [c[(x - 1) % 5] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
            state = [[state[x][y] ^ d[x] for y in range(5)] for x in range(5)]
            x, y, current = 1, 0, state[1][0]
            for step in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                current, state[x][y] = state[x][y], rotate(current, (step + 1) * (step + 2) // 2)
            state = [[state[x][y] ^ (~state[(x + 1) % 5][y] & mask & state[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
            state[0][0] ^= constant
    return b"".join(state[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def cryptonote_address(seed, tag=0x35):
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    sizes = [0, 2, 3, 5, 6, 7, 9, 10, 11]
    body = bytes([tag]) + hashlib.sha512(seed.encode()).digest()
    body += keccak256(body)[:4]
    out = ""
    for i in range(0, len(body), 8):
        block = body[i:i + 8]
        value, text = int.from_bytes(block, "big"), ""
        for _ in range(sizes[len(block)]):
            value, rest = divmod(value, 58)
            text = alphabet[rest] + text
        out += text
    return out


# --- archives and layouts that no honest tool makes ------------------------------------------------------------------------------------

TAR_END = bytes(1024)


def tar_entry(name, content=b"", kind=b"0", link="", size=None, padding=None):
    """One member of a tar, put together by hand: header, content, padding. `size` and `padding` may lie."""
    content = content.encode() if isinstance(content, str) else content
    size = len(content) if size is None else size
    fields = (name.encode().ljust(100, b"\0")[:100] + b"0000644\0" + b"0000000\0" + b"0000000\0" + b"%011o\0" % size + b"%011o\0" % MTIME + b" " * 8 + kind
              + link.encode().ljust(100, b"\0")[:100] + b"ustar\00000" + bytes(247))
    header = fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]
    rest = -len(content) % 512
    filling = (padding or b"")[:rest].ljust(rest, b"\0")
    return header + content + filling


def pax_header(records):
    """The extended header that stands in front of the member it changes."""
    body = b""
    for key, value in records.items():
        record = b" %s=%s\n" % (key.encode(), value.encode())
        size = len(record) + 1
        while len(str(size)) + len(record) != size:
            size = len(str(size)) + len(record)
        body += str(size).encode() + record
    return tar_entry("PaxHeaders/x", body, kind=b"x")


def write_custom_layout(folder, layers, config=None, manifest=None, index=None, descriptor=None, env=None, labels=None, history=None, blobs=()):
    """A layout whose documents may say anything. `layers`: (plain, stored, media type); `config`, `manifest`, `index`, `descriptor`: functions that change the document in place."""
    os.makedirs(os.path.join(folder, "blobs", "sha256"), exist_ok=True)

    def put(data):
        with open(os.path.join(folder, "blobs", "sha256", digest(data)[7:]), "wb") as out:
            out.write(data)
        return {"digest": digest(data), "size": len(data)}

    document = json.loads(Image([plain for plain, _, _ in layers], env=env, labels=labels, history=history).config)
    if config:
        config(document)
    top = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
           "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **put(json.dumps(document).encode())},
           "layers": [{"mediaType": "application/vnd.oci.image.layer.v1." + kind, **put(stored)} for _, stored, kind in layers]}
    if manifest:
        manifest(top)
    for data in blobs:
        put(data)
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", **put(json.dumps(top).encode()), "annotations": {"org.opencontainers.image.ref.name": "latest"}}
    if descriptor:
        descriptor(entry)
    list_of_images = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    if index:
        index(list_of_images)
    with open(os.path.join(folder, "index.json"), "w") as out:
        json.dump(list_of_images, out)
    with open(os.path.join(folder, "oci-layout"), "w") as out:
        json.dump({"imageLayoutVersion": "1.0.0"}, out)
