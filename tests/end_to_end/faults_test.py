"""What a registry must survive: a full disk, a locked database, a thousand open uploads, range storms, bombs that are pushed, clients that stand still.

Nothing acknowledged is lost, nothing is given out without a verdict, memory stays bounded, and the server goes on by itself.
"""
import gzip
import os
import socket
import sqlite3
import subprocess
import threading

import support  # first: it sets the path
import images
from serve_support import Client, Server, clean_image, sha256


def memory(server, field="VmHWM"):
    """MiB."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":")) / 1024


def errors_in_oci_form(answer):
    return all(set(error) >= {"code", "message"} for error in answer.json()["errors"])


class SmallDisk:
    """A file system of `size` MiB as the server's data folder; None where it cannot be mounted."""

    def __init__(self, folder, size):
        self.place = f"{folder}/data"
        os.makedirs(self.place)
        self.mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", self.place], capture_output=True).returncode == 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.mounted:
            subprocess.run(["umount", "-l", self.place], check=True)

    def fill(self):
        """Takes all that is left."""
        with open(f"{self.place}/filler", "ab", buffering=0) as out:
            for block in (1 << 20, 4096, 512):
                try:
                    while out.write(os.urandom(block)) == block:
                        pass
                except OSError:
                    pass

    def make_room(self):
        os.remove(f"{self.place}/filler")


def test_a_full_disk_is_507_and_nothing_is_lost():
    with support.temporary_folder() as folder, SmallDisk(folder, 64) as disk:
        if not disk.mounted:
            print("skipped  no file system can be mounted here")
            return
        with Server(folder) as server:
            alice, stranger = Client(server, "alice"), Client(server)
            answer, first, blobs = alice.push("alice/app", "v1", clean_image("first"))
            assert answer.status == 201, answer
            started = alice.start_upload("alice/app")
            data = os.urandom(3 << 20)
            assert alice.request("PATCH", started, body=data[:1 << 20]).status == 202
            disk.fill()

            # Bytes of a blob.
            answer = alice.request("PATCH", started, body=data[1 << 20:])
            assert answer.status == 507 and errors_in_oci_form(answer), answer
            # A blob that fits and a manifest, of which the database has no room.
            _, more = clean_image("second").manifest()
            refused = [alice.request("POST", f"/v2/alice/app/blobs/uploads/?digest={sha256(body)}", body=body) for body in more.values()]
            assert all(one.status in (201, 503, 507) for one in refused) and any(one.status == 507 for one in refused), refused
            assert all(errors_in_oci_form(one) for one in refused if one.status != 201), refused
            answer = alice.put_manifest("alice/app", "v2", annotated_manifest(clean_image("first")))
            assert answer.status in (503, 507) and errors_in_oci_form(answer), answer
            # What is there is still given out, and the server says that it lives.
            assert stranger.get("/v2/alice/app/manifests/v1").status == 200
            for digest, body in blobs.items():
                assert stranger.get(f"/v2/alice/app/blobs/{digest}").body == body
            assert stranger.get("/healthz").status == 200

            disk.make_room()
            # The upload goes on where it was: it kept whole what it had said it has.
            answer = alice.get(started)
            assert answer.status == 204, answer
            kept = int(answer.headers["Range"].split("-")[1]) + 1
            assert kept >= 1 << 20
            answer = alice.request("PUT", f"{started}?digest={sha256(data)}", body=data[kept:], headers={"Content-Range": f"{kept}-{len(data) - 1}"})
            assert answer.status == 201, answer
            assert alice.push("alice/app", "v2", clean_image("second"))[0].status == 201
            assert stranger.get("/v2/alice/app/manifests/v2").status == 200
            server.stop()
            assert "0 problems" in server.fsck()
            server.start()
            assert stranger.get(f"/v2/alice/app/manifests/{first}").status == 200


def annotated_manifest(image):
    """The manifest of an image that is there, changed, so that only the database has to grow."""
    document, _ = image.manifest()
    return document[:-1] + b', "annotations": {"org.example": "' + b"x" * 500_000 + b'"}}'


def test_a_disk_that_is_full_at_the_start_stops_the_server_with_a_reason():
    with support.temporary_folder() as folder, SmallDisk(folder, 64) as disk:
        if not disk.mounted:
            return
        with Server(folder) as server:
            assert Client(server, "alice").push("alice/app", "v1", clean_image("first"))[0].status == 201
            server.stop()
            disk.fill()
            server.start(wait=False)
            try:
                server.wait_until_ready()
                assert Client(server).get("/v2/alice/app/manifests/v1").status == 200
            except AssertionError as ended:
                assert "lazaret:" in str(ended), ended
                server.process = None
            disk.make_room()
            if server.process is None:
                server.start()
            assert Client(server).get("/v2/alice/app/manifests/v1").status == 200


