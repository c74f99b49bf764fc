"""The REST API of `lazaret serve`: its description, who may do what, errors, lists."""
import subprocess
import time

import support  # first: it sets the path
import images
from api_support import BASE, OPENAPI, Api, plain, resolve
from serve_support import BASE as BASE_LAYER
from serve_support import Client, Server, clean_image, evil_image



def test_every_route_stands_in_the_description_and_the_other_way_round():
    with support.temporary_folder() as folder, Server(folder) as server:
        routes = Api(server).call("GET", "/routes", status=200).json()["items"]
        code = {(route["method"], plain(route["path"])): route for route in routes}
        assert len(code) == len(routes)
        described = {(method.upper(), path): (item, operation) for path, item in OPENAPI["paths"].items() for method, operation in item.items() if method in ("get", "post", "put", "patch", "delete")}
        assert sorted(code) == sorted(described)
        names = [operation["operationId"] for _, operation in described.values()]
        assert len(names) == len(set(names)), "operationId twice"
        for key, (item, operation) in described.items():
            route = code[key]
            parameters = [resolve(parameter) for parameter in item.get("parameters", []) + operation.get("parameters", [])]
            in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
            assert in_path == {part.strip("{}*") for part in route["path"].split("/") if part.startswith("{")}, key
            assert all(parameter.get("required") for parameter in parameters if parameter["in"] == "path"), key
            assert sorted(parameter["name"] for parameter in parameters if parameter["in"] == "query") == sorted(route["query"]), key
            assert operation["x-access"] == route["access"], key
            assert sorted(int(status) for status in operation["responses"]) == route["statuses"], (key, route["statuses"])
            assert ("requestBody" in operation) == route["body"], key
            assert bool(item.get("x-rest")) == route["path"].endswith("*}"), key
            assert operation.get("summary"), key
        served = Client(server).get(BASE + "/openapi.yaml")
        assert served.body == (support.ROOT / "docs" / "openapi.yaml").read_bytes()


def test_errors_are_problem_details():
    with support.temporary_folder() as folder, Server(folder) as server:
        nowhere = Client(server).get(BASE + "/nowhere")
        assert nowhere.status == 404 and nowhere.headers["Content-Type"] == "application/problem+json", nowhere
        assert nowhere.json()["status"] == 404 and "/api/v1/nowhere" in nowhere.json()["detail"] and "/api/v1/routes" in nowhere.json()["advice"]
        wrong = Client(server).request("DELETE", BASE + "/routes")
        assert wrong.status == 405 and wrong.headers["Allow"] == "GET, HEAD", wrong
        api = Api(server)
        assert api.call("GET", "/routes?colour=red", status=400).json()["parameter"] == "colour"
        assert api.call("GET", "/status", status=401).headers["WWW-Authenticate"].startswith("Bearer "), "no challenge"
        assert "alice is no administrator" in Api(server, "alice").call("GET", "/status", status=403).json()["detail"]
        Api(server, "alice", "wrong password").call("GET", "/routes", status=401)
        assert Api(server).call("HEAD", "/routes", status=200).body == b""
        robot = server.user("token", "alice", "--scope", "alice/*:pull").strip()
        time.sleep(1.1)  # a server looks for what the command line did every second
        Api(server, "alice", robot).call("GET", "/status", status=403)
        # A path that an attacker chose comes back escaped.
        assert "\x1b" not in Client(server).get(BASE + "/%C2%9B31m").body.decode()


def test_the_report_is_for_those_who_may_push():
    with support.temporary_folder() as folder, Server(folder) as server:
        answer, digest, _ = Client(server, "alice").push("alice/evil", "1", evil_image())
        assert answer.status == 403 and f"{BASE}/reports/{digest}" in answer.message(), answer
        report = Api(server, "alice").call("GET", f"/reports/{digest}", status=200).json()
        assert report["verdict"] == "malicious" and report["findings"]
        assert Api(server, "admin").call("GET", f"/reports/{digest}", status=200).json() == report
        Api(server, "bob").call("GET", f"/reports/{digest}", status=404)
        Api(server, "alice").call("GET", "/reports/nonsense", status=404)
        Api(server).call("GET", f"/reports/{digest}", status=401)


KEY = "-----BEGIN PRIVATE" + " KEY-----\nMC4CAQAwBQYDK2VwBCIEIAabUtrhMBLX0RYrSsyLVo4GR4RnZKQKYEy4bnCr1hjJ\n-----END PRIVATE KEY-----\n"


