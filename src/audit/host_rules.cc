#include "audit/host_rules.h"

#include <array>

namespace lazaret::audit {
namespace {

using detect::Category;
using detect::Confidence;
using detect::Rule;
using detect::Severity;

constexpr std::string_view rebuild_host = "Cut the host off, keep its disks as evidence, and build it anew; change every secret that was on it.";

constexpr std::array rules = {
    Rule{"known-bad.built-on", Category::known_bad, Severity::critical, Confidence::high, "Image that is, or stands on, one of a known incident",
         "Its config is that of a bad image in the same store under another name, or its history and layers begin with all of that image's: whatever that image brings is in this one too.",
         "Do not run the image; build it again on a base that you trust. Where it ran, treat the host as compromised.", {"T1204.003"}},
    Rule{"known-bad.container", Category::known_bad, Severity::critical, Confidence::high, "Container of a bad image",
         "A container of an image of a known incident, or of one whose audit found malice, was made on this host. One that has stopped may have done all its work before.",
         rebuild_host, {"T1610"}},
    Rule{"known-bad.connection", Category::known_bad, Severity::critical, Confidence::high, "Connection to an address of a known incident",
         "A process of this host, or of a container on it, has a connection to an address that a documented incident used.", rebuild_host, {"T1071"}},
    Rule{"known-bad.shared-indicator", Category::known_bad, Severity::high, Confidence::high, "Shares an indicator with a malicious image on this host",
         "A file or process of the host names the same address, key or wallet as a malicious image in one of its stores: the image was run, and this is what it left.", rebuild_host, {"T1611"}},
    Rule{"container-escape.privileged-container", Category::container_escape, Severity::medium, Confidence::low, "Privileged container",
         "Whoever is root in a privileged container can do everything that root of the host can. Node agents, builders and Docker in Docker are run so on purpose.",
         "Find out who started it and why; give it the single capabilities and devices that it needs.", {"T1611", "T1610"}},
    Rule{"container-escape.host-mount", Category::container_escape, Severity::high, Confidence::low, "Container with the host's files mounted for writing",
         "The host's root file system, or the folders that control it (/etc, /root, /var/spool/cron, ...), can be written from the container: that is how the images of 2018 took over hosts.",
         "Find out who started it and why; look at crontabs, authorized_keys and units of the host.", {"T1611", "T1610"}},
    Rule{"container-escape.runtime-socket", Category::container_escape, Severity::low, Confidence::medium, "Container with the socket of the container engine",
         "Who can talk to the engine can start a privileged container, and so is root of the host. Proxies, builders and management tools are given the socket on purpose.",
         "Find out who started it and why.", {"T1611", "T1610"}},
    Rule{"container-escape.host-processes", Category::container_escape, Severity::low, Confidence::medium, "Container in the host's process namespace",
         "The container sees, and with enough rights enters, every process of the host.", "Find out who started it and why.", {"T1611"}},
    Rule{"container-escape.exposed-engine", Category::container_escape, Severity::high, Confidence::high, "Docker API open to the network without TLS",
         "Whoever reaches the port starts containers with the host's file system mounted, without a password: the way in of 2018, and of every worm that looks for such ports since.",
         "Stop listening on TCP, or use TLS with client certificates (dockerd --tlsverify); then look for containers and host files that nobody here made.", {"T1190", "T1610"}},
    Rule{"reverse-shell.socket-streams", Category::reverse_shell, Severity::critical, Confidence::high, "Shell whose input and output are a network connection",
         "The standard streams of a shell or interpreter are a TCP connection that this host opened: somebody at the other end types. Shells of ssh have a terminal, a pipe or a local socket.",
         rebuild_host, {"T1059.004"}},
    Rule{"dropper.deleted-program", Category::dropper, Severity::high, Confidence::medium, "Running program that was deleted from a folder for temporary files",
         "The program was started from a folder that everybody may write to, or from memory alone, and its file is gone, so that nobody finds it. Build tools and self-extracting programs do it for moments.",
         "Keep a copy (cp /proc/PID/exe), find out what started it, and treat the host as compromised when nobody can explain it.", {"T1070.004", "T1620"}},
    Rule{"anomaly.replaced-program", Category::anomaly, Severity::info, Confidence::high, "Running program whose file is gone",
         "An update replaced or removed the program while it ran; it goes on with the old one until it is started again.", "Restart it.", {}},
    Rule{"persistence.authorized-keys", Category::persistence, Severity::info, Confidence::high, "Keys that may log in",
         "Listed so that somebody can say whose they are: images of 2018 added one to root's file.", "Remove every key whose owner nobody can name.", {"T1098.004"}},
    Rule{"persistence.key-of-system-account", Category::persistence, Severity::medium, Confidence::high, "Key that may log in as an account that nobody logs in as",
         "The account is there for a service and has no login shell, or never had a key before anybody needed one; attackers like it because nobody looks there.",
         "Remove the key; find out who put it there.", {"T1098.004"}},
    Rule{"persistence.preload-library", Category::persistence, Severity::medium, Confidence::high, "Library that is loaded into every program of the host",
         "What /etc/ld.so.preload names runs in every program that is started, and can hide files, processes and connections from all of them. Few honest packages use it (memory allocators, sandboxes, auditing).",
         "Find out which package brought the library; look at the host with tools from another system.", {"T1574.006"}},
    Rule{"persistence.locked-file", Category::persistence, Severity::medium, Confidence::high, "File that controls the host and cannot be changed",
         "The immutable attribute (chattr +i) is set on a crontab, a list of keys or the preload file. Miners do it so that neither administrators nor rivals remove their line; few administrators do it themselves.",
         "lsattr shows it, chattr -i takes it away; look at the content first.", {"T1222.002"}},
};

}  // namespace

std::span<const detect::Rule> host_rules() { return rules; }

}  // namespace lazaret::audit
