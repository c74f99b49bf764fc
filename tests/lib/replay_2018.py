"""make demo: the incident of 2018 replayed against `lazaret serve`.

First as it was: a gate that only observes gives out what an account pushes, for a year, to whoever asks. Then what was missing then: the images are condemned, tied into
one campaign, taken down in one act, and everybody who pulled them is named. Last with the gate on: each image is refused when it is pushed.

Images, hosts, wallets and keys are inert stand-ins (incident_2018.py), programs never run, and everything stays on the loopback device. Dates are those of the incident,
set by a clock that the server reads from a file; who pulled, from which addresses, and how often is made up.
"""
import argparse
import base64
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import images
import incident_2018
from images import File, Image, layer

PUBLISHER = "docker123321"
PASSWORD = "a password of the demo"
# When each batch came (reference: the published timeline); the day within the month is assumed.
BATCHES = [
    ("2017-07-24", ["tomcat", "tomcat11", "tomcat22"]),
    ("2017-10-24", ["kk", "mysql", "data", "mysql0"]),
    ("2018-01-08", ["cron", "cronm", "cronnn", "t1", "t2"]),
    ("2018-02-12", ["mysql2", "mysql3", "mysql4", "mysql5", "mysql6"]),
]
# Who pulled what they took for a database: name, address behind the proxy, program, whether it logs in.
PULLERS = [
    ("honeypot", "192.0.2.17", "docker/17.09.0-ce go/go1.8.3", True),
    ("web-shop", "198.51.100.20", "docker/17.06.2-ce go/go1.8.3", True),
    ("university", "198.51.100.77", "containers/5.0", True),
    ("build-farm", "203.0.113.50", "docker/18.03.0-ce go/go1.9.4", True),
    ("", "203.0.113.91", "docker/17.12.0-ce go/go1.9.2", False),
]
REPORT = ("2017-09-01", "tomcat", "writes into the crontab of the host")

IMAGES = {name: image for name, (image, _) in incident_2018.images().items()}
CLEAN = {
    "acme/app": incident_2018.clean_image(),
    "acme/cron": Image([incident_2018.BASE, layer(File("etc/cron.daily/rotate", "#!/bin/sh\nexec logrotate /etc/logrotate.conf\n", mode=0o755))],
                       cmd=["/usr/sbin/crond", "-f"]),
    "acme/mysql": Image([incident_2018.BASE, layer(File("etc/mysql/my.cnf", "[mysqld]\ndatadir=/var/lib/mysql\n"))], cmd=["mysqld"]),
}


