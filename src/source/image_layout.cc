#include "source/image_layout.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "format/json.h"
#include "format/oci.h"
#include "source/oci_graph.h"
#include "source/reference.h"

namespace lazaret::source {
namespace {

constexpr std::string_view ref_name = "org.opencontainers.image.ref.name";
constexpr std::string_view containerd_name = "io.containerd.image.name";

std::string normal_name(std::string_view name) {
  const auto parsed = parse_image_name(name);
  return parsed ? parsed->str() : std::string(name);
}

bool same_name(std::string_view wanted, std::string_view name) {
  return !name.empty() && (wanted == name || normal_name(wanted) == normal_name(name));
}

// A tag alone ("latest") is what OCI layouts mostly carry.
bool descriptor_is_wanted(const format::Descriptor& descriptor, std::string_view wanted) {
  if (wanted == descriptor.digest.str() || (wanted.starts_with('@') && wanted.substr(1) == descriptor.digest.str())) return true;
  for (const auto& [key, value] : descriptor.annotations) {
    if ((key == ref_name || key == containerd_name) && same_name(wanted, value)) return true;
  }
  return false;
}

std::string path_of(const Digest& digest) {
  const std::string text = digest.str();
  const auto colon = text.find(':');
  return colon == std::string::npos ? "" : "blobs/" + text.substr(0, colon) + "/" + text.substr(colon + 1);
}

class Reader {
 public:
  Reader(const ImageMembers& members, const Target& target, const SourceOptions& options) : members_(members), wanted_(target.reference), options_(options) {}

  Result<LayoutReading> read(const std::string& reference) {
    reading_.image.reference = reference;
    const bool has_index = document("index.json") != nullptr, has_docker = document("manifest.json") != nullptr;
    if (!has_index && !has_docker) {
      return Error{ErrorCode::not_found, "neither an index.json (OCI layout) nor a manifest.json (docker save) is in it: this is no container image"};
    }
    if (has_index) {
      if (auto read = read_index(); !read) return read.error();
    }
    if (has_docker) read_docker();
    if (selected_.empty()) {
      return Error{ErrorCode::not_found, wanted_.empty() ? "there is no image in it" : fmt::format("there is no image \"{}\" in it{}", wanted_, names_.empty() ? "" : "; there is " + names_)};
    }
    set_top();
    exclude();
    for (GraphManifest& manifest : selected_) {
      for (auto& document : manifest.documents) reading_.image.documents.push_back(std::move(document));
      for (auto& found : manifest.diagnostics) reading_.image.diagnostics.push_back(std::move(found));
      for (auto& part : manifest.unaudited) reading_.image.unaudited.push_back(std::move(part));
      reading_.image.manifests.push_back(std::move(manifest.description));
    }
    add_other_documents();
    for (const Diagnostic& found : members_.diagnostics()) reading_.image.diagnostics.push_back(found);
    if (members_.overflowed()) reading_.image.unaudited.emplace_back("", "the archive has more members than are looked at");
    return std::move(reading_);
  }

 private:
  const std::string* document(std::string_view path) {
    const auto index = members_.find(path);
    if (!index || !members_.all()[*index].document) return nullptr;
    used_documents_.insert(*index);
    return &*members_.all()[*index].document;
  }

  // --- OCI ------------------------------------------------------------------------------------------------------------------------------
  Result<void> read_index() {
    const std::string& text = *document("index.json");
    const format::IndexDocument index = format::parse_index(text, options_.limits);
    for (const Diagnostic& found : index.diagnostics) reading_.image.diagnostics.push_back(found);
    reading_.image.documents.emplace_back("index.json", text);
    OciGraph graph(
        [this](const format::Descriptor& descriptor, std::uint64_t limit) -> Result<std::string> {
          const std::string path = path_of(descriptor.digest);
          const auto member = path.empty() ? std::nullopt : members_.find(path);
          if (!member) return Error{ErrorCode::not_found, fmt::format("the blob {} is missing", descriptor.digest.str())};
          const std::string* found = document(path);
          if (found == nullptr) return Error{ErrorCode::corrupt, fmt::format("the blob {} is no JSON document", descriptor.digest.str())};
          if (found->size() > limit) return Error{ErrorCode::limit, fmt::format("the document {} is larger than {} bytes", descriptor.digest.str(), limit)};
          return *found;
        },
        [this](const Digest& digest) { return key_of(path_of(digest)); }, options_);
    std::size_t wanted = 0;
    std::vector<GraphManifest> others;
    for (const format::Descriptor& descriptor : index.manifests) {
      note_name(descriptor);
      const bool is_wanted = wanted_.empty() || descriptor_is_wanted(descriptor, wanted_);
      const std::size_t before = graph.manifests.size();
      graph.follow(descriptor);
      if (is_wanted) {
        ++wanted;
        top_ = descriptor;
        continue;
      }
      // Followed all the same, so that what belongs to it alone can be left out.
      for (std::size_t i = before; i < graph.manifests.size(); ++i) others.push_back(std::move(graph.manifests[i]));
      graph.manifests.resize(before);
    }
    if (wanted != 1) top_ = {};
    index_digest_ = sha256(as_bytes(text));
    index_type_ = index.media_type.empty() ? "application/vnd.oci.image.index.v1+json" : index.media_type;
    if (wanted > 0) {
      if (auto selected = select_platform(graph.manifests, options_, &left_out_); !selected) return selected;
    }
    for (GraphManifest& manifest : others) left_out_.push_back(std::move(manifest));
    for (auto& item : graph.documents) reading_.image.documents.push_back(std::move(item));
    for (auto& found : graph.diagnostics) reading_.image.diagnostics.push_back(std::move(found));
    for (auto& part : graph.unaudited) reading_.image.unaudited.push_back(std::move(part));
    for (GraphManifest& manifest : graph.manifests) {
      if (wanted > 0) selected_.push_back(std::move(manifest));
    }
    return {};
  }

