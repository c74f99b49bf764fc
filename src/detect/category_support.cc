#include "detect/category_support.h"

#include <array>

namespace lazaret::detect {
namespace {

// In the order of the categories.
constexpr std::array<CategoryDocument, 17> documents = {{
    {"Known to be malicious",
     "The image, or something in it, is what investigators have published as malicious: a digest, a file, a wallet, an address or a piece of code of a known incident. "
     "There is nothing to judge but whether it is really the same thing.",
     "It would be less if the thing is only quoted (a report, a block list, a scanner's own rules) and nothing in the image runs or contacts it."},
    {"Cryptocurrency miners",
     "Programs, settings and commands that compute for somebody's wallet on somebody else's machine. Miners were in most of the malicious images ever published.",
     "It would be harmless in an image that is openly offered as a miner or a node of that currency and that you run for your own wallet."},
    {"Reverse shells",
     "Code that connects to another host and hands it a shell: whoever listens there commands the container. No service needs this.",
     "It would be harmless if it is text that nothing runs, such as a lesson, a rule of a scanner or a test; the chain shows whether the image starts it."},
    {"Bind shells",
     "Code that listens and hands a shell to whoever connects.",
     "It would be less if only your own network can reach the port and you use it on purpose; the chain shows whether the image starts it."},
    {"Web shells",
     "Pages that run what a request tells them, left in web servers to come back later.",
     "It would be harmless in a collection of samples or in an administration tool that asks for a password first, outside of what the server offers."},
    {"Droppers",
     "Code that fetches a program and runs it. What was audited is then not what runs: the payload is outside of the image and can change at any time.",
     "It would be less if what is fetched is pinned by a checksum or signature that is verified before it runs, or if it happened only while the image was built."},
    {"Persistence",
     "Changes that make something run again: jobs of cron, units, login scripts, keys that let somebody in. In an image they matter most where they reach the host.",
     "It would be harmless if the job or key is yours and the image is meant to have it; look at what is started and who holds the key."},
    {"Container escape",
     "Ways out of the container to the host: the engine's socket, the host's namespaces and file systems, kernel interfaces that run programs.",
     "It would be less in an image that is meant to administer its host, started by you with those rights; in any other image it would not."},
    {"Credential theft",
     "Code that collects passwords, tokens and keys, of the container, of the cloud it runs in or of its host.",
     "It would be harmless if the credentials are the image's own and stay where they are: look at where they are sent."},
    {"Rootkits",
     "Code that hides files, processes or connections, by hooks in libraries that every program loads or in the kernel.",
     "It would be less if the library is one that is known for other uses of the same hooks (a profiler, a sandbox) and nothing preloads it."},
    {"Obfuscation",
     "Programs and scripts made so that they cannot be read. Some makers protect their work this way; malware does it to pass by scanners.",
     "It would be harmless if the maker of the program is known to pack it and the packed file is the one that the maker publishes."},
    {"Integrity",
     "Something is not what it says it is: digests that do not match, files of packages that were changed.",
     "It would be harmless if the copy is merely damaged: fetch it again and compare; if you changed the file yourself, say so in an ignore file."},
    {"Hidden content",
     "Content at places where nobody looks: deleted again in a later layer, behind the end of archives, in blobs that no manifest names.",
     "It would be harmless if the tool that built the image is known to leave such bytes; what they contain has been audited like any file."},
    {"Impersonation",
     "Names that are not what they seem: programs called like parts of the kernel, hidden folders, files whose content does not fit their name, images called like official ones.",
     "It would be harmless if the file comes from a package or a maker you know, and the name is an accident."},
    {"Proxies and bandwidth sharing",
     "Programs that sell or give away the network connection of the machine they run on.",
     "It would be harmless if you run it on purpose and its owner is you; then allow it in the policy."},
    {"Exposed secrets",
     "Keys, tokens and passwords that are in the image for everybody who can pull it.",
     "It would be harmless if the secret opens nothing: an example, a test key, or one that has been revoked."},
    {"Anomalies",
     "Malformed, ambiguous or unusual content. Most of it is the work of old or careless tools; some of it makes two programs see different things.",
     "It would be harmless if the tool that made it is known to write such files; it would be more if only this image has it."},
}};

}  // namespace

const CategoryDocument& document_of(Category category) { return documents[static_cast<std::size_t>(category)]; }

std::string_view doubt_of(const Rule& rule) { return rule.doubt.empty() ? document_of(rule.category).doubt : rule.doubt; }

}  // namespace lazaret::detect
