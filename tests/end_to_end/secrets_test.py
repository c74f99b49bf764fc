"""Secrets in images: found wherever they are, and never repeated by any output."""
import base64
import json
import subprocess

import support  # first: it sets the path
import images

# Made up, in pieces, so that this file is no leak for anybody's scanner.
GITHUB = "ghp" + "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"
PASSWORD = "Tr0ub4dor" + "-and-3"
AWS_ID, AWS_SECRET = "AKIA" + "QXZ7RLMPTW5V3GKN", "kT9vR2mXq8Lw" + "5ZcB7nYh3JdF6gSa4PeU1oQiVtNx"
KEY = "-----BEGIN PRIVATE" + " KEY-----\nMC4CAQAwBQYDK2VwBCIEIAabUtrhMBLX0RYrSsyLVo4GR4RnZKQKYEy4bnCr1hjJ\n-----END PRIVATE KEY-----\n"
SECRETS = [GITHUB, PASSWORD, AWS_SECRET, AWS_ID, "MC4CAQAwBQYDK2Vw", base64.b64encode(f"alice:{PASSWORD}".encode()).decode()]


def image():
    docker = json.dumps({"auths": {"registry.example": {"auth": base64.b64encode(f"alice:{PASSWORD}".encode()).decode()}}})
    first = images.layer(images.File("root/.ssh/id_ed25519", KEY, mode=0o600), images.File("app/token.py", f'TOKEN = "{GITHUB}"\n'),
                         images.File("root/.aws/credentials", f"[default]\naws_access_key_id = {AWS_ID}\naws_secret_access_key = {AWS_SECRET}\n"),
                         images.File("root/.docker/config.json", docker))
    second = images.layer(images.File("root/.ssh/.wh.id_ed25519"))
    history = [{"created_by": f"RUN |1 NPM_SECRET={PASSWORD} /bin/sh -c npm ci # buildkit"}, {"created_by": f"RUN /bin/sh -c curl https://bob:{PASSWORD}@host.invalid/ -H {GITHUB}"}]
    return images.Image([first, second], entrypoint=["/app/run"], env=[f"DB_PASSWORD={PASSWORD}", "PATH=/usr/bin"], history=history,
                        labels={"build": f"https://bob:{PASSWORD}@host.invalid/"})


def test_secrets_are_found_also_in_deleted_files_and_history():
    with support.temporary_folder() as folder:
        images.write_layout(folder, {"latest": image()})
        _, report, _ = support.scan(f"oci:{folder}")
        found = {f["rule"] for f in report["findings"]}
        assert {"exposed-secret.private-key", "exposed-secret.token", "exposed-secret.aws-key", "exposed-secret.registry-login", "exposed-secret.environment",
                "exposed-secret.build-history", "exposed-secret.url-password"} <= found, found
        key = [f for f in report["findings"] if f["rule"] == "exposed-secret.private-key"]
        assert len(key) == 1 and not key[0]["location"]["in_final_rootfs"], key
        assert report["verdict"] == "suspicious", report["verdict"]


def test_no_output_repeats_a_secret():
    with support.temporary_folder() as folder:
        images.write_layout(f"{folder}/oci", {"latest": image()})
        for form in ("json", "table", "sarif", "markdown", "html"):
            done = subprocess.run([support.LAZARET, "scan", "--no-cache", "--format", form, f"oci:{folder}/oci"], capture_output=True, text=True, timeout=120)
            for secret in SECRETS:
                assert secret not in done.stdout and secret not in done.stderr, (form, secret)
            assert "exposed-secret" in done.stdout, form


def test_secrets_alone_are_never_malicious():
    with support.temporary_folder() as folder:
        many = [images.File(f"srv/{i}/token", f"{GITHUB}\n") for i in range(40)] + [images.File(f"srv/{i}/id", KEY) for i in range(40)]
        images.write_layout(folder, {"latest": images.Image([images.layer(*many)])})
        _, report, _ = support.scan(f"oci:{folder}", check=0)
        assert report["verdict"] == "suspicious", (report["verdict"], report["score"])


def test_placeholders_are_no_secrets():
    with support.temporary_folder() as folder:
        layer = images.layer(images.File("app/.env", "DB_PASSWORD=changeme\nAPI_TOKEN=${API_TOKEN}\n"), images.File("app/a.md", "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"),
                             images.File("root/.npmrc", "//registry.invalid/:_authToken=${NPM_TOKEN}\n"))
        images.write_layout(folder, {"latest": images.Image([layer], env=["MYSQL_ALLOW_EMPTY_PASSWORD=yes", "DB_PASSWORD_FILE=/run/secrets/db"])})
        _, report, _ = support.scan(f"oci:{folder}", check=0)
        assert report["verdict"] == "clean" and not report["findings"], report["findings"]


if __name__ == "__main__":
    support.main(globals())
