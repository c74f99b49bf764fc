"""A small inert "miner" in every wrapping that miners come in: found, with the path to it, or incomplete with an obfuscation finding, never clean.

The program has a miner's constants and words and does nothing; it is compiled and packed here and never run.
"""
import base64
import gzip
import hashlib
import io
import os
import pathlib
import shutil
import struct
import sys
import zipfile

import support  # first: it sets the path
import images

SOURCE = r"""
#include <stdint.h>
static const volatile uint32_t keys[][4] = {
  {0x6daca553, 0x62716609, 0xdbb5552b, 0xb4f44917}, {0x6d7caf07, 0x846a710d, 0x1725d378, 0x0da1dc4e},
  {0x3f1262f1, 0x9f947ec6, 0xf4c0794f, 0x3e20e345}, {0x6aef8135, 0xb1ba317c, 0x16314c88, 0x49169154}};
static const char *volatile words = "stratum+tcp://pool.example:3333 {\"method\":\"login\"} keepalived rig-id nicehash";
int main(int argc, char **argv) { (void)argv; return argc > 99 ? (int)keys[argc & 3][argc & 3] + words[argc] : 0; }
"""
INERT = "int main(void) { return 0; }"
PACKED = pathlib.Path(support.ROOT) / "tests" / "fuzz" / "upx_fuzz"  # such a program, packed by UPX 4.2.2


def compiled(source, *options):
    with support.temporary_folder() as folder:
        path = os.path.join(folder, "a.c")
        open(path, "w").write(source)
        support.run("gcc", "-O2", "-s", *options, "-o", os.path.join(folder, "a"), path)
        support.run("strip", "--strip-all", os.path.join(folder, "a"))
        return open(os.path.join(folder, "a"), "rb").read()


MINER = compiled(SOURCE)


def scan_file(content, path="opt/app/nginx", mode=0o755, more=()):
    with support.temporary_folder() as folder:
        images.write_layout(folder, {"latest": images.Image([images.layer(images.File(path, content, mode=mode), *more)])})
        return support.scan(f"oci:{folder}")[1]


def scan_files(contents):
    """Scans one image with all of them, by name; what was found and what is incomplete, by name."""
    with support.temporary_folder() as folder:
        files = [images.File(f"opt/{i}", content, mode=0o755) for i, content in enumerate(contents.values())]
        images.write_layout(folder, {"latest": images.Image([images.layer(*files)])})
        report = support.scan(f"oci:{folder}")[1]
    result = {}
    for i, name in enumerate(contents):
        result[name] = {"verdict": report["verdict"], "findings": [f for f in report["findings"] if f["location"]["path"] == f"/opt/{i}"],
                        "coverage": {"incomplete": [part for part in report["coverage"]["incomplete"] if part["path"].split(" ")[0] == f"/opt/{i}"]}}
    return result


def expect_miner(report, nested, chain=()):
    found = [f for f in report["findings"] if f["rule"] == "miner.program"]
    assert report["verdict"] == "malicious", (report["verdict"], [f["rule"] for f in report["findings"]])
    assert any(f["location"]["nested"] == list(nested) and all(step in f["chain"] for step in chain) for f in found), [
        (f["location"]["nested"], f["chain"]) for f in found]


def expect_found_or_incomplete(report):
    rules = {f["rule"] for f in report["findings"]}
    obfuscated = any(rule.startswith("obfuscation.") for rule in rules)
    assert "miner.program" in rules or (report["coverage"]["incomplete"] and obfuscated), (report["verdict"], rules)
    assert report["verdict"] != "clean"


def test_stripped_and_renamed():
    expect_miner(scan_file(MINER), [])
    expect_miner(scan_file(compiled(SOURCE, "-static")), [])


def test_compressed():
    expect_miner(scan_file(gzip.compress(MINER), "opt/app/data.gz"), ["data"])
    expect_miner(scan_file(gzip.compress(MINER), "opt/app/logo.png"), ["content"])


def test_base64_in_a_script():
    script = "#!/bin/sh\ntail -n +4 \"$0\" | base64 -d > /tmp/.x && chmod +x /tmp/.x && /tmp/.x\nexit\n" + base64.encodebytes(MINER).decode()
    expect_miner(scan_file(script.encode(), "run.sh"), [], ["base64"])
    script = "#!/bin/sh\necho " + base64.b64encode(gzip.compress(MINER)).decode() + " | base64 -d | gunzip > /tmp/.x; /tmp/.x\n"
    found = scan_file(script.encode(), "run.sh")
    expect_miner(found, ["content"], ["base64"])


