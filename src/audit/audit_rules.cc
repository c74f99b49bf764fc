#include "audit/audit_rules.h"

#include <array>

namespace lazaret::audit {
namespace {

using detect::Category;
using detect::Confidence;
using detect::Rule;
using detect::Severity;

constexpr std::string_view rebuild = "Rebuild the image with current tools; if it comes from somebody else, ask why it was made this way.";
constexpr std::string_view do_not_use = "Do not use the image: what one program reads is not what another reads.";

constexpr std::array rules = {
    Rule{"anomaly.malformed", Category::anomaly, Severity::low, Confidence::medium, "Malformed content",
         "A parser met bytes that do not follow the format. Old tools make such files too; an attacker uses them to make two readers see different things.",
         rebuild, {"T1027"}},
    Rule{"anomaly.archive-ambiguous", Category::anomaly, Severity::low, Confidence::medium, "Archive that readers read differently",
         "Headers contradict each other, names stand twice, or members overlap: what one program unpacks another does not see. Old and careless tools make such archives too; every reading was audited.",
         rebuild, {"T1027"}},
    Rule{"hidden-content.archive-slack", Category::hidden_content, Severity::medium, Confidence::medium, "Bytes in an archive that belong to no member",
         "Padding that is not zero, data behind the end marker, or blocks that are no headers are skipped by most readers and so a place to hide things. They were audited as files of their own.", rebuild,
         {"T1027.009"}},
    Rule{"anomaly.document", Category::anomaly, Severity::medium, Confidence::medium, "Image document that readers read differently",
         "A manifest, index or config has equal keys, contradicting fields or malformed values, so that the engine may run something else than what was looked at.", do_not_use, {"T1036"}},
    Rule{"anomaly.elf", Category::anomaly, Severity::low, Confidence::medium, "ELF file with inconsistent headers",
         "Headers point outside of the file or contradict each other. Packers and tools against analysis do this; so do truncated files.", "Find out how the file was made.", {"T1027.002"}},
    Rule{"integrity.blob-digest", Category::integrity, Severity::high, Confidence::high, "Blob does not match its digest",
         "The bytes are not those that the manifest names: the image was changed after it was made, or the transfer is broken. A client that trusts names would run it.",
         "Fetch the image again from its source; if the digest is still wrong, treat the copy as tampered with.", {"T1195.002"}},
    Rule{"integrity.diff-id", Category::integrity, Severity::high, Confidence::high, "Layer does not match its diff_id",
         "The decoded layer is not the one that the image config names. Container engines refuse such images, or run what nobody signed.",
         "Fetch the image again from its source; if the diff_id is still wrong, treat the copy as tampered with.", {"T1195.002"}},
    Rule{"anomaly.layer-rebuilt", Category::anomaly, Severity::info, Confidence::high, "Layer was audited as unpacked",
         "The engine's store has the files of the layer but not its archive, so that its diff_id cannot be proved and what only the archive had (padding, replaced entries) is gone. All that a container gets was audited.",
         "Nothing; to audit the layer as it was shipped, scan the image in its registry.", {}},
    Rule{"integrity.document-digest", Category::integrity, Severity::high, Confidence::high, "Manifest or config does not match its digest",
         "The document is not the one that its name says: the image was changed after it was made.",
         "Fetch the image again from its source.", {"T1195.002"}},
    Rule{"anomaly.media-type-mismatch", Category::anomaly, Severity::medium, Confidence::medium, "Layer is not what its media type says",
         "Some clients decode by the declared type and others by the bytes, so that they would unpack different files.", do_not_use, {"T1027"}},
    Rule{"anomaly.gzip-extra-member", Category::anomaly, Severity::low, Confidence::medium, "More than one gzip member",
         "Readers that stop after the first member never see the rest. Parallel compressors (pigz, bgzip, estargz) make such files innocently; all members were audited.",
         "Nothing, when the tool that built the image is known to do this.", {"T1027"}},
    Rule{"hidden-content.trailing-data", Category::hidden_content, Severity::medium, Confidence::medium, "Data behind the end of a stream or archive",
         "Bytes behind the end are ignored by most readers and so a place to hide things. They were audited as a file of their own.", rebuild, {"T1027.009"}},
    Rule{"anomaly.tar-path-escape", Category::anomaly, Severity::high, Confidence::medium, "Archive entry names a path outside of the root",
         "An entry with \"..\" writes outside of the image when it is unpacked by a careless program.", do_not_use, {"T1611"}},
    Rule{"anomaly.tar-duplicate-entry", Category::anomaly, Severity::low, Confidence::medium, "The same path twice in one layer",
         "Readers differ in which of the two they take. All copies were audited; the last one is what a container sees.", rebuild, {"T1027"}},
    Rule{"hidden-content.whiteout-with-content", Category::hidden_content, Severity::medium, Confidence::high, "Content under a whiteout name",
         "A whiteout is an empty marker. One that carries content hides it from everybody who only looks at the files of a container.", rebuild, {"T1564.001"}},
    Rule{"hidden-content.malformed-whiteout", Category::hidden_content, Severity::medium, Confidence::medium, "Malformed whiteout marker",
         "A marker that engines read in different ways removes other files in one engine than in another.", do_not_use, {"T1564.001"}},
    Rule{"hidden-content.folder-whiteout", Category::hidden_content, Severity::high, Confidence::high, "Marker that removes the folder it lies in",
         "A whiteout marker without a name (\".wh.\", \".wh..\") removes its whole folder in some engines, is refused by others, and is passed over by the rest: what a container has depends on the engine.", do_not_use, {"T1564.001"}},
    Rule{"hidden-content.content-below-marker", Category::hidden_content, Severity::medium, Confidence::medium, "Content in a folder with the name of a marker",
         "Programs that pass over whiteout markers pass over what lies below them too. It was audited.", do_not_use, {"T1564.001"}},
    Rule{"hidden-content.whiteout-of-own-entry", Category::hidden_content, Severity::medium, Confidence::medium, "Layer removes what it brings",
         "A marker acts on lower layers only, but some engines apply it to its own layer too, depending on the order: whether a container has the file depends on the engine.", do_not_use, {"T1564.001"}},
    Rule{"hidden-content.marker-without-target", Category::hidden_content, Severity::low, Confidence::medium, "Whiteout markers in the lowest layer",
         "There is nothing below that they could remove. Exported containers have such rests; some engines show the markers as files.", rebuild, {"T1564.001"}},
    Rule{"hidden-content.opaque-root", Category::hidden_content, Severity::medium, Confidence::high, "Layer hides everything below it",
         "An opaque marker in the root folder throws all lower layers away: the image is another one than its base and history say.", "Look at what the layer brings instead.", {"T1564.001"}},
    Rule{"hidden-content.deleted-payload", Category::hidden_content, Severity::medium, Confidence::high, "Dangerous content that a later layer removes",
         "It is not in the final root file system, but it is handed out with the image, and it was there while the image was built.", "Rebuild the image without it; treat secrets among it as known to everybody.", {"T1564.001"}},
    Rule{"hidden-content.overwritten-payload", Category::hidden_content, Severity::medium, Confidence::high, "Dangerous content that a later layer replaces",
         "It is not in the final root file system, but it is handed out with the image, and it was there while the image was built.", "Rebuild the image without it; treat secrets among it as known to everybody.", {"T1564.001"}},
    Rule{"hidden-content.deleted-programs", Category::hidden_content, Severity::info, Confidence::high, "Programs that a later layer removes",
         "Not in the final root file system. Build tools and installers are removed like this all the time.", "Nothing; a build in stages makes such images smaller.", {}},
    Rule{"hidden-content.overwritten-programs", Category::hidden_content, Severity::info, Confidence::high, "Programs that a later layer replaces",
         "The lower version is not in the final root file system. Updates of packages do this all the time.", "Nothing.", {}},
    Rule{"hidden-content.elf-trailing-data", Category::hidden_content, Severity::low, Confidence::medium, "Data behind the end of a program",
         "Loaders ignore what follows the last section. Self-extracting programs, AppImages and signed modules carry their content there; so do droppers. It was audited as a file of its own.", "Find out what the data is for.",
         {"T1027.009"}},
    Rule{"hidden-content.zip-gap", Category::hidden_content, Severity::low, Confidence::medium, "Data in a zip archive that belongs to no member",
         "Readers of zip go by the directory at its end and skip what lies in front of, between and behind the members. Self-extracting archives and jars that are scripts too keep something there. It was audited as a file of its own.",
         "Find out what the data is for.", {"T1027.009"}},
    Rule{"hidden-content.zstd-skippable-frame", Category::hidden_content, Severity::info, Confidence::medium, "Frames that zstd decoders pass over",
         "Decoders ignore skippable frames, so that nobody who looks at the files sees what is in them. zstd:chunked keeps its table of contents there. They were audited as files of their own.", "Nothing, when the image was built as zstd:chunked.",
         {"T1027.009"}},
    Rule{"hidden-content.tar-after-end", Category::hidden_content, Severity::medium, Confidence::medium, "Data behind the end of a tar archive",
         "Most readers stop at the end marker; what follows is seen by some only. It was audited as a file of its own.", rebuild, {"T1027.009"}},
    Rule{"hidden-content.tar-padding", Category::hidden_content, Severity::medium, Confidence::medium, "Padding of a tar archive that is not zeros",
         "The last block of each file is filled up with zeros by every tool; other bytes are somebody's data that no reader shows. They were audited as a file of their own.", rebuild, {"T1027.009"}},
    Rule{"anomaly.tar-pax-disagreement", Category::anomaly, Severity::medium, Confidence::medium, "Header and extended header of a tar entry contradict each other",
         "Readers that know pax headers see another name or size than those that do not, and so other files. Every reading was audited.", do_not_use, {"T1027"}},
    Rule{"anomaly.tar-path-collision", Category::anomaly, Severity::medium, Confidence::medium, "Two spellings of one path in a layer",
         "\"a\", \"./a\", \"a//\" and \"b/../a\" are one file for an engine and several for a reader that compares names, so that one hides the other. All copies were audited; the last one is what a container sees.", do_not_use, {"T1036"}},
    Rule{"anomaly.tar-entry-below-file", Category::anomaly, Severity::low, Confidence::medium, "Entry below a file or link of the same layer",
         "Engines follow the link, replace the file or fail, and so bring the entry to different places.", rebuild, {"T1036"}},
    Rule{"anomaly.layer-writes-through-link", Category::anomaly, Severity::low, Confidence::medium, "Layer names files below a symlink of a lower layer",
         "Engines that follow the link put them where it leads to; others replace the link by a folder. Builders that do not know the base image make such layers innocently.", rebuild, {"T1036"}},
    Rule{"anomaly.manifest-and-index", Category::anomaly, Severity::high, Confidence::high, "Document that is both index and manifest",
         "One engine runs the layers of the manifest, another the image that the index names (CVE-2021-41190). Both were audited.", do_not_use, {"T1036"}},
    Rule{"integrity.descriptor-data", Category::integrity, Severity::high, Confidence::high, "Embedded data is not what its digest names",
         "A descriptor carries content that clients may use in place of the blob, and it is another content.", do_not_use, {"T1195.002"}},
    Rule{"anomaly.history-count", Category::anomaly, Severity::info, Confidence::medium, "History and layers differ in number",
         "Which step made which layer cannot be told. Squashed and rebased images, and some builders, have such histories.", "Nothing.", {}},
    Rule{"anomaly.history-mismatch", Category::anomaly, Severity::info, Confidence::low, "History tells of other files than the layer brings",
         "The history is free text, written by whoever made the image.", "Believe the layer, not the history.", {"T1036"}},
    Rule{"hidden-content.unreferenced-blob", Category::hidden_content, Severity::low, Confidence::medium, "Blob that no manifest refers to",
         "The archive carries data that is not part of any image in it. Tools leave such rests behind; it is also a way to bring content along unseen.",
         "Remove the blob, or find out where it comes from.", {"T1027.009"}},
    Rule{"anomaly.tar-too-many-entries", Category::anomaly, Severity::medium, Confidence::high, "More entries than the limit", "Archives with millions of entries are made to exhaust scanners.",
         "Raise --limit-layer-entries when the image is known to be so large.", {"T1499"}},
    Rule{"anomaly.compression-bomb", Category::anomaly, Severity::medium, Confidence::high, "Content that expands beyond the limit",
         "Content that unpacks to a multiple of its size is made to exhaust scanners. Large files of zeros do it innocently.",
         "Raise the limit named in the message when the file is known.", {"T1499"}},
    Rule{"obfuscation.encrypted-archive", Category::obfuscation, Severity::low, Confidence::medium, "Encrypted archive",
         "Encrypted content cannot be audited. Test data and licensed installers are encrypted too.", "Find out what the archive is for.", {"T1027.013"}},
    Rule{"obfuscation.packed-program", Category::obfuscation, Severity::medium, Confidence::medium, "Packed program that could not be unpacked",
         "What runs is unpacked in memory and could not be looked at: the packed form is damaged, changed on purpose, or larger than the limit.",
         "Unpack it with `upx -d` and scan the result; if that fails, treat it as malware.", {"T1027.002"}},
    Rule{"anomaly.foreign-layer", Category::anomaly, Severity::medium, Confidence::high, "Layer is fetched from a foreign address",
         "Clients download the layer from a URL that the manifest names, so that its bytes never passed an audit.", do_not_use, {"T1105"}},
    Rule{"dropper.payload-outside", Category::dropper, Severity::high, Confidence::medium, "Starts a file that is fetched when the container runs",
         "One script fetches the file, another starts it: what runs is not in the image, and whoever controls the server decides what it is.",
         "Fetch at build time, check a pinned digest, and start what was checked.", {"T1105", "T1204.003"}},
    Rule{"anomaly.layer-count", Category::anomaly, Severity::medium, Confidence::high, "Manifest and config name different numbers of layers",
         "Which layers a container has then depends on the reader.", do_not_use, {"T1027"}},
};

struct Family {
  std::string_view part, rule;
};
// The first that the diagnostic contains.
constexpr std::array families = {
    Family{"obfuscation.upx-", "obfuscation.packed-program"}, Family{"obfuscation.too-many-programs", "obfuscation.packed-program"},
    Family{"tar-after-end", "hidden-content.tar-after-end"}, Family{"tar-padding", "hidden-content.tar-padding"},
    Family{"-after-end", "hidden-content.archive-slack"},  Family{"tar-undecodable", "hidden-content.archive-slack"},
    Family{"header-slack", "hidden-content.archive-slack"},  Family{"hidden-content.", "hidden-content.trailing-data"}, Family{"integrity.", "integrity.document-digest"},
    Family{"anomaly.tar-", "anomaly.archive-ambiguous"},     Family{"anomaly.zip-", "anomaly.archive-ambiguous"},    Family{"anomaly.ar-", "anomaly.archive-ambiguous"},
    Family{"anomaly.cpio-", "anomaly.archive-ambiguous"},    Family{"anomaly.rpm-", "anomaly.archive-ambiguous"},    Family{"anomaly.json-", "anomaly.document"},
    Family{"anomaly.descriptor-", "anomaly.document"},       Family{"anomaly.manifest-", "anomaly.document"},        Family{"anomaly.index-", "anomaly.document"},
    Family{"anomaly.config-", "anomaly.document"},           Family{"anomaly.platform-mismatch", "anomaly.document"},        Family{"anomaly.docker-archive", "anomaly.document"},
    Family{"anomaly.elf-", "anomaly.elf"},
};

}  // namespace

std::string_view family_of(std::string_view diagnostic) {
  for (const Rule& rule : rules) {
    if (rule.id == diagnostic) return rule.id;
  }
  for (const Family& family : families) {
    if (diagnostic.find(family.part) != std::string_view::npos) return family.rule;
  }
  return "anomaly.malformed";
}

std::span<const Rule> audit_rules() { return rules; }

}  // namespace lazaret::audit
