"""Loads for bench/registry.py: wrk, a crowd that pulls at the same moment, connections that say nothing."""
import hashlib
import re
import resource
import selectors
import socket
import subprocess
import time

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "": 1.0, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def children_seconds():
    """Processor seconds of the programs that were run and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wrk(server, path, connections, seconds, threads=1):
    """(requests a second, bytes a second, p50, p99 in seconds, processor seconds a second of the run: of the server, and of wrk)."""
    before, client, begun = server.processor_seconds(), children_seconds(), time.monotonic()
    done = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Accept: {MANIFEST_TYPE}", "--timeout", "60s", server.url(path)], capture_output=True, text=True, check=True)
    used, client, wall = server.processor_seconds() - before, children_seconds() - client, time.monotonic() - begun
    text = done.stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"{server.name} {path}: {text}")

    def latency(percent):
        number, unit = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)", text, re.M).groups()
        return float(number) * UNITS[unit]

    number, unit = re.search(r"^Transfer/sec:\s+([\d.]+)([KMGT]?)B", text, re.M).groups()
    return float(re.search(r"^Requests/sec:\s+([\d.]+)", text, re.M).group(1)), float(number) * UNITS[unit], latency(50), latency(99), used / wall, client / wall


class Puller:
    """One client on one connection: GETs paths one after the other and hashes what it gets."""

    def __init__(self, port, host, requests):
        self.requests = list(requests)  # (path, digest)
        self.host = host
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex((host, port))
        self.begun = time.monotonic()
        self.took = None
        self.next()

    def next(self):
        path, self.digest = self.requests.pop(0)
        self.out = f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\nAccept: {MANIFEST_TYPE}\r\n\r\n".encode()
        self.head, self.left, self.hash = b"", None, hashlib.sha256()

    def writable(self):
        sent = self.socket.send(self.out)
        self.out = self.out[sent:]

    def readable(self):
        """True when all is there."""
        while True:
            try:
                data = self.socket.recv(1 << 18)
            except BlockingIOError:
                return False
            if not data:
                raise SystemExit(f"a connection ended in the middle of a pull, after {self.head!r}")
            if self.left is None:
                self.head += data
                end = self.head.find(b"\r\n\r\n")
                if end < 0:
                    continue
                if not self.head.startswith(b"HTTP/1.1 200 "):
                    raise SystemExit(f"a pull was answered with {self.head!r}")
                self.left = int(re.search(rb"\r\ncontent-length: (\d+)", self.head, re.I).group(1))
                data = self.head[end + 4:]
            self.left -= len(data)
            self.hash.update(data)
            if self.left > 0:
                continue
            if self.left < 0 or "sha256:" + self.hash.hexdigest() != self.digest:
                raise SystemExit(f"wrong bytes for {self.digest}")
            if not self.requests:
                self.took = time.monotonic() - self.begun
                return True
            self.next()
            self.writable()


def crowd(server, requests, count):
    """`count` clients that pull at the same moment. (seconds, sorted seconds of each, processor seconds of the server)."""
    before, begun = server.processor_seconds(), time.monotonic()
    selector = selectors.DefaultSelector()
    pullers = []
    for number in range(count):
        puller = Puller(server.port, "127.0.0.1", requests)
        pullers.append(puller)
        selector.register(puller.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, puller)
    left = count
    while left:
        events = selector.select(60)
        if not events:
            raise SystemExit(f"{server.name}: {left} of {count} pulls stand still")
        for key, mask in events:
            puller = key.data
            if puller.out and mask & selectors.EVENT_WRITE:
                puller.writable()
                selector.modify(puller.socket, selectors.EVENT_READ, puller)
            if mask & selectors.EVENT_READ and puller.readable():
                selector.unregister(puller.socket)
                puller.socket.close()
                left -= 1
    return time.monotonic() - begun, sorted(puller.took for puller in pullers), server.processor_seconds() - before


def idle_connections(server, path, count):
    """Opens connections that ask once and then say nothing; from several loopback addresses, as they would come from several clients."""
    sockets = []
    for number in range(count):
        client = socket.socket()
        client.bind((f"127.0.0.{2 + number // 1000}", 0))
        client.connect(("127.0.0.1", server.port))
        client.settimeout(60)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: registry.example\r\nAccept: {MANIFEST_TYPE}\r\n\r\n".encode())
        if not client.recv(4096).startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"{server.name}: connection {number} was refused")
        sockets.append(client)
    return sockets
