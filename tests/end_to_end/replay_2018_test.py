"""The replay that `make demo` shows: it checks itself that nothing of 2018 is left, that the report has what was published, and that the gate refuses each image."""
import json
import pathlib

import support


def test_the_replay_of_2018():
    with support.temporary_folder() as folder:
        text = support.run("python3", str(support.ROOT / "tests" / "lib" / "replay_2018.py"), support.LAZARET, "--out", folder)
        story = json.loads(pathlib.Path(f"{folder}/incident-2018.json").read_text())
        exposure = json.loads(pathlib.Path(f"{folder}/exposure.json").read_text())
        assert story["incidents"], "the campaign is not tied to the known incident"
        assert "ACCEPTED" not in text and "REFUSED" not in text, text
        assert "web-shop" in json.dumps(exposure) and "university" in json.dumps(exposure), exposure
        assert "<html" in pathlib.Path(f"{folder}/incident-2018.html").read_text()


if __name__ == "__main__":
    support.main(globals())