class Failure(Exception):
    pass


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class Registry:
    """One `lazaret serve` with a folder, a clock and accounts."""

    def __init__(self, lazaret, folder, mode, listen=None):
        self.lazaret, self.folder = lazaret, folder
        self.data = f"{folder}/data"
        self.listen = listen or f"127.0.0.1:{free_port()}"
        self.process = None
        os.makedirs(self.data)
        self.set_clock(BATCHES[0][0])
        for name in [PUBLISHER, "acme"] + [name for name, _, _, log_in in PULLERS if log_in]:
            self.user("add", name)
        self.start(mode)

    def set_clock(self, day, hour=8):
        with open(f"{self.folder}/clock.new", "w") as out:
            out.write(f"{day}T{hour:02}:00:00Z\n")
        os.rename(f"{self.folder}/clock.new", f"{self.folder}/clock")

    def start(self, mode):
        with open(f"{self.folder}/lazaret.toml", "w") as out:
            out.write(f'data = "{self.data}"\nlisten = ["{self.listen}"]\n[http]\ntrusted-proxies = ["127.0.0.1"]\n[gate]\nmode = "{mode}"\n'
                      f'[rehearsal]\nclock-file = "{self.folder}/clock"\n')
        self.log = open(f"{self.folder}/serve.log", "a")
        self.process = subprocess.Popen([self.lazaret, "serve", "--config", f"{self.folder}/lazaret.toml"], stdout=self.log, stderr=self.log)
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://{self.listen}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise Failure("the server did not start:\n" + open(f"{self.folder}/serve.log").read()[-2000:])

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process = None
        self.log.close()

    def user(self, *arguments):
        done = subprocess.run([self.lazaret, "user", "--data", self.data, *arguments, "--password-stdin"], input=PASSWORD + "\n", capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(done.stderr)

    def run(self, *arguments, codes=(0,)):
        """A command of an administrator; its standard output."""
        done = subprocess.run([self.lazaret, *arguments, "--config", f"{self.folder}/lazaret.toml"], capture_output=True, text=True, timeout=120)
        if done.returncode not in codes:
            raise Failure(f"lazaret {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def push(self, source, target, account):
        """With skopeo. What it printed when it was refused, else ""."""
        done = subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", "--dest-creds", f"{account}:{PASSWORD}", source, f"docker://{self.listen}/{target}"],
                              capture_output=True, text=True, timeout=300)
        return "" if done.returncode == 0 else (done.stderr.strip() or "refused")

    def get(self, path, headers=None):
        request = urllib.request.Request(f"http://{self.listen}{path}", headers=headers or {})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def pull(self, repository, name, address, agent, log_in):
        """As a client does: the manifest by tag, then every blob."""
        headers = {"User-Agent": agent, "X-Forwarded-For": address, "Accept": "application/vnd.oci.image.manifest.v1+json"}
        if log_in:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
        manifest = json.loads(self.get(f"/v2/{repository}/manifests/latest", headers))
        for blob in [manifest["config"]] + manifest["layers"]:
            self.get(f"/v2/{repository}/blobs/{blob['digest']}", headers)

    def pullable(self, repository):
        try:
            self.pull(repository, *PULLERS[-1])
            return True
        except urllib.error.HTTPError as error:
            if error.code in (401, 404):
                return False
            raise


def say(text=""):
    print(text, flush=True)


def heading(text):
    say(f"\n== {text}\n")


def push_2018(registry, layouts):
    """Uploads in the order and at the dates of the incident, and the pulls between them."""
    pulls = 0

    def pull_everything(day, names):
        registry.set_clock(day, 12)
        work = [(f"{PUBLISHER}/{name}", puller) for number, name in enumerate(names) for puller in PULLERS[:1 + (number % len(PULLERS))]]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda item: registry.pull(item[0], *item[1]), work))
        return len(work)

    offered = []
    for number, (day, names) in enumerate(BATCHES):
        registry.set_clock(day)
        for name in names:
            refused = registry.push(f"oci:{layouts[name]}:latest", f"{PUBLISHER}/{name}:latest", PUBLISHER)
            if refused:
                raise Failure(f"{name} was refused by a gate that only observes: {refused}")
        if number == 0:
            for repository in CLEAN:
                if registry.push(f"oci:{layouts[repository]}:latest", f"{repository}:latest", "acme"):
                    raise Failure(f"{repository} was refused")
        offered += names
        if number == 0:
            registry.set_clock(REPORT[0])
            registry.run("report", f"{PUBLISHER}/{REPORT[1]}:latest", "--reason", REPORT[2])
        pulls += pull_everything(BATCHES[number + 1][0] if number + 1 < len(BATCHES) else "2018-05-02", offered)
        say(f"{day}  {len(names)} images: {', '.join(names)}; {pulls} pulls so far")


def wait_for_verdicts(registry, expected):
    """Until as many images are condemned as there should be."""
    for _ in range(600):
        condemned = registry.run("images", "--state", "condemned")
        if sum(PUBLISHER in line for line in condemned.splitlines()) >= expected:
            return
        time.sleep(0.1)
    raise Failure("the images of 2018 were not condemned:\n" + registry.run("images"))


def as_in_2018(registry, layouts):
    heading(f"2018 as it was: the gate only observes, {PUBLISHER} pushes, everybody pulls")
    push_2018(registry, layouts)
    say(f"\nA first user reported {REPORT[1]} on {REPORT[0]}. On 2018-05-02 the clock of that case stands at:")
    registry.set_clock("2018-05-02")
    say(registry.run("reports", "list"))


def with_lazaret(registry, layouts, out):
    heading("The gate enforces: what was stored is judged again")
    registry.stop()
    registry.set_clock("2018-05-03")
    registry.start("enforce")
    # Two of the images are the same bytes under two names.
    wait_for_verdicts(registry, len({image.manifest()[0] for image in IMAGES.values()}))
    for line in registry.run("images").splitlines():
        state, _, _, rest = line.split(None, 3)
        say(f"{state:<11}{rest[:130]}" if state != "STATE" else f"{state:<11}{rest}")
    left = [name for name in IMAGES if registry.pullable(f"{PUBLISHER}/{name}")]
    gone = [name for name in CLEAN if not registry.pullable(name)]
    if left or gone:
        raise Failure(f"still pullable: {left}; clean and not pullable: {gone}")

    heading("One act takes the publisher down")
    registry.set_clock("2018-05-10")
    say(registry.run("takedown", "publisher", PUBLISHER, "--reason", "17 images with reverse shells and miners"))
    refused = registry.push(f"oci:{layouts['cronm']}:latest", f"{PUBLISHER}/again:latest", PUBLISHER)
    say(f"{PUBLISHER} pushes again: {refused.splitlines()[-1][-160:]}")
    repacked = registry.push(f"oci:{layouts['cronm repacked']}:latest", "acme/innocent:latest", "acme")
    say(f"another account pushes the same layers in another compression: {repacked.splitlines()[-1][-160:] if repacked else 'accepted'}")
    if not refused or not repacked:
        raise Failure("what was taken down came back")

    heading("Who pulled them")
    say(registry.run("exposure", PUBLISHER))
    exposure = json.loads(registry.run("exposure", PUBLISHER, "--format", "json"))
    with open(f"{out}/exposure.json", "w") as file:
        json.dump(exposure, file, indent=2)

    heading("The campaign")
    registry.stop()
    say(registry.run("campaign", "list"))
    campaigns = [campaign for campaign in json.loads(registry.run("campaign", "list", "--format", "json")) if campaign["images"]]
    if len(campaigns) != 1:
        raise Failure(f"{len(campaigns)} campaigns, not one")
    number = str(campaigns[0]["id"])
    registry.run("campaign", "confirm", number)
    for form, name in (("html", "incident-2018.html"), ("markdown", "incident-2018.md"), ("json", "incident-2018.json"), ("stix", "incident-2018.stix.json")):
        registry.run("campaign", "report", number, "--format", form, "-o", f"{out}/{name}")
    say(registry.run("campaign", "show", number))
    story = json.loads(pathlib.Path(f"{out}/incident-2018.json").read_text())
    compare(story)
    registry.start("enforce")


