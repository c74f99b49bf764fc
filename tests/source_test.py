#!/usr/bin/env python3
"""Tests of the source itself: the folder table of ARCHITECTURE.md, file sizes, and words that must not be there."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# folder -> folders it may include besides itself. What an included folder includes comes with it for its types only.
MAY_INCLUDE = {
    "base": set(),
    "codec": {"base"},
    "format": {"base"},
    "engine": {"base"},
    "detect": {"base", "format", "engine"},
    "audit": {"base", "codec", "format", "engine", "detect"},
    "source": {"base", "codec", "format", "net"},
    # A host is looked at with the sources' readers of stores and the audit's detectors.
    "host": {"base", "format", "engine", "detect", "audit", "source"},
    "report": {"base", "format", "detect", "audit", "host", "intel", "store"},
    "store": {"base"},
    "net": {"base"},
    "intel": {"base", "store", "audit", "detect", "format"},
    "gate": {"base", "audit", "intel", "store", "detect", "format"},
    "registry": {"base", "gate", "net", "source", "format", "store", "audit"},
}
ALL = set(MAY_INCLUDE) | {"server", "cli"}
MAY_INCLUDE["server"] = ALL
MAY_INCLUDE["cli"] = ALL

# Headers of libraries that only one place may see.
WRAPPED = {
    "hs/hs.h": "src/engine/",
    "hs.h": "src/engine/",
    "yara.h": "src/engine/",
    "curl/curl.h": "src/net/",
    "sqlite3.h": "src/base/sqlite.cc",
    "CLI/CLI.hpp": ("src/cli/options.cc", "src/cli/response_options.cc"),
}

problems = []


def problem(path, line, text):
    problems.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def check_file(path):
    folder = path.relative_to(ROOT / "src").parts[0]
    lines = path.read_text(encoding="utf-8").split("\n")
    if folder not in MAY_INCLUDE:
        problem(path, 1, f"folder {folder} is not in the table")
        return
    if path.suffix == ".h" and "#pragma once" not in lines:
        problem(path, 1, "a header needs #pragma once")
    if path.suffix == ".h" and not lines[0].startswith("//"):
        problem(path, 1, "a header begins with a comment that says what it is for")
    limit = 1500 if path.name.endswith("_test.cc") else 1200
    if len(lines) > limit:
        problem(path, len(lines), f"more than {limit} lines: one purpose a file")
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#include [<"]([^">]+)[">]', line)
        if match:
            name = match.group(1)
            if name in WRAPPED and not str(path.relative_to(ROOT)).startswith(WRAPPED[name]) and not path.name.endswith("_test.cc"):
                problem(path, number, f"{name} may only be included in {WRAPPED[name]}")
            target = name.split("/")[0]
            if '"' in line and "/" in name and target in MAY_INCLUDE and target != folder and target not in MAY_INCLUDE[folder]:
                if not (path.name.endswith(("_test.cc", "_test_support.h")) and target in ALL):
                    problem(path, number, f"src/{folder} may not include src/{target}")
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            problem(path, number, "finish it, or write an issue")


def check_text(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r"(^|[\s\"'(=])/(work|home/[a-z]+)/", line) and path.suffix not in {".cc", ".h", ".toml"}:
            problem(path, number, "a path of somebody's machine")


def main():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True)
    files = [ROOT / name for name in listed.stdout.splitlines()] if listed.returncode == 0 else list(ROOT.rglob("*"))
    sources = 0
    for path in files:
        if not path.is_file():
            continue
        if path.suffix in {".cc", ".h"} and "src" in path.relative_to(ROOT).parts[:1]:
            check_file(path)
            sources += 1
        if path.suffix in {".md", ".py", ".sh", ".toml", ".json", ""} and path.stat().st_size < 1 << 20 and path.name != "source_test.py":
            check_text(path)
    for text in problems:
        print(text)
    print(f"{sources} source files, {len(problems)} problems")
    return 1 if problems or sources == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
