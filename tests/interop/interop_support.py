"""What the interop tests share: the programs of scripts/install-interop-tools, and a server for each test."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "end_to_end"))
import support  # noqa: E402  it sets the path of the rest
from serve_support import PASSWORD, Server  # noqa: E402

TOOLS = os.environ.get("INTEROP_TOOLS", str(support.ROOT / "build" / "interop" / "bin"))


class Tools:
    """Runs a program with a home folder of its own, logged in as alice."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        self.environment = dict(os.environ, HOME=folder, XDG_CONFIG_HOME=f"{folder}/config", DOCKER_CONFIG=f"{folder}/docker", COSIGN_PASSWORD="", PATH=f"{TOOLS}:{os.environ['PATH']}")

    def run(self, *command, code=0, input=None, **environment):
        done = subprocess.run([f"{TOOLS}/{command[0]}", *command[1:]], capture_output=True, text=True, timeout=300, cwd=self.folder, input=input,
                              env={**self.environment, **environment})
        assert done.returncode == code, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def refused(self, *command, **environment):
        """Standard error of a command that must fail."""
        done = subprocess.run([f"{TOOLS}/{command[0]}", *command[1:]], capture_output=True, text=True, timeout=300, cwd=self.folder, env={**self.environment, **environment})
        assert done.returncode != 0, f"{' '.join(command)} was not refused: {done.stdout[-1500:]}"
        return done.stdout + done.stderr