def test_a_locked_database_is_503_with_retry_after_and_pulls_go_on():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice, stranger = Client(server, "alice"), Client(server)
        answer, digest, blobs = alice.push("alice/app", "v1", clean_image("first"))
        assert answer.status == 201, answer
        location = alice.start_upload("alice/app")
        lock = sqlite3.connect(f"{server.data}/metadata.sqlite", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        try:
            body = b"while it is locked"
            answer = alice.request("PUT", f"{location}?digest={sha256(body)}", body=body)
            assert answer.status == 503 and answer.headers["Retry-After"] and errors_in_oci_form(answer), answer
            assert stranger.get(f"/v2/alice/app/manifests/{digest}").status == 200
            assert stranger.get(f"/v2/alice/app/blobs/{list(blobs)[0]}").status == 200
        finally:
            lock.execute("ROLLBACK")
            lock.close()
        answer = alice.push_blob("alice/app", body)
        assert answer.status == 201, answer
        assert alice.push("alice/app", "v2", clean_image("second"))[0].status == 201
        assert stranger.get("/v2/alice/app/manifests/v2").status == 200


def test_a_thousand_open_uploads_cost_little_and_can_all_go_on():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice = Client(server, "alice")
        assert alice.push("alice/app", "v1", clean_image("first"))[0].status == 201
        before = memory(server, "VmRSS")
        locations = []
        for number in range(1000):
            location = alice.start_upload("alice/app")
            answer = alice.request("PATCH", location, body=b"part one of %d, " % number)
            assert answer.status == 202, answer
            locations.append(location)
        assert memory(server) < before + 64, f"1,000 open uploads take {memory(server) - before:.0f} MiB"
        # Others are served meanwhile, and each of them can end.
        assert alice.push("alice/app", "v2", clean_image("second"))[0].status == 201
        for number in range(0, 1000, 100):
            body = b"part one of %d, part two" % number
            answer = alice.request("PUT", f"{locations[number]}?digest={sha256(body)}", body=b"part two")
            assert answer.status == 201, answer
        for number in range(1, 1000, 100):
            assert alice.request("DELETE", locations[number]).status == 204
            assert alice.get(locations[number]).status == 404
        server.kill()
        server.start()
        # They outlive the process.
        body = b"part one of 2, part two"
        assert alice.request("PUT", f"{locations[2]}?digest={sha256(body)}", body=b"part two").status == 201


def test_a_storm_of_ranges_gives_no_more_than_the_blob():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice, stranger = Client(server, "alice"), Client(server)
        image = images.Image([images.layer(images.File("numbers", "".join(f"{n}\n" for n in range(200_000))))], cmd=["/x"])
        answer, _, blobs = alice.push("alice/app", "v1", image, compress=False)
        assert answer.status == 201, answer
        digest, data = max(blobs.items(), key=lambda blob: len(blob[1]))
        path = f"/v2/alice/app/blobs/{digest}"
        for ranges in ("0-0", ",".join(f"{n}-{n + 1}" for n in range(0, 2000, 2)), ",".join(["0-"] * 1000), ",".join(["-1"] * 500), "0-" + "9" * 30, "5-2", "-0", f"{len(data)}-"):
            answer = stranger.get(path, Range=f"bytes={ranges}")
            # One part, all of it, or none; several parts are never put together.
            assert answer.status in (200, 206, 416) and len(answer.body) <= len(data), (ranges[:40], answer.status, len(answer.body))
            if answer.status == 200:
                assert answer.body == data
        before = memory(server, "VmRSS")
        failed = []

        def ask(number):
            for step in range(20):
                begin = (number * 7919 + step * 104729) % (len(data) - 1000)
                answer = stranger.get(path, Range=f"bytes={begin}-{begin + 999}")
                if answer.status != 206 or answer.body != data[begin:begin + 1000]:
                    failed.append((number, step, answer.status))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed, failed[:3]
        assert memory(server) < before + 64


def test_bombs_that_are_pushed_are_bounded_and_given_to_nobody():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice, stranger = Client(server, "alice"), Client(server)
        zeros = gzip.compress(b"\0" * (512 << 20), 9)
        bombs = {
            "nested": images.Image([images.layer(images.File("bomb.gz", gzip.compress(zeros, 9)))], cmd=["/x"]),
            "many": images.Image([images.layer(*(images.File(f"bomb{n}.gz.gz", gzip.compress(zeros, 9)) for n in range(8)))], cmd=["/x"]),
        }
        for name, image in bombs.items():
            answer, digest, _ = alice.push("alice/bomb", name, image)
            assert answer.status == 403, (name, answer)
            assert stranger.get(f"/v2/alice/bomb/manifests/{digest}").status == 404
        # A layer that is itself a bomb: half a gigabyte of padding in half a megabyte.
        layer = gzip.compress(images.layer(images.File("x", "x")) + b"\0" * (512 << 20), 9)
        assert alice.push_blob("alice/bomb", layer).status == 201
        assert memory(server) < 400, f"{memory(server):.0f} MiB"
        assert alice.push("alice/app", "v1", clean_image("after"))[0].status == 201
        assert stranger.get("/v2/alice/app/manifests/v1").status == 200


def test_clients_that_stand_still_keep_nobody_out():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice, stranger = Client(server, "alice"), Client(server)
        idle = []
        for number in range(100):
            location = alice.start_upload("alice/slow")
            client = socket.create_connection(("127.0.0.1", server.port))
            fields = "".join(f"{name}: {value}\r\n" for name, value in alice.headers().items())
            client.sendall(f"PATCH {location} HTTP/1.1\r\nHost: {server.host}\r\n{fields}Content-Length: 1000000\r\n\r\nand then nothing".encode())
            idle.append(client)
        # More of them than there are threads.
        assert alice.push("alice/app", "v1", clean_image("first"))[0].status == 201
        assert stranger.get("/v2/alice/app/manifests/v1").status == 200
        assert stranger.get("/readyz").status == 200
        for client in idle:
            client.close()


if __name__ == "__main__":
    support.main(globals())