def held_image(name):
    """Suspicious and no more: a secret that everybody who has the image can read."""
    return images.Image([BASE_LAYER, images.layer(images.File("etc/name", name + "\n"), images.File("srv/app/id", KEY, mode=0o600))], cmd=["/bin/true"])


def test_strangers_see_what_is_released_and_nothing_else():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice, stranger, bob, admin = Api(server, "alice"), Api(server), Api(server, "bob"), Api(server, "admin")
        clean = alice.push("alice/app", "1", clean_image())
        evil = alice.push("alice/secret", "1", evil_image())
        assert clean[0].status == 201 and evil[0].status == 403
        assert [item["name"] for item in stranger.items("/repositories")] == ["alice/app"]
        assert [item["name"] for item in bob.items("/repositories?q=ALICE")] == ["alice/app"]
        assert [item["name"] for item in alice.items("/repositories", limit=1)] == ["alice/app", "alice/secret"]
        assert stranger.items("/repositories?q=secret") == []
        stranger.call("GET", "/repositories/alice/secret", status=404)
        assert alice.call("GET", "/repositories/alice/secret", status=200).json()["visible"] is False
        for viewer in (stranger, bob):
            assert [item["digest"] for item in viewer.items("/images")] == [clean[1]]
            assert viewer.items("/images?state=condemned") == []
            viewer.call("GET", f"/images/{evil[1]}", status=404)
            viewer.call("GET", "/tags?repository=alice/secret", status=404)
            viewer.call("GET", "/resolve?reference=alice/secret:1", status=404)
        shown = stranger.call("GET", f"/images/{clean[1]}", status=200).json()
        assert shown["state"] == "released" and shown["repositories"][0]["tags"] == ["1"] and "why" not in shown and "decided_by_hand" not in shown
        shown = alice.call("GET", f"/images/{evil[1]}", status=200).json()
        assert shown["state"] == "condemned" and "/dev/tcp" in shown["why"] and shown["verdict"]["verdict"] == "malicious", shown
        assert [item["digest"] for item in admin.items("/images", limit=1)] == [evil[1], clean[1]]
        assert [item["digest"] for item in admin.items("/images?state=condemned&repository=alice/secret")] == [evil[1]]
        assert admin.call("GET", "/images?state=odd", status=400).json()["parameter"] == "state"
        assert alice.items("/tags?repository=alice/secret")[0]["state"] == "condemned"
        stranger.call("GET", f"/images/{clean[1]}/events", status=401)
        bob.call("GET", f"/images/{clean[1]}/events", status=404)
        assert [event["kind"] for event in alice.items(f"/images/{evil[1]}/events", limit=1)] == ["condemned", "pushed"]
        assert [event["kind"] for event in admin.items("/events?kind=condemned")] == ["condemned"]
        alice.call("GET", "/events", status=403)
        cursor = admin.call("GET", "/images?limit=1", status=200).json()["next"]
        assert admin.call("GET", f"/events?cursor={cursor}", status=400).json()["parameter"] == "cursor"
        assert stranger.call("GET", "/ruleset", status=200).json()["mode"] == "enforce"


def test_an_administrator_decides_and_it_is_written_down():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice, admin = Api(server, "alice"), Api(server, "admin")
        answer, digest, _ = alice.push("alice/app", "1", held_image("app"))
        assert answer.status == 403 and "held" in answer.message(), answer
        decision = {"state": "released", "reason": "the key is a sample"}
        assert "publisher-releases" in alice.call("POST", f"/images/{digest}/decision", decision, status=403).json()["detail"]
        Api(server, "bob").call("POST", f"/images/{digest}/decision", decision, status=404)
        Api(server).call("POST", f"/images/{digest}/decision", decision, status=401)
        assert admin.call("POST", f"/images/{digest}/decision", {"state": "pending", "reason": "x"}, status=400).json()["parameter"] == "state"
        assert admin.call("POST", f"/images/{digest}/decision", {"state": "released"}, status=400).json()["parameter"] == "reason"
        assert admin.call("POST", f"/images/{digest}/decision", {**decision, "colour": 1}, status=400).json()["parameter"] == "colour"
        admin.call("POST", f"/images/{digest}/decision", b'{"state":"held","state":"released","reason":"x"}', {"Content-Type": "application/json"}, status=400)
        admin.call("POST", f"/images/{digest}/decision", b"{}", {"Content-Type": "text/plain"}, status=415)
        admin.call("POST", f"/images/{digest}/decision", {"state": "held", "reason": "x" * 9000}, status=413)
        admin.call("POST", f"/images/{digest}/decision", decision, {"Sec-Fetch-Site": "cross-site"}, status=403)
        assert Client(server).get("/v2/alice/app/manifests/1").status == 404
        shown = admin.call("POST", f"/images/{digest}/decision", decision, status=200).json()
        assert shown["state"] == "released" and shown["decided_by_hand"] is True
        assert Client(server).get("/v2/alice/app/manifests/1").status == 200
        lazaret(server, "hold", "alice/app:1", "--reason", "again")
        assert Client(server).get("/v2/alice/app/manifests/1").status == 404
        assert "held" in lazaret(server, "images", "--state", "held") and digest in lazaret(server, "images", "alice/app")
        lazaret(server, "release", digest, "--reason", "a sample after all")
        assert Client(server).get("/v2/alice/app/manifests/1").status == 200
        acts = [(act["act"], act["subject"], act["detail"]) for act in admin.items("/acts", limit=2)]
        assert ("image.released", digest, "the key is a sample") in acts and ("image.held", digest, "again") in acts, acts
        assert admin.call("GET", "/acts/integrity", status=200).json() == {"sound": True}
        lazaret(server, "reaudit", "alice/app:1")
        assert "repository:tag" in lazaret(server, "release", "alice", "--reason", "x", code=2)


