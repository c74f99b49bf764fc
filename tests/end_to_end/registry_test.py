"""`lazaret serve` and the programs that people use: skopeo, podman, buildah, docker, containerd's ctr, umoci."""
import os
import shutil
import subprocess
import sys

import support  # first: it sets the path
import images
from engine_support import cannot, containerd, docker_daemon
from serve_support import INDEX, PASSWORD, Client, Server, clean_image, evil_image, index_of

if shutil.which("skopeo") is None:
    print("skipped: skopeo is not installed")
    sys.exit(support.SKIP)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def skopeo(*arguments):
    return run("skopeo", "--insecure-policy", *arguments)


def layout(folder, **samples):
    images.write_layout(f"{folder}/oci", samples)
    return f"oci:{folder}/oci"


def test_a_clean_image_is_pulled_right_after_the_push():
    with support.temporary_folder() as folder, Server(folder) as server:
        source = layout(folder, clean=clean_image())
        done = skopeo("copy", "--dest-tls-verify=false", "--dest-creds", f"alice:{PASSWORD}", f"{source}:clean", f"docker://{server.host}/alice/clean:1")
        assert done.returncode == 0, done.stderr
        done = skopeo("copy", "--src-tls-verify=false", f"docker://{server.host}/alice/clean:1", f"oci:{folder}/back:clean")
        assert done.returncode == 0, done.stderr
        _, report, _ = support.scan(f"oci:{folder}/back", check=0)
        assert report["verdict"] == "clean"


def test_the_publisher_of_a_bad_image_reads_why_and_nobody_gets_it():
    with support.temporary_folder() as folder, Server(folder) as server:
        source = layout(folder, evil=evil_image())
        done = skopeo("copy", "--dest-tls-verify=false", "--dest-creds", f"alice:{PASSWORD}", f"{source}:evil", f"docker://{server.host}/alice/evil:1")
        assert done.returncode != 0 and "/dev/tcp" in done.stderr and "/api/v1/reports/sha256:" in done.stderr, done.stderr
        for credentials in ((), ("--creds", f"bob:{PASSWORD}"), ("--creds", f"alice:{PASSWORD}"), ("--creds", f"admin:{server.admin_password()}")):
            done = skopeo("inspect", "--tls-verify=false", *credentials, f"docker://{server.host}/alice/evil:1")
            assert done.returncode != 0, done.stdout
        document, blobs = evil_image().manifest()
        digest = images.digest(document)
        bad_layer = list(blobs)[-1]
        for user in (None, "bob", "alice", "admin"):
            client = Client(server, user)
            for path in (f"manifests/1", f"manifests/{digest}", f"blobs/{bad_layer}", f"blobs/{digest}"):
                for method in ("GET", "HEAD"):
                    assert client.request(method, f"/v2/alice/evil/{path}").status in (403, 404), (user, path)
            if user not in (None,):
                target = "alice" if user == "admin" else user
                assert client.request("POST", f"/v2/{target}/other/blobs/uploads/?mount={bad_layer}&from=alice/evil").status == 202
        # Strangers are told nothing of it.
        assert Client(server, "bob").get("/v2/alice/evil/manifests/1").code() == "MANIFEST_UNKNOWN"
        assert Client(server).get("/v2/alice/evil/tags/list").code() == "NAME_UNKNOWN"