def test_behind_a_script():
    expect_miner(scan_file(b"#!/bin/sh\ntail -c +60 \"$0\" > /tmp/.x\nexit\n" + MINER, "run.sh"), ["elf@42"])


def test_in_a_zip():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/README", "hello")
        archive.writestr("a/bin/tool", MINER)
    expect_miner(scan_file(out.getvalue(), "opt/a.zip"), ["a/bin/tool"])


def test_in_a_debian_package():
    with support.temporary_folder() as folder:
        root = pathlib.Path(folder, "root")
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN" / "control").write_text("Package: tool\nVersion: 1\nArchitecture: amd64\nMaintainer: A <a@b.example>\nDescription: a tool\n")
        (root / "usr" / "bin").mkdir(parents=True)
        (root / "usr" / "bin" / "tool").write_bytes(MINER)
        package = os.path.join(folder, "tool.deb")
        for compression in ("xz", "gzip", "none"):
            support.run("dpkg-deb", "--root-owner-group", "-Z" + compression, "-b", str(root), package)
            report = scan_file(open(package, "rb").read(), "opt/tool.deb")
            extension = {"xz": ".xz", "gzip": ".gz", "none": ""}[compression]
            expect_miner(report, ["data.tar" + extension, "./usr/bin/tool"])


def test_inside_of_another_program():
    carrier = compiled(INERT)
    padding = (-len(carrier)) % 64
    expect_miner(scan_file(carrier + b"\0" * padding + MINER), ["elf@%d" % (len(carrier) + padding)])
    # In the data of a program, beside other data.
    with support.temporary_folder() as folder:
        path = os.path.join(folder, "payload")
        open(path, "wb").write(b"\1\2\3" + MINER + b"\4" * 100)
        source = '__asm__(".section .rodata\\n.globl p\\np: .incbin \\"%s\\"\\n.text");extern char p[];int main(int c,char**v){(void)v;return c>99?p[c]:0;}' % path
        content = compiled(source)
    at = content.index(MINER)
    expect_miner(scan_file(content), ["elf@%d" % at])
    # In something that is no program.
    expect_miner(scan_file(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4 + MINER, "srv/logo.png", 0o644), ["elf@1032"])


def packed_samples():
    for path in sorted(PACKED.iterdir()):
        yield path.name, path.read_bytes()
    if shutil.which("upx") is None:
        print("        (no upx on this machine: only the stored samples)")
        return
    with support.temporary_folder() as folder:
        for name, program in (("dynamic", MINER), ("static", compiled(SOURCE, "-static")), ("no-pie", compiled(SOURCE, "-no-pie"))):
            for options in ((), ("-9",), ("--lzma",), ("--nrv2b",), ("--nrv2d",), ("--nrv2e",)):
                path = os.path.join(folder, "p")
                open(path, "wb").write(program)
                os.chmod(path, 0o755)
                support.run("upx", "-qq", "--force", *options, path)
                yield name + "".join(options), open(path, "rb").read()
                os.unlink(path)


def edited(program):
    """What malware does to UPX's marks (T1027.002)."""
    chain = 64 + 56 * struct.unpack_from("<H", program, 56)[0]
    chain = program.index(b"UPX!", chain - 8) - 4 + 24
    yield "mark", program.replace(b"UPX!", b"YTS\x99")
    yield "sizes", program[:chain - 8] + b"\0" * 8 + program[chain:]
    yield "l_info and p_info", program[:chain - 24] + b"\xaa" * 24 + program[chain:]
    yield "text", program.replace(b"$Info: This file is packed with the UPX", b"$Info: This file is nothing to look at.").replace(b"UPX!", b"\0\0\0\0")
    yield "tail", program[:-36]
    yield "overlay", program + b"\0" * 5000


def test_packed_by_upx():
    for name, report in scan_files(dict(packed_samples())).items():
        expect_miner(report, ["upx"])
        rules = {f["rule"] for f in report["findings"]}
        assert "obfuscation.upx" in rules and not report["coverage"]["incomplete"], (name, rules)


def test_packed_by_upx_with_false_marks():
    changed = {(name, what): content for name, program in packed_samples() for what, content in edited(program)}
    for (name, what), report in scan_files(changed).items():
        expect_miner(report, ["upx"])
        rules = {f["rule"] for f in report["findings"]}
        assert what == "overlay" or "obfuscation.upx-altered" in rules, (name, what, rules)