def compare(story):
    """The report against the published investigation: the same images, and the techniques that it names."""
    reported = json.dumps(story)
    missing = [name for name in IMAGES if f"{PUBLISHER}/{name}" not in reported]
    strangers = [name for name in CLEAN if name in reported]
    techniques = [technique for technique in ("T1204.003", "T1053.003", "T1059.004", "T1496") if technique not in reported]
    if missing or strangers or techniques:
        raise Failure(f"the report lacks images {missing} and techniques {techniques}, and has clean images {strangers}")
    say(f"The report holds all {len(IMAGES)} images of the published investigation and its techniques, and none of the clean ones.")


def with_the_gate_on(registry, layouts):
    heading("The same uploads with the gate on from the first day")
    say(f"{'image':<24} {'push':<9} what its publisher reads")
    wrong = 0
    for name in IMAGES:
        refused = registry.push(f"oci:{layouts[name]}:latest", f"{PUBLISHER}/{name}:latest", PUBLISHER)
        why = refused.split("denied: ")[-1].replace("\\n", " ")[:110] if refused else ""
        say(f"{PUBLISHER + '/' + name:<24} {'refused' if refused else 'ACCEPTED':<9} {why}")
        wrong += not refused or registry.pullable(f"{PUBLISHER}/{name}")
    for repository in CLEAN:
        refused = registry.push(f"oci:{layouts[repository]}:latest", f"{repository}:latest", "acme")
        say(f"{repository:<24} {'REFUSED' if refused else 'released':<9}")
        wrong += bool(refused) or not registry.pullable(repository)
    if wrong:
        raise Failure(f"{wrong} wrong answers of the gate")


def main():
    parser = argparse.ArgumentParser(description="replays the incident of 2018")
    parser.add_argument("lazaret")
    parser.add_argument("--out", default="build/demo", help="where the incident report goes")
    parser.add_argument("--keep", action="store_true", help="leave the server running")
    options = parser.parse_args()
    lazaret, out = os.path.abspath(options.lazaret), os.path.abspath(options.out)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    began = time.monotonic()
    layouts = {}
    for name, image in [*IMAGES.items(), *CLEAN.items()]:
        layouts[name] = f"{out}/images/{name.replace('/', '-')}"
        images.write_layout(layouts[name], {"latest": image})
    layouts["cronm repacked"] = f"{out}/images/repacked"
    images.write_layout(layouts["cronm repacked"], {"latest": IMAGES["cronm"]}, compress=False)

    registries = []
    try:
        heading("What `lazaret scan` says of one of them")
        scan = subprocess.run([lazaret, "scan", "--no-cache", "--format", "table", f"oci:{layouts['mysql']}"], capture_output=True, text=True)
        say(scan.stdout)
        if scan.returncode != 1:
            raise Failure(f"lazaret scan: exit code {scan.returncode}\n{scan.stderr}")
        registries.append(Registry(lazaret, f"{out}/registry", "observe"))
        as_in_2018(registries[0], layouts)
        with_lazaret(registries[0], layouts, out)
        registries.append(Registry(lazaret, f"{out}/gated", "enforce"))
        with_the_gate_on(registries[1], layouts)
        registries.pop().stop()
        heading("Done")
        say(f"{time.monotonic() - began:.0f} seconds. The incident report: {out}/incident-2018.html (also .md, .json, .stix.json); who pulled: {out}/exposure.json")
        if options.keep:
            say(f"The registry of the replay goes on at http://{registries[0].listen} (administrator: {registries[0].data}/admin-password); end it with: kill {registries[0].process.pid}")
            registries.pop()
    except Failure as failure:
        say(f"\nThe replay failed: {failure}")
        return 1
    finally:
        for registry in registries:
            registry.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
