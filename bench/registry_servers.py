"""The three servers that bench/registry.py compares, each with a folder of its own on a port of 127.0.0.1."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

LAZARET = os.environ.get("LAZARET", "build/lazaret")
PASSWORD = "benchmark only"
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class Server:
    name = ""
    credentials = None  # of the account that pushes

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.port = free_port()
        self.process = None

    def begin(self):
        """Starts with an empty store."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.prepare()
        self.start()

    def prepare(self):
        pass

    def start(self):
        with open(f"{self.folder}/log", "a") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder)
        for _ in range(600):
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended: see {self.folder}/log")
            try:
                self.get("/v2/")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{self.name} does not answer: see {self.folder}/log")

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def processes(self):
        """The process and its children."""
        pids = [self.process.pid]
        for pid in pids:
            with open(f"/proc/{pid}/task/{pid}/children") as children:
                pids += [int(child) for child in children.read().split()]
        return pids

    def processor_seconds(self):
        seconds = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            seconds += (int(fields[11]) + int(fields[12])) / TICKS
        return seconds

    def memory(self, field="VmRSS"):
        """MiB in use now, or at most ever (VmHWM)."""
        kib = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/status") as status:
                kib += next(int(line.split()[1]) for line in status if line.startswith(field + ":"))
        return kib / 1024


class Lazaret(Server):
    """With accounts, gate and ledger, as it starts by itself; only the per-address limit is none, which is the default."""
    name = "lazaret"
    credentials = f"bench:{PASSWORD}"
    config = ""

    def prepare(self):
        subprocess.run([LAZARET, "user", "--data", f"{self.folder}/data", "add", "bench", "--password-stdin"], input=PASSWORD + "\n", text=True, check=True,
                       capture_output=True)
        with open(f"{self.folder}/lazaret.toml", "w") as out:
            out.write(self.config)

    def command(self):
        return [os.path.abspath(LAZARET), "serve", "--config", f"{self.folder}/lazaret.toml", "--data", f"{self.folder}/data", "--listen", f"127.0.0.1:{self.port}"]


class LazaretWithoutLedger(Lazaret):
    name = "lazaret, no ledger"
    config = "[ledger]\nrecord = false\n"


class DockerRegistry(Server):
    """Debian's docker-registry with the storage settings of its own configuration, no accounts, no access log."""
    name = "docker-registry"

    def prepare(self):
        with open(f"{self.folder}/config.yml", "w") as out:
            json.dump({"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
                       "storage": {"cache": {"blobdescriptor": "inmemory"}, "filesystem": {"rootdirectory": f"{self.folder}/data", "maxthreads": 1000},
                                   "delete": {"enabled": True}},
                       "http": {"addr": f"127.0.0.1:{self.port}"}}, out)

    def command(self):
        return ["docker-registry", "serve", f"{self.folder}/config.yml"]


class Nginx(Server):
    """Static files at the paths of the distribution API."""
    name = "nginx"

    def __init__(self, folder, files):
        super().__init__(folder)
        self.files = files  # path -> bytes

    def prepare(self):
        for path, data in {**self.files, "/v2/index.html": b"{}"}.items():
            place = f"{self.folder}/root{path}"
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as out:
                out.write(data)
        os.chmod(self.folder, 0o755)
        with open(f"{self.folder}/nginx.conf", "w") as out:
            out.write(f"""
daemon off; pid {self.folder}/pid; error_log {self.folder}/error.log; worker_processes auto; worker_rlimit_nofile 20000; user root;
events {{ worker_connections 16384; }}
http {{
  sendfile on; tcp_nopush on; access_log off; keepalive_timeout 600; keepalive_requests 1000000; open_file_cache max=1000; default_type application/octet-stream;
  server {{ listen 127.0.0.1:{self.port} backlog=4096; root {self.folder}/root; }}
}}""")

    def command(self):
        return ["nginx", "-c", f"{self.folder}/nginx.conf", "-p", self.folder]