def test_packed_in_a_way_that_nobody_can_unpack():
    damaged = {}
    for name, program in packed_samples():
        chain = program.index(b"UPX!", 64) - 4 + 24
        # The first block is damaged: the stub of a cleverer packer would repair it first.
        damaged[name] = program[:chain + 40] + b"\x55" * 64 + program[chain + 104:]
    for report in scan_files(damaged).values():
        expect_found_or_incomplete(report)


def test_packed_and_wrapped():
    program = (PACKED / "nrv2e").read_bytes()
    expect_miner(scan_file(gzip.compress(program), "opt/x.gz"), ["x", "upx"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x", compiled(INERT) + program)
    assert any(f["location"]["nested"][-1:] == ["upx"] and len(f["location"]["nested"]) == 3
               for f in scan_file(out.getvalue(), "opt/x.zip")["findings"] if f["rule"] == "miner.program")


LOADER = r"""
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv, char **environment) {
  int file = argc > 99 ? memfd_create("", 0) : -1;
  return file < 0 ? 0 : fexecve(file, argv, environment);
}
"""


def test_encrypted_payload_that_runs_from_memory():
    payload = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(2000))
    report = scan_file(compiled(LOADER) + payload)
    rules = {f["rule"] for f in report["findings"]}
    assert "obfuscation.memory-loader" in rules and report["coverage"]["incomplete"] and report["verdict"] == "suspicious", (rules, report["verdict"])
    assert scan_file(compiled(LOADER))["verdict"] == "clean"


def test_files_that_give_root_away():
    shell = compiled(INERT)
    rules = {f["rule"] for f in scan_file(shell, "usr/local/bin/bash", 0o4755)["findings"]}
    assert "persistence.privileged-shell" in rules, rules
    rules = {f["rule"] for f in scan_file(shell, "tmp/.x", 0o4755)["findings"]}
    assert "persistence.privileged-in-temporary-folder" in rules, rules
    assert not scan_file(shell, "usr/bin/passwd", 0o4755)["findings"]
    with support.temporary_folder() as folder:
        path = os.path.join(folder, "python3.11")
        open(path, "wb").write(shell)
        os.chmod(path, 0o755)
        if shutil.which("setcap") is None or os.geteuid() != 0:
            print("        (no setcap: file capabilities left out)")
            return
        try:
            support.run("setcap", "cap_sys_admin,cap_net_raw+ep", path)
        except AssertionError:
            print("        (this file system keeps no capabilities: left out)")
            return
        found = [f for f in support.scan(f"rootfs:{folder}")[1]["findings"] if f["rule"] == "persistence.privileged-shell"]
        assert found and "cap_sys_admin" in found[0]["evidence"], found


def test_static_system_tool_and_foreign_loader():
    static = compiled(INERT, "-static")
    assert "integrity.static-system-tool" in {f["rule"] for f in scan_file(static, "usr/sbin/sshd")["findings"]}
    assert not scan_file(static, "opt/tool")["findings"]
    assert "persistence.elf-interpreter" in {f["rule"] for f in scan_file(compiled(INERT, "-Wl,--dynamic-linker=/dev/shm/.ld.so"))["findings"]}


def test_go_program_by_its_modules():
    if shutil.which("go") is None:
        print("        (no go on this machine)")
        return
    with support.temporary_folder() as folder:
        open(os.path.join(folder, "go.mod"), "w").write("module github.com/bishopfox/sliver\n\ngo 1.18\n")
        package = os.path.join(folder, "implant", "sliver")
        os.makedirs(package)
        open(os.path.join(package, "main.go"), "w").write("package main\n\nfunc main() {}\n")
        environment = dict(os.environ, GOFLAGS="-mod=mod -trimpath", GOPROXY="off", CGO_ENABLED="0", GOCACHE=os.path.join(folder, "cache"), GOTOOLCHAIN="local")
        support.run("go", "build", "-ldflags=-s -w", "-o", os.path.join(folder, "x"), "./implant/sliver", cwd=folder, env=environment)
        found = [f for f in scan_file(open(os.path.join(folder, "x"), "rb").read())["findings"] if f["rule"] == "reverse-shell.c2-program"]
        assert found and found[0]["severity"] == "critical", found


def test_an_ordinary_program_is_clean():
    report = scan_file(compiled(INERT))
    assert report["verdict"] == "clean" and not report["findings"], report["findings"]
    report = scan_file(compiled(INERT) + compiled(INERT))
    assert report["verdict"] == "clean", report["findings"]


if __name__ == "__main__":
    if shutil.which("gcc") is None or shutil.which("dpkg-deb") is None:
        print("skipped: needs gcc and dpkg-deb")
        sys.exit(support.SKIP)
    support.main(globals())
