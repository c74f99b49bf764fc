"""The REST API of `lazaret serve`: its description, who may do what, errors, lists."""
import subprocess
import time

import support  # first: it sets the path
from api_support import BASE, OPENAPI, Api, plain, resolve
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
