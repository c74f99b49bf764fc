"""kill -9 at random points of pushes, audits, deletions and collections: nothing is released without a verdict, nothing acknowledged is lost, and the server
starts again.

LAZARET_CRASHES sets how often (8); the long test runs 500. Every third life of the server collects all the time what no manifest names.
"""
import http.client
import json
import os
import random
import subprocess
import threading
import time

import support  # first: it sets the path
from images import File, layer
from serve_support import Client, Server, clean_image, evil_image, sha256

COUNT = int(os.environ.get("LAZARET_CRASHES", "8"))
SEED = int(os.environ.get("LAZARET_SEED", "0")) or random.randrange(1 << 30)
BROKEN = (OSError, http.client.HTTPException)
# Enough for an audit that lasts a while.
NUMBERS = "".join(f"line {number} of a long file\n" for number in range(700_000))
PUSHING = "[gate]\npull-wait-seconds = 20\n"
COLLECTING = PUSHING + "blob-hours = 0\n[maintenance]\ncollect-seconds = 1\n"
# Of what was acknowledged, looked at after each kill: what came since the last one, and this many others. The end looks at everything.
SAMPLE = 100


class Model:
    """What the server has acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.blobs = {}      # (repository, digest) -> bytes
        self.manifests = {}  # (repository, digest) -> bytes
        self.tags = {}       # (repository, tag) -> digests one of which it must be
        self.bad = set()     # (repository, digest) and (repository, tag) that nobody may ever get
        self.seen = {"manifests": set(), "tags": set(), "blobs": set(), "bad": set()}  # keys that a check has looked at

    def acknowledge(self, kind, key, value):
        with self.lock:
            getattr(self, kind)[key] = value

    def keys(self, kind, everything):
        known = set(getattr(self, kind))
        old = known & self.seen[kind]
        chosen = known if everything else (known - old) | set(random.sample(sorted(old), min(SAMPLE, len(old))))
        self.seen[kind] |= known
        return sorted(chosen)

    def forget_unnamed_blobs(self):
        """A collection may take them."""
        named = {(name, one["digest"]) for (name, _), document in self.manifests.items() for one in [json.loads(document)["config"], *json.loads(document)["layers"]]}
        self.blobs = {key: data for key, data in self.blobs.items() if key in named}


def push_forever(server, model, stop, number, seed):
    rng = random.Random(seed)
    client = Client(server, "alice")
    step = 0
    while not stop.is_set():
        step += 1
        name = f"alice/r{number}"
        bad = rng.random() < 0.25
        large = rng.random() < 0.1
        image = (evil_image if bad else clean_image)(f"{seed}-{step}", [layer(File("numbers", f"{seed}-{step}\n" + NUMBERS))] if large else [])
        document, blobs = image.manifest(compress=not large)
        digest, tag = sha256(document), f"t{rng.randrange(3)}" if not bad else f"evil{rng.randrange(3)}"
        if bad:
            with model.lock:
                model.bad |= {(name, digest), (name, tag)}
        try:
            for data in blobs.values():
                location = client.start_upload(name)
                if rng.random() < 0.3:
                    client.request("PATCH", location, body=data[:len(data) // 2])
                    answer = client.request("PUT", f"{location}?digest={sha256(data)}", body=data[len(data) // 2:])
                else:
                    answer = client.request("PUT", f"{location}?digest={sha256(data)}", body=data)
                if answer.status == 201:
                    model.acknowledge("blobs", (name, sha256(data)), data)
            with model.lock:
                # From now on the tag may be this one, whether we hear of it or not.
                if not bad:
                    model.tags.setdefault((name, tag), {None}).add(digest)
            answer = client.put_manifest(name, tag, document)
            if answer.status == 201 and "Warning" not in answer.headers:
                assert not bad, "a bad image was accepted"
                with model.lock:
                    model.manifests[(name, digest)] = document
                    model.tags[(name, tag)] = {digest}
            if not bad and rng.random() < 0.1:
                with model.lock:
                    model.manifests.pop((name, digest), None)
                    model.tags.setdefault((name, tag), {None}).add(None)
                client.request("DELETE", f"/v2/{name}/manifests/{digest}")
        except BROKEN:
            return


def check(server, model, everything=False):
    stranger, alice = Client(server), Client(server, "alice")
    for key in model.keys("manifests", everything):
        name, digest = key
        answer = stranger.get(f"/v2/{name}/manifests/{digest}")
        assert answer.status == 200 and answer.body == model.manifests[key], f"{name}@{digest} was acknowledged: {answer}"
    for key in model.keys("tags", everything):
        name, tag = key
        answer = stranger.get(f"/v2/{name}/manifests/{tag}")
        served = answer.headers.get("Docker-Content-Digest") if answer.status == 200 else None
        assert served in model.tags[key], f"{name}:{tag} gives {answer}, not one of {model.tags[key]}"
    for name, digest in model.keys("blobs", everything):
        answer = alice.head(f"/v2/{name}/blobs/{digest}")
        assert answer.status in (200, 403), f"the blob {digest} of {name} was acknowledged: {answer}"
    for name, reference in model.keys("bad", everything):
        for client in (stranger, alice):
            answer = client.get(f"/v2/{name}/manifests/{reference}")
            assert answer.status in (403, 404, 429), f"{name} {reference} is bad: {answer}"


def test_kill_9_at_random_points():
    print(f"seed {SEED}, {COUNT} kills")
    rng = random.Random(SEED)
    with support.temporary_folder() as folder, Server(folder, PUSHING, start=False) as server:
        model = Model()
        collecting = during_audits = collections_cut = 0
        for kill in range(COUNT):
            server.config = COLLECTING if kill % 3 == 2 else PUSHING
            server.start()
            if kill % 3 == 2:
                collecting += 1
                model.forget_unnamed_blobs()
            check(server, model)
            stop = threading.Event()
            pushers = [threading.Thread(target=push_forever, args=(server, model, stop, number, rng.randrange(1 << 30))) for number in range(3)]
            for pusher in pushers:
                pusher.start()
            time.sleep(rng.random() * rng.choice((0.05, 0.3, 1.0)) + (1 if kill % 3 == 2 else 0))
            server.kill()
            during_audits += bool(os.listdir(f"{server.data}/auditing"))
            stop.set()
            for pusher in pushers:
                pusher.join()
            if kill % 3 == 2:
                model.forget_unnamed_blobs()
            # And a collection of the stopped store.
            if rng.random() < 0.2:
                collections_cut += kill_a_collection(server, rng)
                model.forget_unnamed_blobs()
        server.config = PUSHING
        server.start()
        check(server, model, everything=True)
        server.stop()
        print(server.fsck().strip())
        server.start()
        check(server, model, everything=True)
        print(f"{COUNT} kills, {collecting} of them of a server that collected, {during_audits} during an audit of an image; {collections_cut} collections of a stopped store killed; "
              f"{len(model.manifests)} images, {len(model.blobs)} blobs acknowledged and there, {len(model.bad) // 2} bad ones never given out")


def kill_a_collection(server, rng):
    """Whether it was still running when it was killed."""
    with open(f"{server.folder}/collect.toml", "w") as out:
        out.write(COLLECTING)
    process = subprocess.Popen([support.LAZARET, "gc", "--config", f"{server.folder}/collect.toml", "--data", server.data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(rng.random() * 0.05)
    running = process.poll() is None
    process.kill()
    process.wait()
    return running


if __name__ == "__main__":
    support.main(globals())
