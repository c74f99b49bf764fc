"""What the end-to-end tests share: where the binary is, running it, temporary folders."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
LAZARET = os.environ.get("LAZARET", str(ROOT / "build" / "lazaret"))
SKIP = 77  # ctest: SKIP_RETURN_CODE


def scan(*arguments, check=None, cache=None, env=None):
    """Runs `lazaret scan --format json` and returns (exit code, report or reports, standard error)."""
    command = [LAZARET, "scan", "--format", "json", "--quiet"] + (["--cache-dir", cache] if cache else ["--no-cache"]) + list(arguments)
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, **(env or {})), timeout=600)
    if check is not None and done.returncode != check:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}, not {check}\n{done.stdout[:2000]}\n{done.stderr[:2000]}")
    report = json.loads(done.stdout) if done.stdout.strip() else None
    return done.returncode, report, done.stderr


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


class TemporaryFolder(tempfile.TemporaryDirectory):
    """Also goes when a daemon left mounts in it: dockerd and podman mount their data folders on themselves, and where mounts are private they stay."""

    def cleanup(self):
        mounted = [line.split()[4] for line in open("/proc/self/mountinfo")]
        for place in sorted((place for place in mounted if place.startswith(self.name + "/")), key=len, reverse=True):
            subprocess.run(["umount", "-l", place], capture_output=True)
        super().cleanup()


def temporary_folder():
    return TemporaryFolder(prefix="lazaret-test-")


def facts(report):
    """What must be equal wherever the same image comes from: what was found, where, and how sure.

    Findings in the documents around the image (manifests, docker save's legacy JSON) are left out: each form has its own.
    """
    return sorted((f["rule"], f["location"]["layer"], f["location"]["path"], f["location"]["offset"], tuple(f["location"]["nested"]), f["evidence"], f["severity"],
                   f["weight"]) for f in report["findings"] if f["location"]["layer"] or f["location"]["path"].startswith(("config.", "history")))


def main(tests):
    """Runs every function of the module whose name begins with test_."""
    failed = 0
    for name, test in list(tests.items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print(f"ok      {name}")
        except AssertionError as error:
            failed += 1
            print(f"FAILED  {name}: {error}")
    print(f"{failed} failed")
    sys.exit(1 if failed else 0)