def test_publishers_release_their_own_held_images_where_the_policy_lets_them():
    with support.temporary_folder() as folder, Server(folder, config="[gate]\npublisher-releases = true\n") as server:
        alice, bob, admin = Api(server, "alice"), Api(server, "bob"), Api(server, "admin")
        digest = alice.push("alice/app", "1", held_image("app"))[1]
        alice.call("POST", f"/images/{digest}/decision", {"state": "condemned", "reason": "x"}, status=403)
        robot = Api(server, "alice", server.user("token", "alice", "--scope", "alice/*:pull,push").strip())
        time.sleep(1.1)
        robot.call("POST", f"/images/{digest}/decision", {"state": "released", "reason": "x"}, status=403)
        assert alice.call("POST", f"/images/{digest}/decision", {"state": "released", "reason": "a sample"}, status=200).json()["state"] == "released"
        assert Client(server).get("/v2/alice/app/manifests/1").status == 200
        alice.call("POST", f"/images/{digest}/decision", {"state": "held", "reason": "no, not yet"}, status=200)
        alice.call("POST", f"/images/{digest}/decision", {"state": "released", "reason": "now"}, status=200)
        # What an administrator said stands.
        admin.call("POST", f"/images/{digest}/decision", {"state": "held", "reason": "a real key"}, status=200)
        assert "administrator" in alice.call("POST", f"/images/{digest}/decision", {"state": "released", "reason": "by the publisher: mine"}, status=403).json()["detail"]
        # A state belongs to the digest: one of two publishers does not release for both.
        shared = alice.push("alice/shared", "1", held_image("shared"))[1]
        bob.push("bob/shared", "1", held_image("shared"))
        assert "somebody else" in alice.call("POST", f"/images/{shared}/decision", {"state": "released", "reason": "x"}, status=403).json()["detail"]
        # A condemned image stays so.
        evil = alice.push("alice/evil", "1", evil_image())[1]
        alice.call("POST", f"/images/{evil}/decision", {"state": "released", "reason": "x"}, status=403)


