"""The conformance suite of the distribution specification, with every API and every kind of content switched on, as version 1.1 and as the main branch has it."""
import os
import re
import subprocess

from interop_support import PASSWORD, TOOLS, Server, Tools, support

# What is held otherwise: layers that cannot be audited, since their bytes are elsewhere, and random bytes. The suite shows credentials only when it is asked for them,
# and reads what nobody but its publisher may see.
CONFIG = """
[access]
anonymous-pull = false
[gate]
suspicious = "release"
incomplete = "release"
foreign-layers = true
"""
# But sparse images: what an image names must be there to be audited.
EVERYTHING = {"OCI_API_BLOBS_DIGEST_HEADER": "true", "OCI_API_BLOBS_UPLOAD_CANCEL": "true", "OCI_API_MANIFESTS_DIGEST_HEADER": "true", "OCI_API_MANIFESTS_TAG_PARAM": "true"}


def run_suite(version, more):
    with support.temporary_folder() as folder, Server(folder, CONFIG) as server:
        tools = Tools(folder, server)
        done = subprocess.run([f"{TOOLS}/conformance"], capture_output=True, text=True, timeout=900, cwd=folder, env={
            **tools.environment, "OCI_VERSION": version, "OCI_REGISTRY": server.host, "OCI_TLS": "disabled", "OCI_REPO1": "alice/conformance", "OCI_REPO2": "alice/conformance2",
            "OCI_USERNAME": "alice", "OCI_PASSWORD": PASSWORD, "OCI_RESULTS_DIR": f"{folder}/results", **more})
        kept = os.environ.get("CONFORMANCE_RESULTS")
        if kept:
            subprocess.run(["cp", "-r", f"{folder}/results", kept], check=True)
        with open(f"{folder}/results/junit.xml") as results:
            suites = re.search(r"<testsuites?[^>]*>", results.read()).group(0)
        print(f"version {version}: {suites}")
        print(done.stdout[-6000:])
        assert done.returncode == 0 and not re.search(r'(failures|errors)="[1-9]', suites), done.stdout[-3000:] + done.stderr[-3000:]


def test_version_1_1():
    run_suite("1.1", {})


def test_main_branch_with_everything():
    run_suite("dev", EVERYTHING)


if __name__ == "__main__":
    support.main(globals())
