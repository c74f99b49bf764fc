"""kill -9 at random points of pushes, deletions and collections: nothing is released without a verdict, nothing acknowledged is lost, and the server starts again.

LAZARET_CRASHES sets how often (8); the long test runs 500.
"""
import http.client
import os
import random
import threading
import time

import support  # first: it sets the path
from serve_support import Client, Server, clean_image, evil_image, sha256

COUNT = int(os.environ.get("LAZARET_CRASHES", "8"))
SEED = int(os.environ.get("LAZARET_SEED", "0")) or random.randrange(1 << 30)
BROKEN = (OSError, http.client.HTTPException)


class Model:
    """What the server has acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.blobs = {}      # (repository, digest) -> bytes
        self.manifests = {}  # (repository, digest) -> bytes
        self.tags = {}       # (repository, tag) -> digests one of which it must be
        self.bad = set()     # (repository, digest) and (repository, tag) that nobody may ever get

    def acknowledge(self, kind, key, value):
        with self.lock:
            getattr(self, kind)[key] = value


def push_forever(server, model, stop, number, seed):
    rng = random.Random(seed)
    client = Client(server, "alice")
    step = 0
    while not stop.is_set():
        step += 1
        name = f"alice/r{number}"
        bad = rng.random() < 0.25
        image = (evil_image if bad else clean_image)(f"{seed}-{step}")
        document, blobs = image.manifest()
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


def check(server, model):
    stranger, alice = Client(server), Client(server, "alice")
    for (name, digest), document in model.manifests.items():
        answer = stranger.get(f"/v2/{name}/manifests/{digest}")
        assert answer.status == 200 and answer.body == document, f"{name}@{digest} was acknowledged: {answer}"
    for (name, tag), digests in model.tags.items():
        answer = stranger.get(f"/v2/{name}/manifests/{tag}")
        served = answer.headers.get("Docker-Content-Digest") if answer.status == 200 else None
        assert served in digests, f"{name}:{tag} gives {answer}, not one of {digests}"
    for (name, digest), data in model.blobs.items():
        answer = alice.head(f"/v2/{name}/blobs/{digest}")
        assert answer.status in (200, 403), f"the blob {digest} of {name} was acknowledged: {answer}"
    for name, reference in model.bad:
        for client in (stranger, alice):
            answer = client.get(f"/v2/{name}/manifests/{reference}")
            assert answer.status in (403, 404, 429), f"{name} {reference} is bad: {answer}"


def test_kill_9_at_random_points():
    print(f"seed {SEED}, {COUNT} kills")
    rng = random.Random(SEED)
    config = "[maintenance]\ncollect-seconds = 10\n[gate]\npull-wait-seconds = 20\n"
    with support.temporary_folder() as folder, Server(folder, config) as server:
        model = Model()
        for kill in range(COUNT):
            stop = threading.Event()
            pushers = [threading.Thread(target=push_forever, args=(server, model, stop, number, rng.randrange(1 << 30))) for number in range(3)]
            for pusher in pushers:
                pusher.start()
            time.sleep(rng.random() * rng.choice((0.05, 0.3, 1.0)))
            server.kill()
            stop.set()
            for pusher in pushers:
                pusher.join()
            server.start()
            check(server, model)
        server.stop()
        print(server.fsck().strip())
        server.start()
        check(server, model)
        print(f"{COUNT} kills; {len(model.manifests)} images, {len(model.blobs)} blobs acknowledged and there, {len(model.bad) // 2} bad ones never given out")


if __name__ == "__main__":
    support.main(globals())
