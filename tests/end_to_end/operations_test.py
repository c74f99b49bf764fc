"""What who runs `lazaret serve` relies on: backups, metrics, webhooks, the doctor."""
import hashlib
import hmac
import http.server
import json
import os
import shutil
import subprocess
import threading
import time

import support  # first: it sets the path
from api_support import Api
from serve_support import PASSWORD, Client, Server, clean_image, evil_image


def lazaret(*arguments, code=0):
    done = subprocess.run([support.LAZARET, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def push_blobs(client, repository, image):
    """What the server answers to each."""
    return [client.push_blob(repository, data).status for data in image.manifest()[1].values()]


def test_a_backup_is_made_while_pushes_go_on_and_serves_elsewhere():
    with support.temporary_folder() as folder, Server(f"{folder}") as server:
        alice = Client(server, "alice")
        assert alice.push("alice/app", "1", clean_image("one"))[0].status == 201
        stop, pushed = threading.Event(), []

        def push():
            while not stop.is_set():
                name = f"more-{len(pushed)}"
                assert alice.push("alice/app", name, clean_image(name))[0].status == 201
                pushed.append(name)

        pusher = threading.Thread(target=push)
        pusher.start()
        try:
            for _ in range(3):
                lazaret("backup", f"{folder}/backup", "--data", server.data)
        finally:
            stop.set()
            pusher.join()
        assert pushed, "nothing was pushed meanwhile"
        lazaret("backup", f"{folder}/backup", "--data", server.data)
        assert " 0 of them new" in lazaret("backup", f"{folder}/backup", "--data", server.data), "blobs are copied twice"
        os.makedirs(f"{folder}/second")
        other = Server(f"{folder}/second", start=False)
        shutil.rmtree(other.data)
        lazaret("restore", f"{folder}/backup", "--data", other.data)
        with other:
            other.start()
            for name in ["1", *pushed]:
                answer = Client(other).get(f"/v2/alice/app/manifests/{name}")
                assert answer.status == 200, (name, answer)
                layer = answer.json()["layers"][-1]["digest"]
                assert Client(other).get(f"/v2/alice/app/blobs/{layer}").status == 200
            assert Client(other, "alice", PASSWORD).get("/v2/").status == 200
        other.fsck()


def test_what_was_condemned_after_a_backup_does_not_come_back_with_it():
    with support.temporary_folder() as folder, Server(f"{folder}") as server:
        alice, admin = Client(server, "alice"), Api(server, "admin")
        clean = alice.push("alice/app", "1", clean_image("one"))[1]
        assert Client(server).get("/v2/alice/app/manifests/1").status == 200
        lazaret("backup", f"{folder}/backup", "--data", server.data)
        # After the backup: one image is condemned by its audit, another by hand.
        evil, blobs = alice.push("alice/evil", "1", evil_image())[1:]
        admin.call("POST", f"/images/{clean}/decision", {"state": "condemned", "reason": "a back door"}, status=200)
        server.stop()
        assert "1 images are not given out" in lazaret("restore", f"{folder}/backup", "--data", server.data)
        server.start()
        for _ in range(2):  # also after the next restart
            assert Client(server).get("/v2/alice/app/manifests/1").status == 404
            assert alice.get(f"/v2/alice/app/manifests/{clean}").status == 403
            assert 403 in push_blobs(alice, "alice/again", evil_image())
            server.stop()
            server.start()
        shown = admin.call("GET", f"/images/{clean}", status=200).json()
        assert shown["state"] == "condemned", shown
        # A machine that lost its folder goes by a copy of the journal.
        shutil.copy(f"{server.data}/condemned.journal", f"{folder}/journal")
        server.stop()
        shutil.rmtree(server.data)
        lazaret("restore", f"{folder}/backup", "--data", server.data, "--journal", f"{folder}/journal")
        server.start()
        assert Client(server).get("/v2/alice/app/manifests/1").status == 404
        assert evil and blobs


def test_a_takedown_after_a_backup_holds_in_it_and_can_be_undone():
    with support.temporary_folder() as folder, Server(f"{folder}") as server:
        admin = Api(server, "admin")
        assert Client(server, "alice").push("alice/app", "1", clean_image())[0].status == 201
        lazaret("backup", f"{folder}/backup", "--data", server.data)
        act = admin.call("POST", "/takedowns", {"kind": "publisher", "subject": "alice", "reason": "miners"}, status=201).json()
        server.stop()
        assert "1 takedowns, 0 undone" in lazaret("restore", f"{folder}/backup", "--data", server.data)
        server.start()
        assert Client(server).get("/v2/alice/app/manifests/1").status == 404
        assert [one["id"] for one in admin.items("/takedowns")] == [act["id"]], "the act is there once, under its number"
        admin.call("POST", f"/takedowns/{act['id']}/undo", {"reason": "a mistake"}, status=200)
        assert Client(server).get("/v2/alice/app/manifests/1").status == 200
        server.stop()
        # Nor does another restore bring back what was undone since.
        lazaret("restore", f"{folder}/backup", "--data", server.data)
        server.start()
        assert Client(server).get("/v2/alice/app/manifests/1").status == 200


def test_a_backup_that_was_changed_is_refused_and_changes_nothing():
    with support.temporary_folder() as folder, Server(f"{folder}") as server:
        assert Client(server, "alice").push("alice/app", "1", clean_image())[0].status == 201
        lazaret("backup", f"{folder}/backup", "--data", server.data)
        assert "in use" in lazaret("restore", f"{folder}/backup", "--data", server.data, code=2)
        assert "another folder" in lazaret("backup", server.data, "--data", server.data, code=2)
        server.stop()
        before = sorted(os.listdir(server.data))
        for name in ("metadata.sqlite", next(f"blobs/sha256/{d}/{f}" for d in sorted(os.listdir(f"{folder}/backup/blobs/sha256")) for f in os.listdir(f"{folder}/backup/blobs/sha256/{d}"))):
            with open(f"{folder}/backup/{name}", "r+b") as file:
                first = file.read(1)
                file.seek(0)
                file.write(bytes([first[0] ^ 1]))
            lazaret("restore", f"{folder}/backup", "--data", server.data, code=2)
            assert sorted(os.listdir(server.data)) == before
            with open(f"{folder}/backup/{name}", "r+b") as file:
                file.write(first)
        assert "no backup" in lazaret("restore", f"{folder}/nothing", "--data", server.data, code=2)
        lazaret("restore", f"{folder}/backup", "--data", server.data)


class Hooks(http.server.ThreadingHTTPServer):
    """Keeps what it is told; answers 500 as long as `failing`."""

    def __init__(self):
        self.messages, self.failing = [], False
        hooks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not hooks.failing:
                    hooks.messages.append((dict(self.headers), body))
                self.send_response(500 if hooks.failing else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *unused):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait_for(self, count):
        for _ in range(600):
            if len(self.messages) >= count:
                return [json.loads(body) for _, body in self.messages]
            time.sleep(0.05)
        raise AssertionError(f"{len(self.messages)} of {count} messages")


def test_webhooks_are_told_signed_and_also_after_a_restart():
    hooks = Hooks()
    secret = "a secret of sixteen and more"
    config = f'[[webhook]]\nurl = "http://127.0.0.1:{hooks.server_port}/lazaret"\nsecret = "{secret}"\nevents = ["released", "condemned"]\n'
    with support.temporary_folder() as folder, Server(f"{folder}", config=config) as server:
        alice = Client(server, "alice")
        time.sleep(1)
        clean = alice.push("alice/app", "1", clean_image())[1]
        evil = alice.push("alice/evil", "1", evil_image())[1]
        messages = hooks.wait_for(2)
        assert [(m["type"], m["data"]["digest"]) for m in messages] == [("lazaret.image.released", clean), ("lazaret.image.condemned", evil)], messages
        headers, body = hooks.messages[0]
        assert headers["Content-Type"].startswith("application/cloudevents+json")
        seconds, signature = headers["Lazaret-Signature"].removeprefix("t=").split(",sha256=")
        assert hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest() == signature
        for field in ("specversion", "id", "source", "type", "time"):
            assert messages[0][field]
        # A receiver that is away keeps nothing waiting, and is told afterwards, also by another process.
        hooks.failing = True
        begun = time.monotonic()
        assert alice.push("alice/app", "2", clean_image("two"))[0].status == 201
        assert time.monotonic() - begun < 60
        time.sleep(1.5)
        server.kill()
        hooks.failing = False
        server.start()
        assert hooks.wait_for(3)[2]["type"] == "lazaret.image.released"
    hooks.shutdown()


def test_metrics_are_for_this_machine_and_administrators():
    with support.temporary_folder() as folder, Server(f"{folder}") as server:
        alice = Client(server, "alice")
        alice.push("alice/app", "1", clean_image())
        alice.push("alice/evil", "1", evil_image())
        assert 403 in push_blobs(alice, "alice/again", evil_image())
        Client(server).get("/v2/alice/app/manifests/1")
        text = Client(server).get("/metrics").body.decode()
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        assert values['lazaret_images{state="released"}'] == "1" and values['lazaret_images{state="condemned"}'] == "1", text
        assert int(values["lazaret_audit_seconds_count"]) >= 2 and int(values["lazaret_tombstone_hits_total"]) >= 1, text
        assert int(values['lazaret_refusals_total{reason="condemned-or-taken-down"}']) >= 1, text
        assert "lazaret_ledger_waiting" in values and "lazaret_webhooks_delivered_total" in values
        # Somebody whom a proxy on this machine asks for.
        assert Client(server).get("/metrics", X_Forwarded_For="198.51.100.7").status == 403
        assert Client(server, "alice").get("/metrics", X_Forwarded_For="198.51.100.7").status == 403
        assert Client(server, "admin").get("/metrics", X_Forwarded_For="198.51.100.7").status == 200
    with support.temporary_folder() as folder, Server(f"{folder}", config='[metrics]\naccess = "administrators"\n') as server:
        assert Client(server).get("/metrics").status == 403
        assert Client(server, "admin").get("/metrics").status == 200


def test_the_doctor_says_what_to_do():
    with support.temporary_folder() as folder, Server(f"{folder}") as server:
        shown = lazaret("doctor", "--data", server.data)
        assert "one uses the data folder now" in shown and "finds what it must find" in shown and "no entry was changed" in shown, shown
        server.stop()
        with open(f"{folder}/bad.toml", "w") as out:
            out.write(f'listen = ["0.0.0.0:5000"]\nrules = ["{folder}/none.yar"]\n')
        os.chmod(server.data, 0o755)
        shown = lazaret("doctor", "--config", f"{folder}/bad.toml", "--data", server.data, code=1)
        assert "FAILS    rules" in shown and "without TLS" in shown and f"chmod 700 {server.data}" in shown, shown
        assert "ok " not in lazaret("doctor", "--quiet", "--config", f"{folder}/bad.toml", "--data", server.data, code=1)
        with open(f"{folder}/bad.toml", "w") as out:
            out.write("[[webhook]]\nurl = \"http://hooks.example/\"\nsecret = \"a secret of sixteen and more\"\n")
        assert "https" in lazaret("doctor", "--config", f"{folder}/bad.toml", "--data", server.data, code=2)


if __name__ == "__main__":
    support.main(globals())
