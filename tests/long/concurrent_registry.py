"""Pushes, pulls, deletions, collections and re-audits at the same time, against a server built with a sanitizer.

usage: LAZARET=build-tsan/lazaret concurrent_registry.py [SECONDS]   SECONDS of each of the lives of the server (20)

Between its lives the policy changes, so that everything stored is judged again beside the next load. Fails when a sanitizer reports something, when a stranger
gets a bad image or other bytes than asked for, or when the server does not end well. Prints what was done.
"""
import collections
import http.client
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "end_to_end"))
import support  # noqa: E402  it sets the path of the rest
from images import File, layer  # noqa: E402
from serve_support import Client, Server, clean_image, evil_image, index_of, sha256  # noqa: E402

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 20
LIVES = 3
NUMBERS = "".join(f"line {number} of a long file\n" for number in range(100_000))
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:")


class Load:
    def __init__(self, server, seed):
        self.server, self.seed = server, seed
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.good = {}   # (repository, digest) -> document
        self.bad = set()
        self.blobs = {}  # digest -> repository
        self.wrong = []

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def push(self, client, rng, number):
        name = f"alice/r{rng.randrange(3)}"
        bad = rng.random() < 0.25
        image = (evil_image if bad else clean_image)(f"{self.seed}-{number}-{rng.random()}", [layer(File("numbers", f"{rng.random()}\n" + NUMBERS))] if rng.random() < 0.2 else [])
        document, blobs = image.manifest(compress=rng.random() < 0.5)
        digest = sha256(document)
        if bad:
            with self.lock:
                self.bad.add((name, digest))
        for data in blobs.values():
            answer = client.request("POST", f"/v2/{name}/blobs/uploads/?mount={sha256(data)}")
            if answer.status == 201:
                self.count("mounts")
                continue
            location = answer.headers["Location"]
            client.request("PATCH", location, body=data[:len(data) // 2])
            answer = client.request("PUT", f"{location}?digest={sha256(data)}", body=data[len(data) // 2:])
            self.count(f"blob {answer.status}")
            with self.lock:
                self.blobs[sha256(data)] = name
        answer = client.put_manifest(name, f"t{rng.randrange(5)}", document)
        self.count(f"manifest {answer.status}")
        if bad and answer.status == 201 and "Warning" not in answer.headers:
            self.wrong.append(f"a bad image was accepted: {answer}")
        if not bad and answer.status == 201:
            with self.lock:
                self.good[(name, digest)] = document
            if rng.random() < 0.2:
                self.count(f"index {client.put_manifest(name, 'all', index_of(document), 'application/vnd.oci.image.index.v1+json').status}")

    def pull(self, client, rng, number):
        with self.lock:
            good, bad, blobs = list(self.good.items()), list(self.bad), list(self.blobs.items())
        if good:
            (name, digest), document = rng.choice(good)
            answer = client.get(f"/v2/{name}/manifests/{digest}")
            self.count(f"pull {answer.status}")
            if answer.status == 200 and answer.body != document:
                self.wrong.append(f"other bytes for {digest}")
        if bad:
            name, digest = rng.choice(bad)
            if client.get(f"/v2/{name}/manifests/{digest}").status == 200:
                self.wrong.append(f"a stranger got {digest}")
        if blobs:
            digest, name = rng.choice(blobs)
            part = {"Range": f"bytes={rng.randrange(100)}-"} if rng.random() < 0.3 else {}
            answer = client.get(f"/v2/{name}/blobs/{digest}", **part)
            self.count(f"blob GET {answer.status}")
            if answer.status == 200 and sha256(answer.body) != digest:
                self.wrong.append(f"other bytes for {digest}")
        client.get(f"/v2/alice/r{rng.randrange(3)}/tags/list")
        client.get(f"/v2/alice/r{rng.randrange(3)}/manifests/t{rng.randrange(5)}")

    def delete(self, client, rng, number):
        time.sleep(0.05)
        with self.lock:
            if not self.good:
                return
            name, digest = rng.choice(list(self.good))
            self.good.pop((name, digest))
        self.count(f"delete {client.request('DELETE', f'/v2/{name}/manifests/{digest}').status}")
        if rng.random() < 0.3:
            client.request("DELETE", f"/v2/{name}/manifests/t{rng.randrange(5)}")

    def look(self, client, rng, number):
        time.sleep(0.1)
        for path in ("/metrics", "/readyz", "/v2/_catalog", f"/v2/alice/r{rng.randrange(3)}/referrers/{sha256(b'x')}"):
            client.get(path)
        # Connections that end in the middle.
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("GET", "/metrics")
        connection.close()
        self.count("looks")

    def run(self, act, user, number, until):
        client, rng = Client(self.server, user), random.Random(f"{self.seed}-{number}")
        while time.monotonic() < until and not self.wrong:
            try:
                act(client, rng, number)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.wrong.append(f"{act.__name__}: {type(error).__name__} {error}")


def main():
    seed = int(os.environ.get("LAZARET_SEED", "0")) or random.randrange(1 << 30)
    print(f"seed {seed}")
    environment = {"TSAN_OPTIONS": "halt_on_error=0 exitcode=66 second_deadlock_stack=1", "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    with support.temporary_folder() as folder:
        server = Server(folder, start=False, environment=environment)
        load = Load(server, seed)
        for life in range(LIVES):
            # A different answer to doubt is a different policy: everything is judged again.
            server.config = f'[gate]\nblob-hours = 0\nsuspicious = "{("hold", "release")[life % 2]}"\n[maintenance]\ncollect-seconds = 1\n[log]\nrequests = true\n'
            server.start()
            until = time.monotonic() + SECONDS
            acts = [(load.push, "alice")] * 3 + [(load.pull, None)] * 3 + [(load.pull, "alice"), (load.delete, "alice"), (load.look, "admin")]
            threads = [threading.Thread(target=load.run, args=(act, user, f"{life}-{number}", until)) for number, (act, user) in enumerate(acts)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            try:
                server.stop()
            except AssertionError as ended:
                load.wrong.append(str(ended)[:200])
                server.process = None
        print(server.fsck().strip())
        with open(f"{folder}/serve.log") as log:
            text = log.read()
        reports = sum(text.count(report) for report in REPORTS)
        print(f"{LIVES} lives of {SECONDS:.0f} s: " + ", ".join(f"{count} {what}" for what, count in sorted(load.counts.items())))
        print(f"{reports} reports of sanitizers, {len(load.wrong)} wrong answers")
        if reports:
            begin = min(place for place in (text.find(report) for report in REPORTS) if place >= 0)
            print(text[begin:begin + 8000])
        for wrong in load.wrong[:5]:
            print(wrong)
        sys.exit(1 if reports or load.wrong else 0)


if __name__ == "__main__":
    main()
