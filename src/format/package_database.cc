#include "format/package_database.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace lazaret::format {
namespace {

// Longer names and versions are no package's (deb-version(7) has no limit; dpkg's own tools have).
constexpr std::size_t field_bytes = 512;

// Calls `visit` with each line, without its end.
template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(line);
  }
}

std::optional<std::string_view> field_of(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':' || !equals_ignore_case(line.substr(0, name.size()), name)) return std::nullopt;
  return trim(line.substr(name.size() + 1)).substr(0, field_bytes);
}

// The value of each hexadecimal digit; more than 15 for any other byte.
constexpr std::array<std::uint8_t, 256> hex_values = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(0xff);
  for (unsigned i = 0; i < 10; ++i) values['0' + i] = static_cast<std::uint8_t>(i);
  for (unsigned i = 0; i < 6; ++i) values['a' + i] = values['A' + i] = static_cast<std::uint8_t>(10 + i);
  return values;
}();

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// The bytes of apk's checksum into `buffer`; "" when it is none.
std::string_view apk_checksum(std::string_view value, std::array<char, 32>& buffer) {
  if (value.size() < 2 || value[0] != 'Q' || (value[1] != '1' && value[1] != '2')) return {};
  const std::size_t wanted = value[1] == '1' ? 20 : 32;
  std::size_t size = 0;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : value.substr(2)) {
    const int digit = base64_value(c);
    if (digit < 0) break;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    if (++count % 4 == 1) continue;
    if (size == wanted) return {};
    buffer[size++] = static_cast<char>(bits >> (count % 4 == 2 ? 4 : count % 4 == 3 ? 2 : 0));
  }
  return size == wanted ? std::string_view(buffer.data(), size) : std::string_view();
}

// 16 bytes from 32 digits at the begin of `text`, which has as many.
bool read_md5(std::string_view text, std::array<char, 16>& md5) {
  unsigned wrong = 0;
  for (std::size_t i = 0; i < md5.size(); ++i) {
    const unsigned high = hex_values[static_cast<std::uint8_t>(text[2 * i])], low = hex_values[static_cast<std::uint8_t>(text[2 * i + 1])];
    wrong |= high | low;
    md5[i] = static_cast<char>(high << 4 | low);
  }
  return wrong < 16;
}

}  // namespace

std::vector<DpkgPackage> parse_dpkg_status(std::string_view text) {
  std::vector<DpkgPackage> packages;
  DpkgPackage package;
  package.installed = true;
  bool in_conffiles = false;
  const auto end = [&] {
    if (!package.name.empty()) packages.push_back(std::move(package));
    package = {};
    package.installed = true;
  };
  for_each_line(text, [&](std::string_view line) {
    if (trim(line).empty()) {
      in_conffiles = false;
      return end();
    }
    if (line.front() == ' ' || line.front() == '\t') {
      if (in_conffiles) package.conffiles = std::string_view(package.conffiles.data(), static_cast<std::size_t>(line.data() + line.size() - package.conffiles.data()));
      return;
    }
    in_conffiles = false;
    if (const auto name = field_of(line, "Package")) package.name = *name;
    else if (const auto version = field_of(line, "Version")) package.version = *version;
    else if (const auto architecture = field_of(line, "Architecture")) package.architecture = *architecture;
    else if (const auto multi = field_of(line, "Multi-Arch")) package.multi_arch_same = *multi == "same";
    else if (const auto lines = field_of(line, "Conffiles")) {
      in_conffiles = true;
      package.conffiles = line.substr(line.size());
    } else if (const auto status = field_of(line, "Status")) {
      // want, error, state: a package whose configuration failed or waits has its files in place.
      package.installed = !status->ends_with(" not-installed") && !status->ends_with(" config-files");
    }
  });
  end();
  return packages;
}

void read_dpkg_md5sums(std::string_view text, const PackagedFileVisitor& visit) {
  std::string path;
  for_each_line(text, [&](std::string_view line) {
    if (line.size() < 35 || line[32] != ' ') return;
    std::array<char, 16> md5;
    if (!read_md5(line, md5)) return;
    std::string_view name = line.substr(34);
    while (name.starts_with("./")) name.remove_prefix(2);
    path.assign(name.starts_with('/') ? "" : "/");
    path += name;
    visit({path, {md5.data(), md5.size()}, 0});
  });
}

