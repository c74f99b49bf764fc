"""crane, regctl, oras, cosign, notation and distribution 3 against `lazaret serve`: push, pull, copy, delete, referrers, signatures."""
import contextlib
import json
import os
import subprocess
import time

from interop_support import PASSWORD, TOOLS, Server, Tools, support  # first: it sets the path
import images
from serve_support import Client, clean_image, evil_image, free_port, index_of


@contextlib.contextmanager
def lazaret(config=""):
    with support.temporary_folder() as folder, Server(folder, config) as server:
        tools = Tools(folder, server)
        tools.run("crane", "auth", "login", server.host, "-u", "alice", "-p", PASSWORD)
        images.write_layout(f"{folder}/clean", {"v1": clean_image("one")})
        images.write_layout(f"{folder}/evil", {"v1": evil_image()})
        yield server, tools, f"{server.host}/alice"


@contextlib.contextmanager
def distribution(folder, proxy=None):
    """distribution 3 as a peer, or as a mirror of another registry."""
    port = free_port()
    os.makedirs(f"{folder}/distribution", exist_ok=True)
    config = {"version": "0.1", "log": {"level": "error"}, "storage": {"filesystem": {"rootdirectory": f"{folder}/distribution/data"}, "delete": {"enabled": True}},
              "http": {"addr": f"127.0.0.1:{port}"}}
    if proxy:
        config["proxy"] = {"remoteurl": f"http://{proxy}"}
    with open(f"{folder}/distribution/config.yml", "w") as out:
        json.dump(config, out)
    with open(f"{folder}/distribution/log", "w") as log:
        process = subprocess.Popen([f"{TOOLS}/registry", "serve", f"{folder}/distribution/config.yml"], stdout=log, stderr=log, env=dict(os.environ, OTEL_TRACES_EXPORTER="none"))
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                import http.client
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/v2/")
                connection.getresponse()
                break
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def digest_of(layout):
    with open(f"{layout}/index.json") as index:
        return json.load(index)["manifests"][0]["digest"]


# --- crane

def test_crane_pushes_pulls_copies_lists_and_deletes():
    with lazaret() as (server, tools, alice):
        assert digest_of(f"{tools.folder}/clean") in tools.run("crane", "push", "clean", f"{alice}/app:v1")
        digest = tools.run("crane", "digest", f"{alice}/app:v1").strip()
        assert digest == digest_of(f"{tools.folder}/clean")
        tools.run("crane", "validate", "--remote", f"{alice}/app:v1")
        tools.run("crane", "pull", "--format=oci", f"{alice}/app:v1", "back")
        assert digest_of(f"{tools.folder}/back") == digest
        tools.run("crane", "copy", f"{alice}/app:v1", f"{alice}/copy:v2")
        tools.run("crane", "tag", f"{alice}/copy:v2", "v3")
        assert tools.run("crane", "ls", f"{alice}/copy").split() == ["v2", "v3"]
        assert "alice/copy" in tools.run("crane", "catalog", server.host).split()
        tools.run("crane", "append", "-b", f"{alice}/app:v1", "-t", f"{alice}/more:v1", "-f", layer_file(tools))
        assert json.loads(tools.run("crane", "manifest", f"{alice}/more:v1"))["layers"][2:]
        assert "etc/more" in subprocess.run(["tar", "-tf", "-"], input=subprocess.run([f"{TOOLS}/crane", "export", f"{alice}/more:v1", "-"], capture_output=True, check=True,
                                                                                      env=tools.environment).stdout, capture_output=True).stdout.decode()
        tools.run("crane", "delete", f"{alice}/copy@{digest}")
        assert Client(server).get(f"/v2/alice/copy/manifests/{digest}").status == 404
        assert Client(server).get(f"/v2/alice/app/manifests/{digest}").status == 200


def layer_file(tools):
    with open(f"{tools.folder}/more.tar", "wb") as out:
        out.write(images.layer(images.File("etc/more", "more\n")))
    return f"{tools.folder}/more.tar"


def test_crane_shows_the_publisher_why_an_image_is_refused():
    with lazaret() as (server, tools, alice):
        text = tools.refused("crane", "push", "evil", f"{alice}/evil:v1")
        assert "DENIED" in text and "/dev/tcp" in text, text
        assert Client(server).get("/v2/alice/evil/manifests/v1").status == 404


# --- regctl

