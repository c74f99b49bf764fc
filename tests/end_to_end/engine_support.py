"""Real container engines for tests: a daemon with folders and a socket of its own, which ends with the test."""
import contextlib
import os
import shutil
import subprocess
import time


def cannot(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        print(f"skipped: {' '.join(missing) or programs[0]} is not installed or needs root")
        return True
    return False


@contextlib.contextmanager
def daemon(folder, name, *command, ready):
    """Runs the command until the block ends. Gives the process, or None when `ready` never succeeds."""
    with open(f"{folder}/{name}.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            answers = False
            for _ in range(300):
                answers = process.poll() is None and subprocess.run(ready, capture_output=True).returncode == 0
                if answers or process.poll() is not None:
                    break
                time.sleep(0.1)
            yield process if answers else None
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def docker_daemon(folder, driver="vfs", client=("docker",)):
    """Gives the client's arguments, or None when dockerd does not start here. Its store is folder/docker, its socket folder/docker.sock."""
    address = f"unix://{folder}/docker.sock"
    docker = [*client, "-H", address]
    with daemon(folder, "dockerd", "dockerd", "--data-root", f"{folder}/docker", "--exec-root", f"{folder}/exec", "-H", address, "--pidfile", f"{folder}/docker.pid",
                "--iptables=false", "--bridge=none", f"--storage-driver={driver}", ready=(*docker, "version")) as process:
        yield docker if process is not None else None


@contextlib.contextmanager
def containerd(folder):
    """Gives ctr's arguments (None when containerd does not start here) and the process. Its store is folder/containerd."""
    config = f"{folder}/containerd.toml"
    with open(config, "w") as out:
        out.write(f'version = 2\nroot = "{folder}/containerd"\nstate = "{folder}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                  f'[grpc]\naddress = "{folder}/containerd.sock"\n[ttrpc]\naddress = "{folder}/ttrpc.sock"\n')
    ctr = ["ctr", "-a", f"{folder}/containerd.sock"]
    try:
        with daemon(folder, "containerd", "containerd", "-c", config, ready=(*ctr, "version")) as process:
            yield (ctr if process is not None else None), process
    finally:
        subprocess.run(["umount", f"{folder}/containerd/tmpmounts"], capture_output=True)
