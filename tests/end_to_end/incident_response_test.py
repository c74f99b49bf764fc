"""Reports, takedown, exposure and evidence on a running server, through the command line and the REST API."""
import csv
import hashlib
import http.server
import io
import json
import os
import socket
import socketserver
import subprocess
import tarfile
import threading
import time

import support  # first: it sets the path
from api_support import Api
from serve_support import PASSWORD, Client, Server, clean_image, evil_image


def lazaret(server, *arguments, code=0, **options):
    done = subprocess.run([support.LAZARET, *arguments, "--server", f"http://{server.host}", "--data", server.data], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def push(server, user, repository, tag, image):
    answer, digest, blobs = Client(server, user).push(repository, tag, image)
    assert answer.status == 201, answer
    return digest, blobs


def pull(server, user, repository, reference, **headers):
    return Client(server, user).get(f"/v2/{repository}/manifests/{reference}", **headers)


def eventually(true):
    for _ in range(200):
        if true():
            return True
        time.sleep(0.1)
    return False


def test_a_publisher_is_taken_down_and_given_back():
    with support.temporary_folder() as folder, Server(folder) as server:
        digest, blobs = push(server, "alice", "alice/tomcat", "latest", clean_image("one"))
        push(server, "bob", "bob/app", "1", clean_image("two"))
        robot = server.user("token", "alice", "--scope", "alice/*:pull,push").strip()
        assert pull(server, "carol", "alice/tomcat", "latest").status == 200
        assert eventually(lambda: Client(server, "alice", robot).get("/v2/alice/tomcat/tags/list").status == 200), "the server looks for new robots every second"
        admin = Api(server, "admin")
        assert "there is no publisher" in lazaret(server, "takedown", "publisher", "nobody", "--reason", "x", code=2)
        assert "administrator" in lazaret(server, "takedown", "publisher", "admin", "--reason", "x", code=2)
        done = lazaret(server, "takedown", "publisher", "alice", "--reason", "miners")
        assert "act 1: publisher alice is taken down: 1 images" in done and "the account alice is closed" in done, done
        assert "already" in lazaret(server, "takedown", "publisher", "alice", "--reason", "again", code=2)
        for user in (None, "bob", "carol"):
            assert pull(server, user, "alice/tomcat", "latest").status == 404
            assert pull(server, user, "alice/tomcat", digest).status == 404
            for blob in blobs:
                assert Client(server, user).get(f"/v2/alice/tomcat/blobs/{blob}").status == 404
        assert Client(server, "alice").get("/v2/").status == 401, "the password is void"
        assert Client(server, "alice", robot).get("/v2/alice/tomcat/tags/list").status == 401, "so are robots"
        assert Client(server, "bob").get("/v2/_catalog").json()["repositories"] == ["bob/app"]
        shown = lazaret(server, "takedown", "list")
        assert "alice" in shown and "miners" in shown, shown
        act = admin.call("GET", "/takedowns/1", status=200).json()
        assert act["closes_account"] and act["subject"] == "alice" and act["images"] == 1, act
        admin.call("GET", "/takedowns/99", status=404)
        Api(server, "bob").call("GET", "/takedowns", status=403)
        # It survives a crash.
        server.kill()
        server.start()
        assert pull(server, None, "alice/tomcat", "latest").status == 404
        lazaret(server, "takedown", "undo", "1")
        assert pull(server, None, "alice/tomcat", "latest").status == 200
        assert Client(server, "alice").get("/v2/").status == 200
        assert Client(server, "alice", robot).get("/v2/alice/tomcat/tags/list").status == 200
        lazaret(server, "takedown", "undo", "1", code=2)
        assert "undone" in lazaret(server, "takedown", "list")
        assert "takedown.undo" in server.user("log")


def test_an_account_that_was_closed_before_stays_closed():
    with support.temporary_folder() as folder, Server(folder) as server:
        push(server, "alice", "alice/x", "1", clean_image())
        server.user("disable", "alice")
        assert eventually(lambda: Client(server, "alice").get("/v2/").status == 401)
        lazaret(server, "takedown", "publisher", "alice", "--reason", "x")
        lazaret(server, "takedown", "undo", "1")
        assert Client(server, "alice").get("/v2/").status == 401


def test_images_and_repositories_are_taken_down_by_name():
    with support.temporary_folder() as folder, Server(folder) as server:
        first, _ = push(server, "alice", "alice/a", "1", clean_image("one"))
        push(server, "alice", "alice/a", "2", clean_image("two"))
        push(server, "alice", "alice/b", "1", clean_image("three"))
        lazaret(server, "takedown", "image", f"alice/a@{first}", "--reason", "bad")
        assert [pull(server, None, "alice/a", tag).status for tag in ("1", "2")] == [404, 200]
        lazaret(server, "takedown", "repository", "alice/b", "--reason", "bad")
        assert pull(server, None, "alice/b", "1").status == 404
        assert Client(server, "alice").get("/v2/").status == 200, "the account stays"
        lazaret(server, "takedown", "image", "alice/none@sha256:" + "0" * 64, "--reason", "bad", code=2)


def test_users_report_and_the_clock_runs():
    with support.temporary_folder() as folder, Server(folder) as server:
        digest, _ = push(server, "alice", "alice/tomcat", "latest", clean_image())
        said = lazaret(server, "report", "alice/tomcat:latest", "--reason", "mines\x1b[31m Monero", "--anonymous")
        assert "case 1" in said and digest in said, said
        Api(server, "bob").call("POST", "/user-reports", {"image": f"alice/tomcat@{digest}", "reason": "same here"}, status=201)
        Api(server).call("POST", "/user-reports", {"image": "alice/none:1", "reason": "x"}, status=404)
        Api(server).call("POST", "/user-reports", {"image": "ALICE", "reason": "x"}, status=400)
        Api(server).call("POST", "/user-reports", {"image": "alice/tomcat:latest", "reason": ""}, status=400)
        Api(server).call("GET", "/user-reports", status=401)
        Api(server, "alice").call("GET", "/user-reports", status=403)
        admin = Api(server, "admin")
        cases = admin.call("GET", "/user-reports?state=open", status=200).json()["items"]
        assert [(one["id"], one["reports"], one["state"]) for one in cases] == [(1, 2, "open")] and cases[0]["open_seconds"] >= 0, cases
        metrics = Client(server).get("/metrics").body.decode()
        assert "lazaret_user_cases_open 1" in metrics and "lazaret_user_case_oldest_seconds" in metrics
        shown = lazaret(server, "reports", "show", "1")
        assert "\x1b" not in shown and "same here" in shown and "somebody as alice/tomcat:latest" in shown, shown
        assert "open" in lazaret(server, "reports", "list")
        lazaret(server, "reports", "confirm", "1", "--act", "hold", "--note", "a miner indeed")
        assert pull(server, None, "alice/tomcat", "latest").status == 404
        lazaret(server, "reports", "reject", "1", code=2)
        assert "lazaret_user_cases_open 0" in Client(server).get("/metrics").body.decode()
        answers = [Api(server).call("POST", "/user-reports", {"image": "alice/tomcat:latest", "reason": "again"}).status for _ in range(12)]
        assert answers[-1] == 429, answers


def exposed_server(folder, config=""):
    server = Server(folder, config)
    digest, blobs = push(server, "alice", "alice/tomcat", "latest", clean_image("bad"))
    _, good = push(server, "bob", "bob/app", "1", clean_image("good"))
    server.own = {name: data for name, data in blobs.items() if name not in good}  # both stand on one base
    assert 0 < len(server.own) < len(blobs)
    for user, agent in (("bob", "docker/20.10"), ("bob", "docker/20.10"), ("carol", "=HYPERLINK(1)"), (None, "curl/7")):
        assert pull(server, user, "alice/tomcat", "latest", User_Agent=agent).status == 200
    for blob in blobs:
        assert Client(server, "carol").get(f"/v2/alice/tomcat/blobs/{blob}").status == 200
    assert pull(server, "alice", "bob/app", "1").status == 200
    return server, digest, blobs


def test_exposure_says_who_pulled():
    with support.temporary_folder() as folder:
        server, digest, blobs = exposed_server(folder)
        with server:
            lazaret(server, "takedown", "publisher", "alice", "--reason", "miners")
            table = lazaret(server, "exposure", "alice")
            assert "taken down" in table and "(anonymous)" in table and "alice/tomcat:latest" in table, table
            data = json.loads(lazaret(server, "exposure", "alice", "--format", "json"))
            accounts = {one["account"]: one for one in data["accounts"]}
            assert sorted(accounts) == ["", "bob", "carol"], accounts
            assert accounts["bob"]["pulls"] == 2 and accounts["carol"]["downloads"] == len(server.own) and data["late"] == 0, data
            assert [one["network"] for one in data["networks"]] == ["127.0.0.0/24"]
            assert data["images"][0]["digest"] == digest and data["takedown"]["id"] == 1
            Api(server, "admin").call("GET", "/exposure?subject=alice", status=200)
            Api(server, "admin").call("GET", "/exposure?subject=nobody", status=404)
            Api(server, "admin").call("GET", "/exposure", status=400)
            Api(server, "bob").call("GET", "/exposure?subject=alice", status=403)
            rows = list(csv.reader(io.StringIO(lazaret(server, "exposure", "1", "--kind", "takedown", "--format", "csv", "--by", "agent"))))
            assert rows[0][0] == "agent" and ["docker/20.10", "2"] in [row[:2] for row in rows], rows
            assert not [field for row in rows for field in row if field[:1] in "=+@" and field], "a formula in the export"
            assert "'=HYPERLINK(1)" in [row[0] for row in rows], rows
            assert "exposure alice by admin" in server.user("log")


def test_the_ledger_is_exported():
    with support.temporary_folder() as folder:
        server, digest, blobs = exposed_server(folder)
        with server:
            lines = [json.loads(line) for line in lazaret(server, "pulls", "--format", "jsonl").splitlines()]
            assert sum(line["count"] for line in lines) == 4 + len(blobs) + 1, lines
            first = lines[0]
            assert (first["identity"], first["repository"], first["tag"], first["digest"], first["state"], first["verdict"], first["kind"]) == ("bob", "alice/tomcat", "latest", digest, "released", "clean", "manifest"), first
            assert first["ruleset"].startswith("sha256:") and first["at"].endswith("Z") and first["address"] == "127.0.0.1"
            rows = list(csv.DictReader(io.StringIO(lazaret(server, "pulls", "--account", "carol"))))
            assert len(rows) == 1 + len(blobs) and {row["identity"] for row in rows} == {"carol"}, rows
            assert rows[0]["agent"] == "'=HYPERLINK(1)", rows
            assert lazaret(server, "pulls", "--format", "jsonl", "--until", "2018-01-01") == ""
            pages = Api(server, "admin").items("/pulls", limit=2)
            assert len(pages) == len(lines)


def test_pods_that_still_run_it_are_found():
    with support.temporary_folder() as folder:
        server, digest, blobs = exposed_server(folder)
        with server:
            config = json.loads(pull(server, "bob", "alice/tomcat", "latest").body)["config"]["digest"]

            def pod(name, image, image_id, running=True):
                status = {"name": "c", "image": image, "imageID": image_id, "state": {"running": {}} if running else {"terminated": {}}}
                return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"nodeName": "node1", "containers": [{"name": "c", "image": image}]}, "status": {"containerStatuses": [status] if image_id else []}}
            pods = {"kind": "List", "items": [
                pod("by-digest", f"{server.host}/alice/tomcat:latest", f"docker-pullable://{server.host}/alice/tomcat@{digest}"),
                pod("by-config", f"{server.host}/alice/tomcat:latest", f"sha256:{config[7:]}", running=False),
                pod("pending", f"{server.host}/alice/tomcat", ""),
                pod("moved-on", f"{server.host}/alice/tomcat:latest", f"{server.host}/alice/tomcat@sha256:" + "1" * 64),
                pod("innocent", f"{server.host}/bob/app:1", f"{server.host}/bob/app@sha256:" + "2" * 64)]}
            shown = lazaret(server, "exposure", "alice", "--pods", "-", "--format", "json", code=1, input=json.dumps(pods))
            found = {one["pod"]: one["how"] for one in json.loads(shown)["pods"]}
            assert found == {"by-digest": "runs", "by-config": "ran", "pending": "asks by name for"}, found
            with open(f"{folder}/pods.json", "w") as out:
                json.dump({"kind": "List", "items": pods["items"][3:]}, out)
            assert "0 containers in Kubernetes" in lazaret(server, "exposure", "alice", "--pods", f"{folder}/pods.json")
            lazaret(server, "exposure", "alice", "--pods", "-", code=2, input="no json")


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that takes everything: (sender, recipient, text)."""
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), MailHandler)
        self.mails = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class MailHandler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 test\r\n")
        sender = recipient = ""
        for line in self.rfile:
            command = line.decode().strip()
            if command.upper().startswith(("EHLO", "HELO")):
                self.wfile.write(b"250 test\r\n")
            elif command.upper().startswith("MAIL FROM:"):
                sender = command[10:]
                self.wfile.write(b"250 ok\r\n")
            elif command.upper().startswith("RCPT TO:"):
                recipient = command[8:]
                self.wfile.write(b"250 ok\r\n")
            elif command.upper() == "DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                for piece in self.rfile:
                    if piece == b".\r\n":
                        break
                    text += piece
                self.server.mails.append((sender, recipient, text.decode()))
                self.wfile.write(b"250 ok\r\n")
            elif command.upper() == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"500 what\r\n")


def test_accounts_are_told_by_mail_and_webhook():
    import base64
    import hmac

    received = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *unused):
            pass

    with support.temporary_folder() as folder:
        server, digest, _ = exposed_server(folder)
        hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        mailbox = Mailbox()
        try:
            with server:
                lazaret(server, "takedown", "publisher", "alice", "--reason", "miners")
                with open(f"{folder}/key", "w") as out:
                    out.write("secret\n")
                said = lazaret(server, "exposure", "alice", "--notify", f"http://127.0.0.1:{hook.server_address[1]}/hook", "--notify-key", f"{folder}/key",
                               "--mail-server", f"smtp://127.0.0.1:{mailbox.server_address[1]}", "--mail-from", "registry@lazaret.example", "--mail-to", "{account}@team.example")
                assert "4 messages were sent to 2 accounts" in said, said
                assert {json.loads(body)["account"] for _, body in received} == {"bob", "carol"}
                for headers, body in received:
                    assert headers["X-Lazaret-Signature"] == "sha256=" + hmac.new(b"secret", body, hashlib.sha256).hexdigest()
                    assert json.loads(body)["images"] == ["alice/tomcat:latest"]
                assert [(sender, recipient) for sender, recipient, _ in sorted(mailbox.mails, key=lambda mail: mail[1])] == [("<registry@lazaret.example>", "<bob@team.example>"), ("<registry@lazaret.example>", "<carol@team.example>")]
                text = base64.b64decode(mailbox.mails[0][2].split("\r\n\r\n", 1)[1]).decode()
                assert "alice/tomcat:latest" in text and "installed anew" in text, text
                said = lazaret(server, "exposure", "alice", "--mail-server", f"smtp://127.0.0.1:{mailbox.server_address[1]}", "--mail-from", "a@b.example", "--mail-to", "{account} Bcc:x@y", code=2)
                assert "no mail address" in said, said
                lazaret(server, "exposure", "alice", "--notify", "http://203.0.113.1/hook", code=2)
        finally:
            hook.shutdown()
            mailbox.shutdown()


def test_evidence_is_sealed():
    with support.temporary_folder() as folder:
        server, digest, blobs = exposed_server(folder)
        with server:
            Api(server, "carol").call("POST", "/user-reports", {"image": "alice/tomcat:latest", "reason": "it mines"}, status=201)
            lazaret(server, "takedown", "publisher", "alice", "--reason", "miners")
            archive = f"{folder}/evidence.tar"
            lazaret(server, "evidence", "1", "-o", archive)
            out = f"{folder}/out"
            os.mkdir(out)
            subprocess.run(["tar", "-xf", archive, "-C", out], check=True)
            subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=out, check=True)
            verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public-key.pem", "-rawin", "-in", "SHA256SUMS", "-sigfile", "SHA256SUMS.sig"]
            subprocess.run(verify, cwd=out, check=True, capture_output=True)
            with open(f"{out}/SHA256SUMS", "a") as sums:
                sums.write("x")
            assert subprocess.run(verify, cwd=out, capture_output=True).returncode != 0, "a changed list passes"
            with tarfile.open(archive) as tar:
                names = tar.getnames()
                members = {name: tar.extractfile(name).read() for name in names}
            assert f"manifests/{digest[7:]}.json" in names and f"reports/{digest[7:]}.json" in names, names
            assert {name for name in names if name.startswith("blobs/")} == {f"blobs/{blob[7:]}" for blob in server.own}
            for blob, data in server.own.items():
                assert members[f"blobs/{blob[7:]}"] == data
            pulls = [json.loads(line) for line in members["ledger.jsonl"].splitlines()]
            assert {pull["identity"] for pull in pulls} == {"bob", "carol", ""}
            assert json.loads(members["user-reports.jsonl"])["reason"] == "it mines"
            act = json.loads(members["takedown.json"])
            assert act["takedown"]["reason"] == "miners" and act["manifests"][0]["digest"] == digest
            listed = {line.split("  ", 1)[1] for line in members["SHA256SUMS"].decode().splitlines()}
            assert listed == set(names) - {"SHA256SUMS", "SHA256SUMS.sig", "public-key.pem"}
            assert oct(os.stat(f"{server.data}/evidence-key.pem").st_mode & 0o777) == "0o600"
            lazaret(server, "evidence", "9", "-o", f"{folder}/none.tar", code=2)
            assert not os.path.exists(f"{folder}/none.tar") and not os.path.exists(f"{folder}/none.tar.part")


def test_r44_the_ledger_survives_a_kill():
    with support.temporary_folder() as folder, Server(folder) as server:
        push(server, "alice", "alice/x", "1", clean_image())
        for _ in range(3):
            told = 0
            for _ in range(50):
                assert pull(server, "bob", "alice/x", "1").status == 200
                told += 1
            time.sleep(1)  # the window is a fifth of a second
            before = sum(json.loads(line)["count"] for line in lazaret(server, "pulls", "--format", "jsonl").splitlines())
            server.kill()
            server.start()
            after = sum(json.loads(line)["count"] for line in lazaret(server, "pulls", "--format", "jsonl").splitlines())
            assert after >= before >= told, (before, after, told)
        # An orderly end writes down everything.
        for _ in range(20):
            pull(server, "carol", "alice/x", "1")
        server.stop()
        server.start()
        assert sum(json.loads(line)["count"] for line in lazaret(server, "pulls", "--format", "jsonl", "--account", "carol").splitlines()) == 20


def test_r44_addresses_come_from_trusted_proxies_alone():
    for trusted, address in ((False, "127.0.0.1"), (True, "203.0.113.7")):
        with support.temporary_folder() as folder, Server(folder, '[http]\ntrusted-proxies = ["127.0.0.1"]\n' if trusted else "") as server:
            push(server, "alice", "alice/x", "1", clean_image())
            pull(server, "bob", "alice/x", "1", X_Forwarded_For="203.0.113.7")
            lines = [json.loads(line) for line in lazaret(server, "pulls", "--format", "jsonl").splitlines()]
            assert [line["address"] for line in lines] == [address], lines


def test_addresses_can_be_hashed():
    with support.temporary_folder() as folder, Server(folder, "[ledger]\nhash-addresses = true\n") as server:
        push(server, "alice", "alice/x", "1", clean_image())
        pull(server, "bob", "alice/x", "1")
        text = lazaret(server, "pulls", "--format", "jsonl")
        assert "127.0.0" not in text and json.loads(text)["address"].startswith("~"), text
        server.stop()
        server.start()
        pull(server, "bob", "alice/x", "1")
        addresses = {json.loads(line)["address"] for line in lazaret(server, "pulls", "--format", "jsonl").splitlines()}
        assert len(addresses) == 1, "the key stays"
        network = json.loads(lazaret(server, "exposure", "alice", "--format", "json"))["networks"]
        assert len(network) == 1 and network[0]["network"].startswith("~"), network


def test_r45_tombstones_survive_an_older_backup():
    """What was taken down after a backup stays out when the metadata of the backup come back."""
    import shutil
    with support.temporary_folder() as folder, Server(folder) as server:
        digest, blobs = push(server, "alice", "alice/x", "1", clean_image("bad"))
        server.stop()
        shutil.copy(f"{server.data}/metadata.sqlite", f"{folder}/backup.sqlite")
        server.start()
        lazaret(server, "takedown", "publisher", "alice", "--reason", "miners")
        server.stop()
        shutil.copy(f"{folder}/backup.sqlite", f"{server.data}/metadata.sqlite")
        server.start()
        assert pull(server, None, "alice/x", "1").status == 404
        assert pull(server, None, "alice/x", digest).status == 404
        for blob, data in blobs.items():
            assert Client(server, "bob").push_blob("bob/y", data).status == 403, blob
        assert "miners" in lazaret(server, "takedown", "list")


if __name__ == "__main__":
    support.main(globals())