def test_regctl_copies_indexes_with_referrers_and_deletes():
    with lazaret() as (server, tools, alice):
        tools.run("regctl", "registry", "set", server.host, "--tls", "disabled")
        tools.run("regctl", "registry", "login", server.host, "-u", "alice", "--pass-stdin", input=PASSWORD)
        tools.run("regctl", "image", "copy", "ocidir://clean:v1", f"{alice}/app:v1")
        digest = tools.run("regctl", "image", "digest", f"{alice}/app:v1").strip()
        assert digest == digest_of(f"{tools.folder}/clean")
        tools.run("regctl", "index", "create", f"{alice}/app:all", "--ref", f"{alice}/app:v1", "--platform", "linux/amd64")
        tools.run("regctl", "artifact", "put", "--subject", f"{alice}/app:v1", "--artifact-type", "application/vnd.example.note", "-m", "text/plain", input="a note\n")
        listed = json.loads(tools.run("regctl", "artifact", "list", f"{alice}/app:v1", "--format", "{{json .}}"))
        descriptors = listed.get("descriptors") or listed["Descriptors"]
        assert [one["artifactType"] for one in descriptors] == ["application/vnd.example.note"], listed
        assert tools.run("regctl", "artifact", "get", "--subject", f"{alice}/app:v1", "--filter-artifact-type", "application/vnd.example.note") == "a note\n"
        tools.run("regctl", "image", "copy", "--referrers", "--digest-tags", f"{alice}/app:all", f"{alice}/copy:all")
        tools.run("regctl", "image", "copy", "--referrers", f"{alice}/app:v1", "ocidir://with-notes:v1")
        assert tools.run("regctl", "tag", "ls", f"{alice}/copy").split() == ["all"]
        tools.run("regctl", "blob", "head", f"{alice}/app", json.loads(tools.run("regctl", "manifest", "get", "--format", "raw-body", f"{alice}/app:v1"))["layers"][0]["digest"])
        # A tag is deleted without what it names.
        tools.run("regctl", "tag", "delete", f"{alice}/copy:all")
        assert Client(server).get("/v2/alice/copy/manifests/all").status == 404
        tools.run("regctl", "manifest", "delete", "--referrers", f"{alice}/app@{digest}")
        assert Client(server).get(f"/v2/alice/app/manifests/{digest}").status == 404


# --- oras

def test_oras_pushes_attaches_discovers_copies_and_deletes():
    with lazaret() as (server, tools, alice):
        plain = "--plain-http"
        with open(f"{tools.folder}/note.txt", "w") as out:
            out.write("a note\n")
        tools.run("crane", "push", "clean", f"{alice}/app:v1")
        tools.run("oras", "push", plain, f"{alice}/files:v1", "--artifact-type", "application/vnd.example.files", "note.txt:text/plain")
        tools.run("oras", "attach", plain, f"{alice}/app:v1", "--artifact-type", "application/vnd.example.sbom", "note.txt:text/plain", "--annotation", "org.example=x")
        tools.run("oras", "attach", plain, f"{alice}/app:v1", "--artifact-type", "application/vnd.example.other", "note.txt:text/plain")
        found = json.loads(tools.run("oras", "discover", plain, "--format", "json", f"{alice}/app:v1"))
        kinds = sorted(one["artifactType"] for one in found.get("referrers") or found["manifests"])
        assert kinds == ["application/vnd.example.other", "application/vnd.example.sbom"], found
        found = json.loads(tools.run("oras", "discover", plain, "--format", "json", "--artifact-type", "application/vnd.example.sbom", f"{alice}/app:v1"))
        assert [one["annotations"]["org.example"] for one in found.get("referrers") or found["manifests"]] == ["x"], found
        tools.run("oras", "cp", "-r", "--from-plain-http", "--to-plain-http", f"{alice}/app:v1", f"{alice}/copy:v1")
        found = json.loads(tools.run("oras", "discover", plain, "--format", "json", f"{alice}/copy:v1"))
        assert len(found.get("referrers") or found["manifests"]) == 2, found
        os.remove(f"{tools.folder}/note.txt")
        tools.run("oras", "pull", plain, f"{alice}/files:v1")
        with open(f"{tools.folder}/note.txt") as note:
            assert note.read() == "a note\n"
        assert tools.run("oras", "repo", "tags", plain, f"{alice}/copy").split() == ["v1"]
        assert "alice/files" in tools.run("oras", "repo", "ls", plain, server.host).split()
        with open(f"{tools.folder}/blob", "w") as out:
            out.write("blob\n")
        tools.run("oras", "blob", "push", plain, f"{alice}/files", "blob")
        tools.run("oras", "blob", "delete", plain, "--force", f"{alice}/files@{images.digest(b'blob' + bytes([10]))}")
        tools.run("oras", "manifest", "delete", plain, "--force", f"{alice}/files:v1")
        assert Client(server).get("/v2/alice/files/manifests/v1").status == 404


# --- signatures

