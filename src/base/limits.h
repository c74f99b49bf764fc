// Every limit of an audit, in one place.
//
// Reaching one never ends the audit and is never silent: the part that was left out becomes an
// entry of coverage.incomplete with its reason, and the verdict can no longer be clean. Each can be
// set with --limit-<name> (underscores become hyphens).
#pragma once

#include <cstdint>

namespace lazaret {

struct Limits {
  // --- decoding
  // -------------------------------------------------------------------------------------------------------
  // Decoded bytes of one layer, and of all content nested in one file of a layer.
  std::uint64_t layer_bytes = 256ull << 30;
  std::uint64_t nested_bytes = 8ull << 30;
  // Decoded bytes per encoded byte, once more than `ratio_grace` bytes came out. deflate cannot
  // exceed 1,032:1.
  std::uint64_t ratio = 1100;
  std::uint64_t nested_ratio = 200;
  std::uint64_t ratio_grace = 64ull << 20;
  // Window of zstd and xz decoders: memory that one stream may ask for.
  std::uint64_t decoder_window = 128ull << 20;

  // --- tar and other archives
  // -----------------------------------------------------------------------------------------
  std::uint64_t layer_entries = 10'000'000;
  std::uint64_t nested_entries = 1'000'000;  // of one nested archive
  std::uint64_t path_bytes = 4096 * 4;       // PATH_MAX is 4096; longer names are kept but reported
  std::uint64_t extended_header_bytes = 1ull << 20;
  std::uint64_t nesting_depth = 12;

  // --- files
  // ----------------------------------------------------------------------------------------------------------
  // Files up to this size are looked at whole; larger ones in overlapping windows.
  std::uint64_t whole_file_bytes = 72ull << 20;
  std::uint64_t nested_whole_file_bytes = 16ull << 20;  // the same for files inside files; halved at each level
  std::uint64_t file_window_bytes = 8ull << 20;
  std::uint64_t file_window_overlap = 64ull << 10;
  std::uint64_t yara_file_bytes = 128ull << 20;
  std::uint64_t yara_seconds = 60;  // for one file
  // Matches of the multi-pattern pass that are kept for one file.
  std::uint64_t pattern_hits = 1'000'000;
  // Encoded text (base64, hex) decoded out of one file.
  std::uint64_t encoded_text_bytes = 64ull << 20;
  std::uint64_t encoded_runs = 4096;
  std::uint64_t findings_per_file = 256;
  std::uint64_t findings = 20'000;

  // --- image documents
  // ------------------------------------------------------------------------------------------------
  std::uint64_t manifest_bytes =
      4ull << 20;  // OCI distribution-spec: registries should accept at least 4 MiB
  std::uint64_t config_bytes = 16ull << 20;
  std::uint64_t json_depth = 64;
  std::uint64_t index_depth = 4;
  std::uint64_t manifests = 1000;
  std::uint64_t layers = 1024;
  std::uint64_t documents_bytes = 32ull << 20;  // manifests, indexes and configs kept in memory
  std::uint64_t image_members = 100'000;  // members of an image archive, files of a layout folder

  // --- stores of container engines
  // ------------------------------------------------------------------------------------
  std::uint64_t store_document_bytes = 32ull << 20;   // images.json or layers.json of one store
  std::uint64_t store_database_bytes = 96ull << 20;  // containerd's meta.db, which is read whole
  std::uint64_t tar_split_line = 16ull << 20;         // one line of the record of a layer's tar form

  // --- machine
  // --------------------------------------------------------------------------------------------------------
  std::uint64_t buffer_bytes = 104ull << 20;  // file contents held in memory at one time
};

}  // namespace lazaret