def check(*command, **options):
    done = run(*command, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_skopeo_deletes_and_copies_indexes_and_lists_tags():
    with support.temporary_folder() as folder, Server(folder) as server:
        alice = Client(server, "alice")
        documents = []
        for architecture in ("amd64", "arm64"):
            image = images.Image(clean_image(architecture).layers, cmd=["/bin/true"], architecture=architecture)
            answer, _, _ = alice.push("alice/multi", architecture, image)
            assert answer.status == 201, answer
            documents.append(image.manifest()[0])
        assert alice.put_manifest("alice/multi", "all", index_of(*documents), INDEX).status == 201
        target, credentials = f"docker://{server.host}/alice/multi", ("--tls-verify=false", "--creds", f"alice:{PASSWORD}")
        done = skopeo("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", f"alice:{PASSWORD}", f"{target}:all", f"docker://{server.host}/alice/copy:all")
        assert done.returncode == 0, done.stderr
        assert alice.get("/v2/alice/copy/manifests/all").body == index_of(*documents)
        assert '"amd64"' in check("skopeo", "list-tags", "--tls-verify=false", target)
        check("skopeo", "delete", *credentials, f"{target}:amd64")
        assert '"amd64"' not in check("skopeo", "list-tags", "--tls-verify=false", target)


def test_podman_and_buildah():
    if cannot("podman", "buildah"):
        return
    with support.temporary_folder() as folder, Server(folder) as server:
        images.write_docker_archive(f"{folder}/images.tar", {"test/clean:1": clean_image(), "test/evil:1": evil_image()})
        store = ["--root", f"{folder}/store", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
        podman, environment = ["podman", *store], dict(os.environ, REGISTRY_AUTH_FILE=f"{folder}/auth.json")
        check(*podman, "load", "-q", "-i", f"{folder}/images.tar")
        check(*podman, "login", "--tls-verify=false", "-u", "alice", "-p", PASSWORD, server.host, env=environment)
        check(*podman, "push", "--tls-verify=false", "test/clean:1", f"{server.host}/alice/clean:1", env=environment)
        done = run(*podman, "push", "--tls-verify=false", "test/evil:1", f"{server.host}/alice/evil:1", env=environment)
        assert done.returncode != 0 and "/dev/tcp" in done.stderr, done.stderr
        check(*podman, "rmi", "--all", "--force")
        check(*podman, "pull", "-q", "--tls-verify=false", f"{server.host}/alice/clean:1", env=environment)
        assert run(*podman, "pull", "-q", "--tls-verify=false", f"{server.host}/alice/evil:1", env=environment).returncode != 0
        buildah = ["buildah", *store]
        with open(f"{folder}/Containerfile", "w") as out:
            out.write(f"FROM {server.host}/alice/clean:1\nCOPY images.txt /images.txt\n")
        with open(f"{folder}/images.txt", "w") as out:
            out.write("built\n")
        check(*buildah, "bud", "--tls-verify=false", "-q", "-t", "built", "-f", f"{folder}/Containerfile", folder, env=environment)
        check(*buildah, "push", "-q", "--tls-verify=false", "built", f"docker://{server.host}/alice/built:1", env=environment)
        assert Client(server).get("/v2/alice/built/manifests/1").status == 200


def test_docker():
    if cannot("dockerd", "docker"):
        return
    with support.temporary_folder() as folder, Server(folder) as server:
        images.write_docker_archive(f"{folder}/images.tar", {"test/clean:1": clean_image(), "test/evil:1": evil_image()})
        with docker_daemon(folder, client=("docker", "--config", f"{folder}/config")) as docker:
            if docker is None:
                print("skipped: dockerd does not start here")
                return
            check(*docker, "load", "-i", f"{folder}/images.tar")
            check(*docker, "login", "-u", "alice", "-p", PASSWORD, server.host)
            for name in ("clean", "evil"):
                check(*docker, "tag", f"test/{name}:1", f"{server.host}/alice/{name}:1")
            check(*docker, "push", f"{server.host}/alice/clean:1")
            done = run(*docker, "push", f"{server.host}/alice/evil:1")
            assert done.returncode != 0 and "/dev/tcp" in done.stdout + done.stderr, done.stdout + done.stderr
            # The layer is there: pushed again under another name it is mounted.
            check(*docker, "tag", "test/clean:1", f"{server.host}/alice/second:1")
            check(*docker, "push", f"{server.host}/alice/second:1")
            check(*docker, "rmi", "-f", f"{server.host}/alice/clean:1", f"{server.host}/alice/second:1", "test/clean:1", f"{server.host}/alice/evil:1", "test/evil:1")
            check(*docker, "pull", f"{server.host}/alice/clean:1")
            done = run(*docker, "pull", f"{server.host}/alice/evil:1")
            # docker asks for a token that may pull and no more: with that even the publisher is a stranger.
            assert done.returncode != 0 and ("condemned" in done.stderr or "manifest unknown" in done.stderr), done.stderr
            assert run(*docker, "login", "-u", "alice", "-p", "wrong", server.host).returncode != 0


def test_ctr():
    if cannot("containerd", "ctr"):
        return
    with support.temporary_folder() as folder, Server(folder) as server:
        alice = Client(server, "alice")
        assert alice.push("alice/clean", "1", clean_image())[0].status == 201
        assert alice.push("alice/evil", "1", evil_image())[0].status == 403
        with containerd(folder) as (ctr, _):
            if ctr is None:
                print("skipped: containerd does not start here")
                return
            check(*ctr, "content", "fetch", "--plain-http", f"{server.host}/alice/clean:1")
            check(*ctr, "images", "tag", f"{server.host}/alice/clean:1", f"{server.host}/alice/again:1")
            check(*ctr, "images", "push", "--plain-http", "--user", f"alice:{PASSWORD}", f"{server.host}/alice/again:1")
            assert Client(server).get("/v2/alice/again/manifests/1").status == 200
            for user in ((), ("--user", f"alice:{PASSWORD}")):
                done = run(*ctr, "content", "fetch", "--plain-http", *user, f"{server.host}/alice/evil:1")
                assert done.returncode != 0, done.stdout


def test_umoci():
    if cannot("umoci"):
        return
    with support.temporary_folder() as folder, Server(folder) as server:
        check("umoci", "init", "--layout", f"{folder}/made")
        check("umoci", "new", "--image", f"{folder}/made:1")
        with open(f"{folder}/file", "w") as out:
            out.write("made by umoci\n")
        check("umoci", "insert", "--image", f"{folder}/made:1", f"{folder}/file", "/file")
        done = skopeo("copy", "--dest-tls-verify=false", "--dest-creds", f"alice:{PASSWORD}", f"oci:{folder}/made:1", f"docker://{server.host}/alice/made:1")
        assert done.returncode == 0, done.stderr
        assert Client(server).get("/v2/alice/made/manifests/1").status == 200


if __name__ == "__main__":
    support.main(globals())