def test_cosign_signs_and_verifies_with_a_key():
    with lazaret() as (server, tools, alice):
        tools.run("crane", "push", "clean", f"{alice}/app:v1")
        digest = digest_of(f"{tools.folder}/clean")
        tools.run("cosign", "generate-key-pair")
        for mode in ("legacy", "oci-1-1"):
            sign = ["cosign", "sign", "-y", "--key", "cosign.key", "--tlog-upload=false", "--allow-http-registry", f"--registry-referrers-mode={mode}", f"{alice}/app@{digest}"]
            tools.run(*sign, COSIGN_EXPERIMENTAL="1")
        verify = ["cosign", "verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--allow-http-registry"]
        assert digest in tools.run(*verify, f"{alice}/app:v1")
        assert digest in tools.run(*verify, "--experimental-oci11", f"{alice}/app:v1", COSIGN_EXPERIMENTAL="1")
        with open(f"{tools.folder}/predicate.json", "w") as out:
            json.dump({"who": "nobody"}, out)
        tools.run("cosign", "attest", "-y", "--key", "cosign.key", "--tlog-upload=false", "--allow-http-registry", "--type", "custom", "--predicate", "predicate.json", f"{alice}/app@{digest}")
        tools.run("cosign", "verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--allow-http-registry", "--type", "custom", f"{alice}/app:v1")
        tools.run("crane", "push", "clean", f"{alice}/unsigned:v1")
        assert "no signatures" in tools.refused(*verify, f"{alice}/unsigned:v1")
        tools.run("cosign", "copy", "--allow-http-registry", f"{alice}/app:v1", f"{alice}/moved:v1")
        assert digest in tools.run(*verify, f"{alice}/moved:v1")


def test_notation_signs_lists_and_verifies():
    with lazaret() as (server, tools, alice):
        tools.run("crane", "push", "clean", f"{alice}/app:v1")
        digest = digest_of(f"{tools.folder}/clean")
        login = {"NOTATION_USERNAME": "alice", "NOTATION_PASSWORD": PASSWORD}
        tools.run("notation", "cert", "generate-test", "--default", "lazaret.example")
        os.makedirs(f"{tools.folder}/config/notation", exist_ok=True)
        with open(f"{tools.folder}/config/notation/trustpolicy.json", "w") as out:
            json.dump({"version": "1.0", "trustPolicies": [{"name": "all", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
                                                            "trustStores": ["ca:lazaret.example"], "trustedIdentities": ["*"]}]}, out)
        for scheme in ("", "--force-referrers-tag=false"):
            tools.run("notation", "sign", "--insecure-registry", *filter(None, [scheme]), f"{alice}/app@{digest}", **login)
        assert "sha256:" in tools.run("notation", "list", "--insecure-registry", f"{alice}/app@{digest}", **login)
        assert "Successfully verified" in tools.run("notation", "verify", "--insecure-registry", f"{alice}/app@{digest}", **login)
        # The image's bytes under another key are not signed.
        tools.run("notation", "cert", "delete", "--type", "ca", "--store", "lazaret.example", "-y", "--all")
        tools.refused("notation", "verify", "--insecure-registry", f"{alice}/app@{digest}", **login)


# --- distribution 3

def test_images_go_from_distribution_to_lazaret_and_back():
    with lazaret() as (server, tools, alice), distribution(tools.folder) as peer:
        for number in range(3):
            images.write_layout(f"{tools.folder}/n{number}", {"v1": clean_image(f"n{number}")})
            tools.run("crane", "push", f"n{number}", f"{peer}/app:v{number}")
        tools.run("crane", "copy", "--all-tags", f"{peer}/app", f"{alice}/app")
        assert tools.run("crane", "ls", f"{alice}/app").split() == ["v0", "v1", "v2"]
        tools.run("regctl", "registry", "set", server.host, "--tls", "disabled")
        tools.run("regctl", "registry", "set", peer, "--tls", "disabled")
        tools.run("regctl", "image", "copy", f"{alice}/app:v1", f"{peer}/back:v1")
        assert tools.run("crane", "digest", f"{peer}/back:v1") == tools.run("crane", "digest", f"{alice}/app:v1")
        tools.run("crane", "push", "evil", f"{peer}/evil:v1")
        assert "/dev/tcp" in tools.refused("crane", "copy", f"{peer}/evil:v1", f"{alice}/evil:v1")


def test_distribution_mirrors_lazaret():
    with lazaret() as (server, tools, alice):
        tools.run("crane", "push", "clean", f"{alice}/app:v1")
        with distribution(tools.folder, proxy=server.host) as mirror:
            tools.run("crane", "pull", "--format=oci", f"{mirror}/alice/app:v1", "mirrored")
            assert digest_of(f"{tools.folder}/mirrored") == digest_of(f"{tools.folder}/clean")
            tools.run("crane", "validate", "--remote", f"{mirror}/alice/app:v1")


if __name__ == "__main__":
    support.main(globals())
