"""`lazaret serve` and the programs that people use: skopeo, podman, buildah."""
import shutil
import subprocess
import sys

import support  # first: it sets the path
import images
from serve_support import PASSWORD, Client, Server, clean_image, evil_image

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


if __name__ == "__main__":
    support.main(globals())