  void note_name(const format::Descriptor& descriptor) {
    for (const auto& [key, value] : descriptor.annotations) {
      if (key == ref_name) add_name(value);
    }
  }
  void add_name(const std::string& name) {
    if (names_.size() < 300) names_ += (names_.empty() ? "" : ", ") + name;
  }

  std::string key_of(const std::string& path) const {
    const auto index = members_.find(path);
    return index ? members_.all()[*index].key : path;
  }

  // --- docker save ------------------------------------------------------------------------------------------------------------------------
  void read_docker() {
    const std::string& text = *document("manifest.json");
    const format::DockerArchiveDocument archive = format::parse_docker_archive_manifest(text, options_.limits);
    for (const Diagnostic& found : archive.diagnostics) reading_.image.diagnostics.push_back(found);
    reading_.image.documents.emplace_back("manifest.json", text);
    docker_digest_ = sha256(as_bytes(text));
    std::size_t number = 0;
    for (const format::DockerArchiveImage& image : archive.images) {
      bool wanted = wanted_.empty() || wanted_ == "@" + std::to_string(number);
      ++number;
      for (const std::string& tag : image.tags) {
        add_name(tag);
        wanted = wanted || same_name(wanted_, tag);
      }
      GraphManifest manifest = docker_manifest(image);
      const std::string& platform = manifest.description.platform;
      wanted = wanted && (options_.platform.empty() || platform_matches(options_.platform, platform));
      // Docker 25 and later write both forms: the same image once is enough, a different one is told apart by its config.
      const auto same_config = [&](const GraphManifest& other) {
        return other.description.config_digest == manifest.description.config_digest && !manifest.description.config_digest.empty() &&
               other.description.layers.size() == manifest.description.layers.size();
      };
      if (std::any_of(selected_.begin(), selected_.end(), same_config) || std::any_of(left_out_.begin(), left_out_.end(), same_config)) {
        if (wanted && std::none_of(selected_.begin(), selected_.end(), same_config)) {
          const auto other = std::find_if(left_out_.begin(), left_out_.end(), same_config);
          selected_.push_back(std::move(*other));
          left_out_.erase(other);
        }
        continue;
      }
      (wanted ? selected_ : left_out_).push_back(std::move(manifest));
    }
  }

  GraphManifest docker_manifest(const format::DockerArchiveImage& image) {
    GraphManifest manifest;
    format::ManifestDescription& description = manifest.description;
    description.media_type = "application/vnd.docker.container.image.v1+json";
    if (const std::string* config = document(image.config)) {
      auto parsed = format::parse_config(*config, options_.limits);
      for (auto& found : parsed.diagnostics) manifest.diagnostics.push_back(std::move(found));
      description.config = std::move(parsed.config);
      description.config_json = *config;
      description.config_digest = description.digest = sha256(as_bytes(*config));
      description.platform = format::platform_of(description.config);
      // The member is named after the config's digest.
      const std::string hex = description.config_digest.hex();
      const auto slash = image.config.rfind('/');
      const std::string name = image.config.substr(slash == std::string::npos ? 0 : slash + 1);
      if (name.size() >= 64 && name.find_first_not_of("0123456789abcdef") >= 64 && !name.starts_with(hex)) {
        manifest.diagnostics.push_back({"integrity.document-digest", fmt::format("the config is named {}, its bytes are sha256:{}", image.config, hex), 0, false, 0});
      }
    } else {
      manifest.unaudited.emplace_back(image.config, "the config of the image is missing or no JSON document");
    }
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
      format::LayerReference layer;
      layer.key = key_of(clean_path(image.layers[i]));
      manifest.blobs.push_back(layer.descriptor);
      description.layers.push_back(std::move(layer));
    }
    return manifest;
  }

