"""Accounts of `lazaret serve`: the command line, tokens, and clients that follow docker's token flow."""
import base64
import json
import os
import shutil
import stat
import subprocess
import time

import support  # first: it sets the path
import images
from serve_support import PASSWORD, Client, Server, clean_image, evil_image, sha256


def token_for(server, scope, user=None, password=PASSWORD):
    headers = {}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    answer = Client(server).request("GET", f"/token?service=lazaret&scope={scope}", headers=headers)
    assert answer.status == 200, answer
    return answer.json()["token"]


def with_token(server, token, method, path):
    return Client(server).request(method, path, headers={"Authorization": "Bearer " + token})


def test_the_administrators_password_is_written_once_for_its_owner():
    with support.temporary_folder() as folder, Server(folder) as server:
        path = f"{server.data}/admin-password"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(f"{server.data}/accounts.sqlite").st_mode) == 0o600
        password = server.admin_password()
        assert len(password) >= 20
        assert Client(server, "admin", password).request("GET", "/v2/").status == 200
        server.stop()
        server.start()
        assert server.admin_password() == password


def test_the_ping_tells_clients_how_to_log_in():
    with support.temporary_folder() as folder, Server(folder) as server:
        answer = Client(server).request("GET", "/v2/")
        assert answer.status == 401, answer
        assert answer.headers["WWW-Authenticate"] == f'Bearer realm="http://{server.host}/token",service="lazaret"', answer
        refused = Client(server).request("POST", "/v2/alice/app/blobs/uploads/")
        assert refused.headers["WWW-Authenticate"] == f'Bearer realm="http://{server.host}/token",service="lazaret",scope="repository:alice/app:pull,push"', refused
        assert with_token(server, token_for(server, ""), "GET", "/v2/").status == 200
        assert with_token(server, token_for(server, "repository:alice/app:pull,push"), "POST", "/v2/alice/app/blobs/uploads/").status == 401
        token = token_for(server, "repository:alice/app:pull,push", "alice")
        assert with_token(server, token, "POST", "/v2/alice/app/blobs/uploads/").status == 202
        assert with_token(server, token, "POST", "/v2/alice/other/blobs/uploads/").status == 401
        assert Client(server, "alice").request("POST", "/v2/bob/app/blobs/uploads/").status == 403
        assert Client(server, "alice", "wrong password").request("GET", "/v2/").status == 401


def test_a_publisher_whose_client_asks_only_to_pull_still_reads_back_and_a_robot_does_not():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice = Client(server, "alice")
        answer, held, _ = alice.push("alice/app", "evil", evil_image())
        assert answer.status == 403, answer
        assert alice.push_blob("alice/app", b"no manifest names it").status == 201
        blob, manifest = f"/v2/alice/app/blobs/{sha256(b'no manifest names it')}", f"/v2/alice/app/manifests/{held}"
        # As docker and skopeo do it: the challenge names "pull" for what is read.
        token = token_for(server, "repository:alice/app:pull", "alice")
        assert with_token(server, token, "GET", blob).status == 200
        assert with_token(server, token, "GET", manifest).status == 403, "told why"
        assert with_token(server, token, "POST", "/v2/alice/app/blobs/uploads/").status == 401
        robot = server.user("token", "alice", "--scope", "alice/app:pull", "--days", "1", "--label", "deploy").strip()
        time.sleep(1.1)
        for user, password in (("alice", robot), ("bob", PASSWORD)):
            token = token_for(server, "repository:alice/app:pull,push", user, password)
            assert with_token(server, token, "GET", blob).status == 404
            assert with_token(server, token, "GET", manifest).status == 404


def test_acts_of_the_command_line_reach_a_running_server():
    with support.temporary_folder() as folder, Server(folder) as server:
        shown = server.user("add", "dora").strip()
        password = shown.removeprefix("password of dora: ")
        time.sleep(1.1)
        assert Client(server, "dora", password).request("POST", "/v2/dora/app/blobs/uploads/").status == 202
        robot = server.user("token", "dora", "--scope", "dora/app:pull,push", "--days", "1", "--label", "ci").strip()
        assert robot.startswith("lzr_")
        assert "dora/app:pull,push" in server.user("tokens", "dora") and robot not in server.user("tokens")
        time.sleep(1.1)
        assert Client(server, "dora", robot).request("POST", "/v2/dora/app/blobs/uploads/").status == 202
        assert Client(server, "dora", robot).request("POST", "/v2/dora/other/blobs/uploads/").status == 401
        number = [line.split()[0] for line in server.user("tokens", "dora").splitlines() if "robot" in line][0]
        server.user("revoke", number)
        server.user("disable", "dora")
        time.sleep(1.1)
        assert Client(server, "dora", robot).request("POST", "/v2/dora/app/blobs/uploads/").status == 401
        assert Client(server, "dora", password).request("GET", "/v2/").status == 401
        server.user("enable", "dora")
        server.user("passwd", "dora", "--password-stdin", input="another password\n")
        time.sleep(1.1)
        assert Client(server, "dora", "another password").request("GET", "/v2/").status == 200
        server.user("remove", "dora")
        time.sleep(1.1)
        assert Client(server, "dora", "another password").request("GET", "/v2/").status == 401
        log = server.user("log")
        for act in ("account.add admin", "account.add dora", "token.add dora", f"token.revoke {number}", "account.disable dora", "account.password dora", "account.remove dora"):
            assert act in log, log
        assert robot not in log and password not in log


