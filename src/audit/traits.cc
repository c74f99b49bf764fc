#include "audit/traits.h"

#include <algorithm>
#include <array>

#include "audit/file_digests.h"
#include "base/text.h"
#include "format/similarity_hash.h"

namespace lazaret::audit {
namespace {

constexpr std::size_t similar_bytes = 8u << 20;   // larger files are compared by digest only
constexpr std::size_t searched_bytes = 16u << 20;  // of a program, for paths
constexpr std::size_t keys_limit = 64, paths_limit = 8;

bool is_base64(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/'; }
bool is_path(char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != ':' && c != ',' && c != ';' && c != '(' && c != ')'; }

}  // namespace

std::vector<std::string> ssh_public_keys(std::string_view text) {
  // A key begins with the length and the name of its kind: "\0\0\0\x07ssh-rsa" and so on.
  static constexpr std::array<std::string_view, 5> beginnings = {"AAAAB3NzaC1yc2E", "AAAAC3NzaC1lZDI1NTE5", "AAAAE2VjZHNhLXNoYTIt", "AAAAGnNrLXNzaC1lZDI1NTE5", "AAAAB3NzaC1kc3M"};
  std::vector<std::string> keys;
  for (std::size_t at = text.find("AAAA"); at != std::string_view::npos && keys.size() < keys_limit; at = text.find("AAAA", at)) {
    std::size_t end = at;
    while (end < text.size() && is_base64(text[end])) ++end;
    std::string_view body = text.substr(at, end - at);
    const bool known = std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view beginning) { return body.starts_with(beginning); });
    // The shortest, ed25519, has 51 bytes.
    if (known && body.size() >= 68 && body.size() <= 4096 && std::find(keys.begin(), keys.end(), body) == keys.end()) keys.emplace_back(body);
    at = std::max(end, at + 1);
  }
  return keys;
}

std::vector<std::string> build_paths(Bytes program) {
  static constexpr std::array<std::string_view, 4> roots = {"/home/", "/root/", "/Users/", "/build/"};
  static constexpr std::array<std::string_view, 8> endings = {".c", ".cc", ".cpp", ".go", ".rs", ".h", ".hpp", ".s"};
  const std::string_view text = as_text(clamp(program, 0, searched_bytes));
  std::vector<std::string> paths;
  for (const std::string_view root : roots) {
    for (std::size_t at = text.find(root); at != std::string_view::npos && paths.size() < paths_limit; at = text.find(root, at + 1)) {
      if (at > 0 && is_path(text[at - 1])) continue;
      std::size_t end = at;
      while (end < text.size() && end - at < 512 && is_path(text[end])) ++end;
      const std::string_view path = text.substr(at, end - at);
      if (std::none_of(endings.begin(), endings.end(), [&](std::string_view ending) { return path.ends_with(ending); })) continue;
      // The project's folder: what follows the user's name.
      std::size_t cut = root.size();
      for (unsigned parts = root == "/root/" || root == "/build/" ? 1 : 2; parts > 0 && cut != std::string_view::npos; --parts) cut = path.find('/', cut + 1);
      if (cut == std::string_view::npos) continue;
      std::string folder(path.substr(0, cut));
      if (std::find(paths.begin(), paths.end(), folder) == paths.end()) paths.push_back(std::move(folder));
    }
  }
  return paths;
}

void collect_traits(const TraitSource& source, std::vector<Trait>& traits) {
  const auto add = [&](std::string_view type, std::string value) {
    if (value.empty() || traits.size() >= traits_limit) return;
    Trait trait{std::string(type), std::move(value), std::string(source.path), source.flagged};
    if (std::find(traits.rbegin(), traits.rbegin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(traits.size(), 64)), trait) ==
        traits.rbegin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(traits.size(), 64)))
      traits.push_back(std::move(trait));
  };
  const std::string_view text = as_text(source.content);
  const bool script = source.type.kind == format::FileKind::script || !source.is_file;
  if ((source.flagged && format::is_text(source.type.kind)) || !source.is_file || source.path.ends_with("authorized_keys")) {
    for (std::string& key : ssh_public_keys(text)) add("ssh-key", std::move(key));
  }
  // Of what nothing was found in, only programs and scripts that somebody put where packages do not.
  const bool added = source.is_file && !source.nested && (script || source.elf != nullptr) && !is_package_folder(source.path);
  if (!source.flagged && !added) return;
  if (source.is_file && !source.sha256.empty()) add("file-sha256", source.sha256.hex());
  if (source.elf != nullptr) {
    add("build-id", source.elf->build_id);
    add("go-build-id", source.elf->go_build_id);
  }
  if (!source.flagged || source.content.size() > similar_bytes) return;
  if (source.elf != nullptr) {
    add("program-tlsh", format::similarity_hash(source.content));
    for (std::string& path : build_paths(source.content)) add("build-path", std::move(path));
  } else if (script || format::is_text(source.type.kind)) {
    const std::string shape = format::script_shape(text);
    add("script-tlsh", format::similarity_hash(as_bytes(shape)));
    if (shape.size() >= 24) add("script-shape", sha256(as_bytes(shape)).hex());
  }
}

}  // namespace lazaret::audit
