"""`lazaret serve` with gate and ledger on, docker-registry and nginx side by side in one run.

usage: registry.py [FOLDER] [PART...]   FOLDER holds the large image (bench/large-image); parts: manifest blob crowd idle ledger push

Absolute figures are noise on a machine that does other things; the ratios count. On loopback the kernel does much of a transfer in the time of whoever happens
to run, sender or reader, so that processor seconds are given for the server and for both ends.
"""
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "lib"))
sys.dont_write_bytecode = True

from images import File, Image, digest, elf, layer, write_layout  # noqa: E402
from registry_load import children_seconds, crowd, idle_connections, wrk  # noqa: E402
from registry_servers import DockerRegistry, Lazaret, LazaretWithoutLedger, Nginx  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS_EACH", "5"))
PULLS = int(os.environ.get("PULLS", "1000"))
IDLE = int(os.environ.get("IDLE", "10000"))
REPOSITORY = "bench/small"
PARTS = ("manifest", "blob", "crowd", "idle", "ledger", "push")


def small_image():
    """A manifest as it is everywhere, a layer of 4 MiB that everybody pulls, and one of 128 MiB."""
    numbers = "".join(f"line {number} of a long file\n" for number in range(200_000))
    base = layer(File("bin", folder=True), File("bin/true", elf(), mode=0o755), File("etc/os-release", "ID=test\n"), File("numbers", numbers[:4 << 20]))
    large = layer(*(File(f"numbers-{number}", numbers[:4 << 20]) for number in range(32)))
    return Image([base, large], cmd=["/bin/true"])


def push(server, source, name):
    """Seconds of wall time and of skopeo's processor, by one skopeo copy."""
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false"]
    if server.credentials:
        command += ["--dest-creds", server.credentials]
    before, begun = children_seconds(), time.monotonic()
    subprocess.run(command + [source, f"docker://127.0.0.1:{server.port}/{name}"], check=True)
    return time.monotonic() - begun, children_seconds() - before


def median(rows, index):
    return statistics.median(row[index] for row in rows)


def milliseconds(seconds):
    return f"{seconds * 1000:.2f} ms"


