"""What is found in the images of 2018, finding by finding, is what it was.

A change of a detector shows here as a difference that a person can read. `make golden` writes the files anew.
"""
import difflib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import images  # noqa: E402
import incident_2018  # noqa: E402

LAZARET = os.environ.get("LAZARET", str(ROOT / "build" / "lazaret"))
FOLDER = ROOT / "tests" / "golden" / "incident-2018"


def told(report):
    """The report without what changes with every rule (digest of the ruleset, texts of rules) or says nothing here (digests of the samples)."""
    layers = {layer["diff_id"]: f"layer {i + 1}" for i, layer in enumerate(report["image"]["manifests"][0]["layers"])}
    findings = []
    for finding in report["findings"]:
        place = finding["location"]
        where = " -> ".join([place["path"] or "the image"] + place["nested"])
        line = {"rule": finding["rule"], "weight": finding["weight"], "severity": finding["severity"], "confidence": finding["confidence"],
                "where": where + (f":{place['line']}" if place["line"] else ""), "layer": layers.get(place["layer"], place["layer"]),
                "evidence": finding["evidence"], "chain": " -> ".join(finding["chain"])}
        findings.append({key: value for key, value in line.items() if value != ""})
    return {"verdict": report["verdict"], "score": report["score"], "reasons": report["reasons"], "findings": findings,
            "indicators": [f"{indicator['type']} {indicator['value']}" + ("" if indicator["validated"] else " (not validated)") for indicator in report["indicators"]],
            "incomplete": [f"{part['path']}: {part['reason']}" for part in report["coverage"]["incomplete"]]}


def main():
    samples = {"clean": incident_2018.clean_image()}
    samples.update({name: image for name, (image, _) in incident_2018.images().items()})
    update = "LAZARET_UPDATE_GOLDEN" in os.environ
    with tempfile.TemporaryDirectory(prefix="lazaret-test-") as folder:
        for name, image in samples.items():
            images.write_layout(f"{folder}/{name}", {"latest": image})
        done = subprocess.run([LAZARET, "scan", "--no-cache", "--quiet", "--format", "json", *[f"oci:{folder}/{name}" for name in samples]], capture_output=True, text=True)
        reports = json.loads(done.stdout)
    if update:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for path in FOLDER.glob("*.json"):
            path.unlink()
    different = 0
    for name, report in zip(samples, reports):
        text = json.dumps(told(report), indent=1, ensure_ascii=True) + "\n"
        path = FOLDER / f"{name}.json"
        if update:
            path.write_text(text)
            continue
        kept = path.read_text() if path.exists() else ""
        if kept != text:
            different += 1
            sys.stdout.writelines(difflib.unified_diff(kept.splitlines(True), text.splitlines(True), f"tests/golden/incident-2018/{name}.json", "now"))
    if different:
        print(f"\n{different} of {len(samples)} reports are not what they were. When they should not be, run this and look at the difference:\n\n    make golden\n")
        return 1
    print(f"{len(samples)} reports " + ("written" if update else "as they were"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