def test_mistakes_are_said():
    with support.temporary_folder() as folder:
        server = Server(folder, start=False)
        assert "alice" in server.user("add", "alice", code=2)
        assert "docker.io" in server.user("add", "docker.io", code=2)
        assert "8 to" in server.user("add", "short", "--password-stdin", input="short\n", code=2)
        assert "last administrator" in server.user("remove", "admin", code=2)
        assert "nobody" in server.user("passwd", "nobody", code=2)
        assert "scope" in server.user("token", "alice", "--scope", "everything", code=2)
        assert "366" in server.user("token", "alice", "--scope", "alice/*:pull", "--days", "1000", code=2)


def test_guessing_is_slowed_down():
    with support.temporary_folder() as folder, Server(folder) as server:
        answers = [Client(server, "alice", f"guess number {i}").request("GET", "/v2/") for i in range(12)]
        assert [a.status for a in answers][:10] == [401] * 10 and answers[-1].status == 429, answers
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert Client(server, "bob").request("GET", "/v2/").status == 200


def test_delete_is_a_right_of_its_own():
    with support.temporary_folder() as folder, Server(folder) as server:
        server.user("add", "writer", "--no-delete", "--password-stdin", input=PASSWORD + "\n")
        time.sleep(1.1)
        missing = "sha256:" + "0" * 64
        assert Client(server, "writer").request("DELETE", f"/v2/writer/app/manifests/{missing}").status == 403
        token = token_for(server, "repository:alice/app:pull,push", "alice")
        assert with_token(server, token, "DELETE", f"/v2/alice/app/manifests/{missing}").status == 401
        token = token_for(server, "repository:alice/app:delete", "alice")
        assert with_token(server, token, "DELETE", f"/v2/alice/app/manifests/{missing}").status == 404


def test_without_anonymous_pull_nobody_pulls_unnamed():
    with support.temporary_folder() as folder, Server(folder, config="[access]\nanonymous-pull = false\n") as server:
        assert Client(server).request("GET", "/token?service=lazaret&scope=repository:alice/app:pull").status == 401
        assert Client(server).request("GET", "/v2/alice/app/tags/list").status == 401
        assert Client(server, "bob").request("GET", "/v2/alice/app/tags/list").status == 404


def test_the_server_shows_metrics_and_logs_requests_as_json():
    with support.temporary_folder() as folder, Server(folder, config="[log]\nrequests = true\n") as server:
        Client(server).request("GET", "/v2/alice/none/manifests/1", headers={"User-Agent": "\"},{"})
        page = Client(server).request("GET", "/metrics")
        assert page.status == 200 and page.headers["Content-Type"].startswith("text/plain; version=0.0.4"), page
        for line in ('lazaret_requests_total{route="manifest",status="4xx"} 1', "lazaret_audit_queue 0", "# TYPE lazaret_request_seconds histogram"):
            assert line in page.body.decode(), (line, page)
        with open(f"{server.folder}/serve.log") as log:
            lines = [json.loads(line) for line in log if line.startswith("{")]
        assert any(line["event"] == "request" and line["path"] == "/v2/alice/none/manifests/1" and line["agent"] == "\"},{" for line in lines), lines


def test_an_address_that_asks_too_often_is_slowed_down():
    with support.temporary_folder() as folder, Server(folder, config="[access]\nrequests-per-second-of-address = 1\n") as server:
        answers = [Client(server).request("GET", "/v2/") for _ in range(20)]
        limited = [answer for answer in answers if answer.status == 429]
        assert limited and limited[0].code() == "TOOMANYREQUESTS" and int(limited[0].headers["Retry-After"]) >= 1, answers
        assert Client(server).request("GET", "/healthz").status == 200


def test_skopeo_logs_in_pushes_and_pulls():
    if shutil.which("skopeo") is None:
        print("skipped: skopeo is not installed")
        return
    with support.temporary_folder() as folder, Server(folder) as server:
        images.write_layout(f"{folder}/oci", {"clean": clean_image()})

        def skopeo(*arguments, **options):
            return subprocess.run(["skopeo", "--insecure-policy", *arguments], capture_output=True, text=True, timeout=300, **options)
        auth = f"{folder}/auth.json"
        done = skopeo("login", "--tls-verify=false", "--authfile", auth, "-u", "alice", "--password-stdin", server.host, input=PASSWORD)
        assert done.returncode == 0, done.stderr
        done = skopeo("copy", "--dest-tls-verify=false", "--authfile", auth, f"oci:{folder}/oci:clean", f"docker://{server.host}/alice/clean:1")
        assert done.returncode == 0, done.stderr
        done = skopeo("copy", "--dest-tls-verify=false", "--authfile", auth, f"oci:{folder}/oci:clean", f"docker://{server.host}/bob/clean:1")
        assert done.returncode != 0
        done = skopeo("inspect", "--tls-verify=false", "--no-creds", f"docker://{server.host}/alice/clean:1")
        assert done.returncode == 0, done.stderr
        done = skopeo("delete", "--tls-verify=false", "--authfile", auth, f"docker://{server.host}/alice/clean:1")
        assert done.returncode == 0, done.stderr
        wrong = skopeo("login", "--tls-verify=false", "--authfile", auth, "-u", "alice", "--password-stdin", server.host, input="wrong password")
        assert wrong.returncode != 0


if __name__ == "__main__":
    support.main(globals())
