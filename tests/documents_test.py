"""docs/detectors is what the code says of itself."""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAZARET = os.environ.get("LAZARET", str(ROOT / "build" / "lazaret"))


def main():
    with tempfile.TemporaryDirectory(prefix="lazaret-test-") as folder:
        subprocess.run([LAZARET, "rules", "--format", "markdown", "--output-folder", folder], check=True)
        made = {path.name: path.read_text() for path in pathlib.Path(folder).iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / "docs" / "detectors").iterdir()}
    different = sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))
    for name in different:
        print(f"docs/detectors/{name} is {'not what the code says' if name in made and name in kept else 'missing' if name in made else 'of no category'}")
    if different:
        print("Run this and commit what it writes:\n\n    make docs\n")
        return 1
    print(f"{len(made)} pages, as the code says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