class Bench:
    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.work = f"{self.folder}/registry"
        os.makedirs(self.work, exist_ok=True)
        image = small_image()
        self.source = f"oci:{self.work}/small:latest"
        write_layout(f"{self.work}/small", {"latest": image}, compress=False)
        self.document, self.blobs = image.manifest(False)
        manifest = json.loads(self.document)
        self.manifest_path = f"/v2/{REPOSITORY}/manifests/latest"
        self.layers = [one["digest"] for one in manifest["layers"]]
        self.config = manifest["config"]["digest"]
        self.large_blob = self.blob_path(self.layers[1])

    @staticmethod
    def blob_path(name):
        return f"/v2/{REPOSITORY}/blobs/{name}"

    def servers(self, *kinds):
        servers = []
        for kind in kinds:
            if kind is Nginx:
                server = Nginx(f"{self.work}/nginx", {self.manifest_path: self.document, **{self.blob_path(name): data for name, data in self.blobs.items()}})
            else:
                server = kind(f"{self.work}/{kind.__name__}")
            server.begin()
            if kind is not Nginx:
                push(server, self.source, f"{REPOSITORY}:latest")
            servers.append(server)
        return servers

    def compare(self, title, servers, path, connections, figure):
        """Each server in turn, ROUNDS times; medians. `figure`: 0 for requests, 1 for bytes."""
        print(f"\n{title}")
        rows = {server.name: [] for server in servers}
        for _ in range(ROUNDS):
            for server in servers:
                rows[server.name].append(wrk(server, path, connections, SECONDS))
        unit, scale = ("requests", 1) if figure == 0 else ("MB", 1e6)
        result = {}
        for name, row in rows.items():
            rate, cost = median(row, figure), statistics.median(one[figure] / one[4] for one in row)
            both = statistics.median(one[figure] / (one[4] + one[5]) for one in row)
            result[name] = (rate, cost, both)
            print(f"  {name:20} {rate / scale:10.0f} {unit}/s; a processor second of the server {cost / scale:8.0f}, of both ends {both / scale:8.0f}; "
                  f"p50 {milliseconds(median(row, 2))}, p99 {milliseconds(median(row, 3))}")
        return result

    def ratio(self, result, other, what, ours="lazaret"):
        rate, cost, both = (mine / theirs for mine, theirs in zip(result[ours], result[other]))
        print(f"  {what}: {rate:.2f} by time, {cost:.2f} by processor second of the server, {both:.2f} of both ends")

    def manifest(self):
        servers = self.servers(Lazaret, DockerRegistry, Nginx)
        result = self.compare("manifest GET by tag, 16 connections", servers, self.manifest_path, 16, 0)
        self.ratio(result, "docker-registry", "of docker-registry (bar 10)")
        self.ratio(result, "nginx", "of nginx (bar 0.5)")
        self.end(servers)

    def blob(self):
        servers = self.servers(Lazaret, DockerRegistry, Nginx)
        result = self.compare(f"blob GET, {len(self.blobs[self.layers[1]]) >> 20} MiB, 4 connections", servers, self.large_blob, 4, 1)
        self.ratio(result, "docker-registry", "of docker-registry")
        self.ratio(result, "nginx", "of nginx (bar 0.9)")
        self.end(servers)

    def ledger(self):
        servers = self.servers(Lazaret, LazaretWithoutLedger)
        result = self.compare("manifest GET with and without the ledger", servers, self.manifest_path, 16, 0)
        self.ratio(result, "lazaret, no ledger", "with ledger of without (bar 0.95)")
        self.end(servers)

    def crowd(self):
        print(f"\n{PULLS} clients pull manifest, config and a layer of {len(self.blobs[self.layers[0]]) >> 20} MiB at the same moment")
        servers = self.servers(Lazaret, DockerRegistry)
        requests = [(self.manifest_path, digest(self.document)), (self.blob_path(self.config), self.config), (self.blob_path(self.layers[0]), self.layers[0])]
        for server in servers:
            before = server.memory()
            wall, took, used = crowd(server, requests, PULLS)
            print(f"  {server.name:20} {wall:6.1f} s, each p50 {took[len(took) // 2]:.1f} s, p99 {took[len(took) * 99 // 100]:.1f} s; {used:.1f} processor seconds; "
                  f"memory {before:.0f} MiB before, at most {server.memory('VmHWM'):.0f} MiB")
        self.end(servers)

    def idle(self):
        print(f"\n{IDLE} idle connections")
        for server in self.servers(Lazaret, DockerRegistry, Nginx):
            before, used = server.memory(), server.processor_seconds()
            sockets = idle_connections(server, self.manifest_path, IDLE)
            opened = server.processor_seconds() - used
            rest = server.processor_seconds()
            time.sleep(3)
            rest = server.processor_seconds() - rest
            begun = time.monotonic()
            if server.get(self.manifest_path)[0] != 200:
                raise SystemExit(f"{server.name} does not answer beside idle connections")
            print(f"  {server.name:20} memory {before:.0f} -> {server.memory():.0f} MiB ({(server.memory() - before) * 1024 / IDLE:.1f} KiB each); {opened:.1f} processor seconds to open them, "
                  f"{rest:.2f} in 3 s of rest; a manifest meanwhile in {milliseconds(time.monotonic() - begun)}")
            for client in sockets:
                client.close()
            server.stop()

    def push(self):
        layout = f"{self.folder}/image"
        with open(f"{layout}/index.json") as index:
            manifest = json.load(index)["manifests"][0]["digest"]
        with open(f"{layout}/blobs/sha256/{manifest.split(':')[1]}") as document:
            size = sum(one["size"] for one in json.load(document)["layers"])
        print(f"\npush of the large image, {size / 1e6:.0f} MB of layers, to an empty registry; lazaret answers when the verdict is there")
        rows = {kind.name: [] for kind in (Lazaret, DockerRegistry)}
        for _ in range(ROUNDS):
            for kind in (Lazaret, DockerRegistry):
                server = kind(f"{self.work}/{kind.__name__}")
                server.begin()
                subprocess.run(["cat", f"{layout}/blobs/sha256/{manifest.split(':')[1]}"], stdout=subprocess.DEVNULL, check=True)
                os.sync()
                used = server.processor_seconds()
                wall, client = push(server, f"oci:{layout}", "bench/large:latest")
                rows[kind.name].append((wall, server.processor_seconds() - used, client))
                status, _ = server.get("/v2/bench/large/manifests/latest")
                print(f"  {kind.name:20} {wall:6.1f} s; processor seconds: server {rows[kind.name][-1][1]:.1f}, skopeo {client:.1f}; memory at most {server.memory('VmHWM'):.0f} MiB; "
                      f"a stranger's pull: {status}")
                server.stop()
        ratios = [ours[0] / theirs[0] for ours, theirs in zip(rows["lazaret"], rows["docker-registry"])]
        print(f"  lazaret of docker-registry, by time (bar 1.0): {', '.join(f'{one:.2f}' for one in ratios)}; medians {median(rows['lazaret'], 0) / median(rows['docker-registry'], 0):.2f}")

    @staticmethod
    def end(servers):
        for server in servers:
            server.stop()


def main():
    bench = Bench(sys.argv[1] if len(sys.argv) > 1 else "out/bench")
    parts = sys.argv[2:] or PARTS
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise SystemExit(f"no such part: {unknown[0]}; there are {', '.join(PARTS)}")
    for part in parts:
        getattr(bench, part)()


if __name__ == "__main__":
    main()
