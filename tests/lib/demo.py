"""make demo: the images of 2018 and a clean one, built, audited and told as a table."""
import json
import subprocess
import sys
import tempfile

import images
import incident_2018


def main():
    lazaret = sys.argv[1]
    samples = {"clean": incident_2018.clean_image()}
    samples.update({name: image for name, (image, _) in incident_2018.images().items()})
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="lazaret-demo-") as folder:
        print(f"{'image':<12} {'verdict':<11} {'score':>5}  {'where':<24} why")
        for name, image in samples.items():
            path = f"{folder}/{name}"
            images.write_layout(path, {"latest": image})
            done = subprocess.run([lazaret, "scan", "--no-cache", "--quiet", "--format", "json", f"oci:{path}"], capture_output=True, text=True)
            if done.returncode not in (0, 1):
                sys.exit(f"{name}: exit code {done.returncode}\n{done.stderr}")
            report = json.loads(done.stdout)
            top = report["findings"][0] if report["findings"] and report["findings"][0]["weight"] else None
            where = top["location"]["path"] if top else ""
            print(f"{name:<12} {report['verdict']:<11} {report['score']:>5}  {where:<24} {top['title'] if top else 'nothing found'}")
            wrong += report["verdict"] != ("clean" if name == "clean" else "malicious")
        print("\nTwo of them in full:\n")
        sys.stdout.flush()
        subprocess.run([lazaret, "scan", "--no-cache", "--format", "table", f"oci:{folder}/mysql"])
        subprocess.run([lazaret, "scan", "--no-cache", "--format", "table", f"oci:{folder}/cronm"])
    print(f"{len(samples)} images audited, {wrong} wrong verdicts")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
