#!/usr/bin/env python3
"""Compares lazaret's YARA rules with /usr/bin/yara on the same files, rule by rule.

usage: yara_differential.py PACK.tar.zst [FOLDER...]

The files of each FOLDER are scanned, and files crafted from the rules' own strings so that as many rules as possible fire. The external variables are empty
for both. Exit code 0 when all matches are the same, 77 when something needed is absent. Built before: cmake --build build --target yara_scan yara_craft
"""
import pathlib
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "tests"
VARIABLES = ["filename", "filepath", "extension", "filetype", "owner", "md5"]


def scan_with_yara(compiled, folder):
    command = ["yara", "-C", "-e", "-N", "-r", "-w", "-p", "1"]
    for name in VARIABLES:
        command += ["-d", name + "="]
    began = time.monotonic()
    lines = subprocess.run(command + [compiled, folder], capture_output=True, check=True).stdout.decode("utf-8", "replace").splitlines()
    took = time.monotonic() - began
    matches = set()
    for line in lines:
        rule, path = line.split(" ", 1)
        name_space, name = rule.split(":", 1)
        matches.add((name_space, name, path))
    return matches, took


def scan_with_lazaret(pack, folder):
    began = time.monotonic()
    done = subprocess.run([BUILD / "yara_scan", pack, folder], capture_output=True, check=True)
    took = time.monotonic() - began
    print("  " + done.stderr.decode("utf-8", "replace").strip().replace("\n", "\n  "))
    return {tuple(line.split(" ", 2)) for line in done.stdout.decode("utf-8", "replace").splitlines()}, took


def main():
    if len(sys.argv) < 2 or not pathlib.Path(sys.argv[1]).exists() or not (BUILD / "yara_scan").exists():
        print("skipped: needs a pack of rules (a .tar.zst) and the programs yara_scan and yara_craft")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        pack, crafted = scratch / "pack", scratch / "crafted"
        pack.mkdir()
        crafted.mkdir()
        subprocess.run(["tar", "--zstd", "-C", pack, "-xf", sys.argv[1]], check=True)
        files = sorted(path for path in pack.rglob("*") if path.suffix in (".yar", ".yara"))
        arguments = [f"{path.relative_to(pack)}:{path}" for path in files]
        compile_command = ["yarac", "-w"]
        for name in VARIABLES:
            compile_command += ["-d", name + "="]
        subprocess.run(compile_command + arguments + [scratch / "compiled"], check=True, stderr=subprocess.DEVNULL)
        subprocess.run([BUILD / "yara_craft", pack, crafted], check=True)
        different = 0
        for folder in [str(crafted)] + sys.argv[2:]:
            yara, yara_seconds = scan_with_yara(scratch / "compiled", folder)
            lazaret, lazaret_seconds = scan_with_lazaret(pack, folder)
            print(f"{'crafted files' if folder == str(crafted) else folder}: {len(yara)} matches of {len({m[:2] for m in yara})} rules by yara in "
                  f"{yara_seconds:.1f} s, {len(lazaret)} by lazaret in {lazaret_seconds:.1f} s")
            for match in sorted(yara - lazaret):
                print("  only yara:", *match)
            for match in sorted(lazaret - yara):
                print("  only lazaret:", *match)
            different += len(yara ^ lazaret)
    print("the same" if different == 0 else f"{different} differences")
    return 0 if different == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