  // --- both -------------------------------------------------------------------------------------------------------------------------------
  void set_top() {
    if (!top_.digest.empty()) {
      reading_.image.digest = top_.digest;
      reading_.image.media_type = top_.media_type;
    } else if (selected_.size() == 1) {
      reading_.image.digest = selected_.front().description.digest;
      reading_.image.media_type = selected_.front().description.media_type;
    } else {
      reading_.image.digest = index_digest_.empty() ? docker_digest_ : index_digest_;
      reading_.image.media_type = index_digest_.empty() ? "application/json" : index_type_;
    }
  }

  // What only images outside of the target have is left out; everything else, referred to or not, belongs to it.
  void exclude() {
    std::set<std::string> inside;
    for (const GraphManifest& manifest : selected_) {
      const format::ManifestDescription& description = manifest.description;
      for (std::size_t i = 0; i < description.layers.size(); ++i) {
        const std::string& key = description.layers[i].key;
        inside.insert(key);
        BlobOffer& claim = reading_.claims[key];
        claim.digest = description.layers[i].descriptor.digest;
        claim.media_type = description.layers[i].descriptor.media_type;
        if (i < description.config.diff_ids.size()) claim.diff_id = description.config.diff_ids[i];
        for (std::size_t index = 0; index < members_.all().size(); ++index) {
          if (members_.all()[index].key == key && members_.all()[index].document && named_documents_.insert(index).second) {
            reading_.documents_as_blobs.push_back(index);
          }
        }
      }
    }
    for (const GraphManifest& manifest : left_out_) {
      for (const auto& layer : manifest.description.layers) {
        if (!inside.contains(layer.key)) reading_.excluded.insert(layer.key);
      }
      for (const auto& [name, text] : manifest.documents) excluded_documents_.insert(text);
      excluded_documents_.insert(manifest.description.config_json);
    }
  }

  // Documents that nothing refers to are text that somebody shipped.
  void add_other_documents() {
    for (std::size_t i = 0; i < members_.all().size(); ++i) {
      const Member& member = members_.all()[i];
      if (!member.document || used_documents_.contains(i) || named_documents_.contains(i) || excluded_documents_.contains(*member.document)) continue;
      reading_.image.documents.emplace_back(member.path, *member.document);
    }
  }

  const ImageMembers& members_;
  const std::string wanted_;
  const SourceOptions& options_;
  LayoutReading reading_;
  std::vector<GraphManifest> selected_, left_out_;
  format::Descriptor top_;
  Digest index_digest_, docker_digest_;
  std::string index_type_, names_;
  std::set<std::size_t> used_documents_, named_documents_;
  std::set<std::string> excluded_documents_;
};

}  // namespace

bool is_json_document(std::string_view text, const Limits& limits) {
  return format::parse_json(text, {static_cast<std::size_t>(limits.json_depth), 1'000'000, false}).valid;
}

Result<LayoutReading> read_layout(const ImageMembers& members, const Target& target, const std::string& reference, const SourceOptions& options) {
  return Reader(members, target, options).read(reference);
}

BlobOffer offer_of(const Member& member, const LayoutReading& reading) {
  BlobOffer offer;
  if (const auto claim = reading.claims.find(member.key); claim != reading.claims.end()) offer = claim->second;
  offer.key = member.key;
  offer.size = member.size;
  if (offer.digest.empty() && member.path.starts_with("blobs/")) {
    // The name of a blob in a layout is a claim as well.
    std::string name = member.path.substr(6);
    std::replace(name.begin(), name.end(), '/', ':');
    offer.digest = Digest::parse(name).value_or(Digest());
  }
  return offer;
}

std::vector<PendingBlob> document_blobs(const ImageMembers& members, const LayoutReading& reading) {
  std::vector<PendingBlob> blobs;
  for (const std::size_t index : reading.documents_as_blobs) {
    const Member& member = members.all()[index];
    blobs.push_back(blob_in_memory(offer_of(member, reading), *member.document));
  }
  return blobs;
}

Result<format::ImageDescription> finish_archive(ArchiveStream& stream, const Target& target, const std::string& reference, BlobConsumer& consumer,
                                                const SourceOptions& options) {
  auto reading = read_layout(stream.members(), target, reference, options);
  if (!reading) return reading.error();
  std::vector<PendingBlob> blobs = document_blobs(stream.members(), *reading);
  for (auto& blob : stream.side().take(stream.unaudited())) blobs.push_back(std::move(blob));
  if (const auto delivered = deliver_blobs(blobs, consumer, options); !delivered) return delivered.error();
  for (auto& found : stream.take_diagnostics()) reading->image.diagnostics.push_back(std::move(found));
  for (auto& part : stream.unaudited()) reading->image.unaudited.push_back(std::move(part));
  return std::move(reading->image);
}

}  // namespace lazaret::source
