#!/usr/bin/env python3
"""The panel: one image for each popular service and package of Debian, audited with the default policy. None may be malicious.

usage: bench/panel.py [--folder FOLDER] [--markdown FILE] [NAME...]

Each image is what "FROM debian; RUN apt-get install NAME" gives: a base layer of mmdebstrap and, above it, what apt-get changed. Names and what
starts in them stand in bench/panel.txt. Needs root (overlayfs, chroot) and a Debian mirror; what was built is kept and used again.
"""
import argparse
import hashlib
import io
import json
import os
import pathlib
import shlex
import stat
import subprocess
import sys
import tarfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAZARET = pathlib.Path(os.environ.get("LAZARET", ROOT / "build" / "lazaret"))


def panel():
    """(packages, command) by name, from panel.txt: name [= package...] [: command...]"""
    images = {}
    for line in (ROOT / "bench" / "panel.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        names, _, command = line.partition(":")
        name, _, packages = names.partition("=")
        images[name.strip()] = (packages.split() or [name.strip()], shlex.split(command) or ["bash"])
    return images


def put(folder, data):
    digest = hashlib.sha256(data).hexdigest()
    path = folder / "blobs" / "sha256" / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(data)
    return "sha256:" + digest, len(data)


def tar_of(folder):
    """A layer of a folder; overlayfs's marks of deletion become whiteouts (image-spec, layer.md)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for parent, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(folders + files):
                path = os.path.join(parent, name)
                inside = os.path.relpath(path, folder)
                status = os.lstat(path)
                if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                    tar.addfile(tarfile.TarInfo(os.path.join(os.path.dirname(inside), ".wh." + name)))
                elif not stat.S_ISSOCK(status.st_mode):
                    tar.add(path, arcname=inside, recursive=False)
    return out.getvalue()


def layer_of(folder, out):
    data = tar_of(folder)
    packed = subprocess.run(["gzip", "-1", "-n"], input=data, capture_output=True, check=True).stdout
    digest, size = put(out, packed)
    return {"digest": digest, "size": size, "diff_id": "sha256:" + hashlib.sha256(data).hexdigest()}


def build_base(folder):
    base = folder / "base"
    if not (folder / "base.json").exists():
        subprocess.run(["rm", "-rf", base], check=True)
        subprocess.run(["mmdebstrap", "--variant=minbase", "--mode=root", "--include=ca-certificates", "bookworm", str(base)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["chroot", base, "apt-get", "-qq", "update"], check=True)
        (folder / "base.json").write_text(json.dumps(layer_of(base, folder)))
    return json.loads((folder / "base.json").read_text())


def install(folder, name, packages):
    """The layer that installing the packages makes, or why there is none."""
    kept = folder / f"{name}.layer.json"
    if kept.exists():
        return json.loads(kept.read_text()), ""
    memory, merged, debs = (folder / part for part in ("memory", "merged", "debs"))
    top, work = memory / "upper", memory / "work"
    memory.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", memory], check=True)  # dpkg waits for the disk after every file
    for part in (top, work, merged, debs):
        part.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={folder}/base,upperdir={top},workdir={work}", merged], check=True)
    archives = merged / "var/cache/apt/archives"
    try:
        subprocess.run(["mount", "--bind", debs, archives], check=True)
        subprocess.run(["mount", "-t", "proc", "proc", merged / "proc"], check=True)  # the setting up of Java and GHC reads it
        (merged / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (merged / "usr/sbin/policy-rc.d").chmod(0o755)
        done = subprocess.run(["chroot", merged, "apt-get", "-qq", "-y", "--no-install-recommends", "-o", "APT::Keep-Downloaded-Packages=true",
                               "-o", "Dpkg::Options::=--force-unsafe-io", "install", *packages],
                              env={"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        (merged / "usr/sbin/policy-rc.d").unlink()
    finally:
        subprocess.run(["umount", "-q", merged / "proc"], check=False)
        subprocess.run(["umount", "-q", archives], check=False)
        subprocess.run(["umount", merged], check=False)
    try:
        if done.returncode != 0:
            return None, " ".join(done.stderr.split())[-200:]
        layer = layer_of(top, folder)
    finally:
        subprocess.run(["umount", memory], check=False)
    kept.write_text(json.dumps(layer))
    return layer, ""


def audit(folder, name, layers, command):
    config, config_size = put(folder, json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": command, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["diff_id"] for layer in layers]},
        "history": [{"created_by": "mmdebstrap"}, {"created_by": "apt-get install " + name}]}).encode())
    manifest, size = put(folder, json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer["digest"], "size": layer["size"]}
                   for layer in layers]}).encode())
    # A layout of its own, so that the other images' blobs are not "unreferenced" in this one.
    image = folder / "images" / name
    blobs = image / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for digest in [config, manifest] + [layer["digest"] for layer in layers]:
        target = blobs / digest[7:]
        if not target.exists():
            os.link(folder / "blobs" / "sha256" / digest[7:], target)
    (image / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (image / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest, "size": size}]}))
    done = subprocess.run([LAZARET, "scan", "-q", "--format", "json", "--cache-dir", folder / "cache", f"oci:{image}"], capture_output=True, text=True)
    if done.returncode == 2:
        return None, done.stderr.strip()
    return json.loads(done.stdout), ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "out" / "panel")
    parser.add_argument("--markdown", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    folder = options.folder.resolve()
    images = panel()
    for name in options.names:
        if name not in images:
            sys.exit(f"{name} is not in bench/panel.txt")
    base = build_base(folder)
    rows, bad = [], 0
    for name in options.names or images:
        packages, command = images[name]
        begin = time.monotonic()
        layer, why = install(folder, name, packages)
        report = None
        if layer is not None:
            report, why = audit(folder, name, [base, layer], command)
        if report is None:
            print(f"{name:24} not audited: {why}", flush=True)
            bad += 1
            continue
        weighty = sorted({(finding.get("weight", 0), finding["rule"], finding["location"]["path"]) for finding in report["findings"]
                          if finding.get("weight", 0) >= 10}, reverse=True)
        print(f"{name:24} {report['verdict']:11} {report['score']:3}  {time.monotonic() - begin:5.1f} s  "
              + ", ".join(f"{rule} {path} ({weight})" for weight, rule, path in weighty[:3])
              + "".join(f" incomplete: {part['path']}: {part['reason']}" for part in report["coverage"]["incomplete"][:3]), flush=True)
        rows.append((name, report, weighty))
        bad += report["verdict"] == "malicious"
    counts = {}
    for _, report, _ in rows:
        counts[report["verdict"]] = counts.get(report["verdict"], 0) + 1
    print(f"{len(rows)} images: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    if options.markdown:
        with open(options.markdown, "w") as out:
            out.write("| image | verdict | score | findings with a weight of 10 or more |\n|---|---|---|---|\n")
            for name, report, weighty in rows:
                out.write(f"| {name} | {report['verdict']} | {report['score']} | "
                          + "; ".join(f"`{rule}` {path}" for _, rule, path in weighty[:3]) + " |\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