void read_dpkg_conffiles(std::string_view lines, const PackagedFileVisitor& visit) {
  for_each_line(lines, [&](std::string_view line) {
    line = trim(line);
    // A path may hold blanks; what stands behind it does not.
    std::string_view checksum;
    for (bool flag = true; flag;) {
      const std::size_t blank = line.rfind(' ');
      if (blank == std::string_view::npos) return;
      checksum = line.substr(blank + 1);
      line = trim(line.substr(0, blank));
      flag = checksum == "obsolete" || checksum == "remove-on-upgrade";
    }
    std::array<char, 16> md5;
    if (!line.starts_with('/') || line.size() < 2) return;
    if (checksum.size() == 32 && read_md5(checksum, md5)) {
      visit({line, {md5.data(), md5.size()}, 0});
    } else {
      visit({line, {}, 0});
    }
  });
}

void read_dpkg_list(std::string_view text, const PackagedFileVisitor& visit) {
  for_each_line(text, [&](std::string_view line) {
    if (line.starts_with('/') && line.size() > 1 && line != "/.") visit({line, {}, 0});
  });
}

std::vector<DpkgDiversion> parse_dpkg_diversions(std::string_view text) {
  std::vector<DpkgDiversion> diversions;
  std::array<std::string_view, 3> lines;
  std::size_t count = 0;
  for_each_line(text, [&](std::string_view line) {
    lines[count++] = line;
    if (count < lines.size()) return;
    count = 0;
    if (lines[0].starts_with('/') && lines[1].starts_with('/')) {
      diversions.push_back({std::string(lines[0]), std::string(lines[1]), lines[2] == ":" ? "" : std::string(lines[2].substr(0, field_bytes))});
    }
  });
  return diversions;
}

void read_apk_installed(std::string_view text, const std::function<void(const ApkPackage& package)>& visit) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = text.find("\n\n", begin);
    end = end == std::string_view::npos ? text.size() : end + 1;
    ApkPackage package;
    package.paragraph = text.substr(begin, end - begin);
    begin = end;
    while (begin < text.size() && text[begin] == '\n') ++begin;
    for_each_line(package.paragraph, [&](std::string_view line) {
      if (line.size() < 2 || line[1] != ':') return;
      const std::string_view value = line.substr(2, field_bytes);
      switch (line[0]) {
        case 'P': package.name = value; break;
        case 'V': package.version = value; break;
        case 'A': package.architecture = value; break;
        case 'C': package.checksum = value; break;
        default: break;
      }
    });
    if (!package.name.empty()) visit(package);
  }
}

void read_apk_files(std::string_view paragraph, const PackagedFileVisitor& visit) {
  std::string_view folder, file, checksum;
  std::array<char, 32> buffer;
  std::uint32_t mode = 0;
  std::string path;
  const auto end = [&] {
    if (file.empty()) return;
    path.assign("/");
    path += folder;
    if (!path.ends_with('/')) path += '/';
    path += file;
    visit({path, checksum, mode});
    file = checksum = {};
    mode = 0;
  };
  for_each_line(paragraph, [&](std::string_view line) {
    if (line.size() < 2 || line[1] != ':') return;
    const std::string_view value = line.substr(2);
    switch (line[0]) {
      case 'F':
        end();
        folder = value.substr(std::min(value.find_first_not_of('/'), value.size()));
        break;
      case 'R':
        end();
        file = value;
        break;
      case 'Z': checksum = apk_checksum(value, buffer); break;
      case 'a':  // owner:group:mode
        if (const auto colon = value.rfind(':'); !file.empty() && colon != std::string_view::npos) {
          mode = 0;
          for (const char c : value.substr(colon + 1).substr(0, 5)) {
            if (c < '0' || c > '7') break;
            mode = mode << 3 | static_cast<std::uint32_t>(c - '0');
          }
        }
        break;
      default: break;
    }
  });
  end();
}

std::optional<std::string> os_release_field(std::string_view text, std::string_view field) {
  std::optional<std::string> value;
  for_each_line(text, [&](std::string_view line) {
    line = trim(line);
    if (!line.starts_with(field) || line.size() <= field.size() || line[field.size()] != '=') return;
    std::string_view read = line.substr(field.size() + 1);
    if (read.size() >= 2 && (read.front() == '"' || read.front() == '\'') && read.back() == read.front()) read = read.substr(1, read.size() - 2);
    value = read.substr(0, field_bytes);  // as a shell that reads the file: the last one counts
  });
  return value;
}

}  // namespace lazaret::format