def test_accounts_and_tokens():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice, admin = Api(server, "alice"), Api(server, "admin")
        made = admin.call("POST", "/accounts", {"name": "dora"}, status=201)
        assert made.headers["Location"] == BASE + "/accounts/dora"
        dora = Api(server, "dora", made.json()["password"])
        assert dora.call("GET", "/me", status=200).json() == {"name": "dora", "role": "publisher", "may_delete": True, "limited": False}
        admin.call("POST", "/accounts", {"name": "dora"}, status=409)
        assert "docker.io" in admin.call("POST", "/accounts", {"name": "docker.io"}, status=400).json()["detail"]
        assert admin.call("POST", "/accounts", {"name": "eve", "role": "king"}, status=400).json()["parameter"] == "role"
        alice.call("POST", "/accounts", {"name": "eve"}, status=403)
        assert [account["name"] for account in admin.items("/accounts", limit=2)] == ["admin", "alice", "bob", "carol", "dora"]
        alice.call("GET", "/accounts/dora", status=404)
        assert admin.call("PATCH", "/accounts/dora", {"role": "reader", "disabled": True}, status=200).json()["disabled"] is True
        dora.call("GET", "/me", status=401)
        admin.call("PATCH", "/accounts/dora", {"disabled": False}, status=200)
        for change in ({"role": "publisher"}, {"disabled": True}):
            assert "last administrator" in admin.call("PATCH", "/accounts/admin", change, status=400).json()["detail"]
        assert "last administrator" in admin.call("DELETE", "/accounts/admin", status=400).json()["detail"]
        # Passwords: one's own with the present one.
        assert dora.call("PUT", "/accounts/dora/password", {"password": "another password"}, status=400).json()["parameter"] == "current_password"
        dora.call("PUT", "/accounts/dora/password", {"password": "another password", "current_password": "wrong"}, status=403)
        dora.call("PUT", "/accounts/alice/password", {"password": "another password"}, status=404)
        dora.call("PUT", "/accounts/dora/password", {"password": "another password", "current_password": dora.password}, status=204)
        dora.call("GET", "/me", status=401)
        dora.password = "another password"
        admin.call("PUT", "/accounts/dora/password", {"password": "a third password"}, status=204)
        dora.call("GET", "/me", status=401)
        # Tokens
        token = alice.call("POST", "/tokens", {"scope": "alice/*:pull,push", "label": "ci", "days": 1}, status=201).json()
        robot = Api(server, "alice", token["secret"])
        assert robot.call("GET", "/me", status=200).json()["limited"] is True
        robot.call("POST", "/tokens", {"scope": "alice/*:pull,push"}, status=403)
        robot.call("PUT", "/accounts/alice/password", {"password": "x" * 20, "current_password": token["secret"]}, status=403)
        alice.call("POST", "/tokens", {"account": "bob", "scope": "bob/*:pull"}, status=403)
        assert alice.call("POST", "/tokens", {"scope": "everything"}, status=400).json()["parameter"] == "scope"
        alice.call("POST", "/tokens", {"scope": "alice/*:pull", "days": 1000}, status=400)
        assert [one["id"] for one in alice.items("/tokens")] == [token["id"]] and "secret" not in alice.items("/tokens")[0]
        assert Api(server, "bob").items("/tokens?account=alice") == [] and len(admin.items("/tokens?account=alice")) == 1
        Api(server, "bob").call("DELETE", f"/tokens/{token['id']}", status=404)
        alice.call("DELETE", f"/tokens/{token['id']}", status=204)
        robot.call("GET", "/me", status=401)
        alice.call("DELETE", "/tokens/none", status=404)
        admin.call("DELETE", "/accounts/dora", status=204)
        log = [act["act"] for act in admin.items("/acts")]
        for act in ("account.role", "account.disable", "account.password", "token.add", "token.revoke", "account.remove"):
            assert act in log, log


def test_an_image_is_audited_again():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice, admin = Api(server, "alice"), Api(server, "admin")
        digest = alice.push("alice/app", "1", clean_image())[1]
        before = admin.call("GET", f"/images/{digest}", status=200).json()["verdict"]["at"]
        time.sleep(1.1)
        alice.call("POST", f"/images/{digest}/audit", status=403)
        admin.call("POST", "/images/sha256:" + "0" * 64 + "/audit", status=404)
        admin.call("POST", f"/images/{digest}/audit", status=202)
        for _ in range(100):
            shown = admin.call("GET", f"/images/{digest}", status=200).json()
            assert shown["state"] == "released", "it went away before its new verdict"
            if shown.get("verdict", {}).get("at", before) != before:
                break
            time.sleep(0.1)
        else:
            raise AssertionError("there is no new verdict")
        assert admin.call("POST", "/audits/outdated", status=202).json() == {"queued": 0}


def lazaret(server, *arguments, code=0, **options):
    done = subprocess.run([support.LAZARET, *arguments, *(() if "--server" in arguments else ("--server", f"http://{server.host}")), "--data", server.data], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def test_the_command_line_asks_a_running_server():
    with support.temporary_folder() as folder, Server(folder) as server:
        assert Client(server, "alice").push("alice/app", "1", clean_image())[0].status == 201
        shown = lazaret(server, "status")
        assert ["images", "released", "1"] in [line.split() for line in shown.splitlines()], shown
        status = Api(server, "admin").call("GET", "/status", status=200).json()
        assert status["images"] == {"pending": 0, "released": 1, "held": 0, "condemned": 0}, status
        assert "no administrator" in lazaret(server, "status", "--user", "alice", "--password-file", server.password_file(), code=2)
        assert "wrong" in lazaret(server, "status", "--user", "bob", "--password-file", f"{server.data}/admin-password", code=2)
        assert "https only" in lazaret(server, "status", "--server", "http://registry.example", code=2)
        assert "--password-file" in lazaret(server, "status", "--password-file", f"{folder}/nothing", code=2)
        server.stop()
        assert "start `lazaret serve`" in lazaret(server, "status", code=2)


if __name__ == "__main__":
    support.main(globals())
