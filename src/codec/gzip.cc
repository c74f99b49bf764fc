// gzip (RFC 1952) and raw deflate (RFC 1951), by isa-l.
//
// A gzip file is a series of members. isa-l reads one; the loop over members is ours, since readers differ here: Go and gzip read all members,
// some libraries stop after the first. isa-l's own header reading inside inflate is not used, because it loses the position between members;
// isal_read_gzip_header reads each header, in as many calls as the input needs.
#include <isa-l/igzip_lib.h>

#include <cstring>
#include <vector>

#include "codec/decoders.h"

namespace lazaret::codec {
namespace {

// The optional fields of a header are someone's bytes too: a name of 4 KiB and an extra field of 64 KiB are all that is kept.
constexpr std::size_t name_bytes = 4096;
constexpr std::size_t extra_bytes = 65536;

class GzipDecoder final : public LimitedDecoder {
 public:
  GzipDecoder(const DecoderLimits& limits, SideContent* side) : LimitedDecoder(limits, side) { begin_member(); }

 private:
  enum class State { header, body, trailer, between, trailing };

  void begin_member() {
    isal_inflate_init(&inflate_);
    inflate_.crc_flag = ISAL_GZIP_NO_HDR_VER;
    isal_gzip_header_init(&header_);
    header_.name = name_.data();
    header_.name_buf_len = name_.size();
    header_.comment = comment_.data();
    header_.comment_buf_len = comment_.size();
    header_.extra = extra_.data();
    header_.extra_buf_len = extra_.size();
    state_ = State::header;
    header_seen_ = false;
  }

  std::size_t decode_some(Bytes& in, std::span<std::uint8_t> out) override {
    switch (state_) {
      case State::header: return read_header(in);
      case State::body: return read_body(in, out);
      case State::between: return look_for_member(in);
      case State::trailer:
      case State::trailing: take_trailing(in); return 0;
    }
    return 0;
  }

  std::size_t read_header(Bytes& in) {
    if (in.empty()) return 0;
    header_seen_ = true;
    give(in);
    const int code = isal_read_gzip_header(&inflate_, &header_);
    taken(in);
    if (code == ISAL_DECOMP_OK) {
      emit_fields();
      state_ = State::body;
    } else if (code == ISAL_NAME_OVERFLOW || code == ISAL_COMMENT_OVERFLOW || code == ISAL_EXTRA_OVERFLOW) {
      stop("anomaly.undecodable", "a field of the gzip header is larger than any honest one");
    } else if (code != ISAL_END_INPUT) {
      stop("anomaly.undecodable", "the gzip header is damaged");
    }
    return 0;
  }

  void emit_fields() {
    const auto text = [](const std::vector<char>& field) { return as_bytes(std::string_view(field.data(), strnlen(field.data(), field.size()))); };
    if ((header_.flags & 8) != 0) emit_side("gzip-name", text(name_), true);
    if ((header_.flags & 16) != 0) emit_side("gzip-comment", text(comment_), true);
    if (header_.extra_len > 0) emit_side("gzip-extra", Bytes(extra_.data(), std::min<std::size_t>(header_.extra_len, extra_.size())), true);
  }

  std::size_t read_body(Bytes& in, std::span<std::uint8_t> out) {
    give(in);
    inflate_.next_out = out.data();
    inflate_.avail_out = static_cast<std::uint32_t>(std::min<std::size_t>(out.size(), 1u << 30));
    const std::uint32_t room = inflate_.avail_out;
    const int code = isal_inflate(&inflate_);
    const std::size_t written = room - inflate_.avail_out;
    taken(in);
    if (code == ISAL_INCORRECT_CHECKSUM) {
      note("anomaly.gzip-checksum", "the gzip checksum or length is wrong: tools differ in whether they accept the content");
      state_ = State::between;
    } else if (code < 0) {
      stop("anomaly.undecodable", "the deflate stream is damaged");
    } else if (inflate_.block_state == ISAL_BLOCK_FINISH) {
      state_ = State::between;
      ++members_;
    }
    return written;
  }

  // A further member begins with the magic number; the first two bytes may come in two pieces.
  std::size_t look_for_member(Bytes& in) {
    if (in.empty()) return 0;
    if (in[0] != 0x1f) {
      state_ = State::trailing;
      take_trailing(in);
      return 0;
    }
    if (in.size() >= 3 && (in[1] != 0x8b || in[2] != 8)) {
      state_ = State::trailing;
      take_trailing(in);
      return 0;
    }
    if (members_ == 1) note("anomaly.gzip-extra-member", "the stream has more than one gzip member; readers that stop after the first do not see the rest");
    begin_member();
    return 0;
  }

  void end_of_stream() override {
    if (state_ == State::body || (state_ == State::header && (header_seen_ || members_ == 0))) {
      if (bytes_in_ > 0) stop("anomaly.truncated-stream", "the gzip stream ends before its end");
    }
  }

  void give(Bytes in) {
    inflate_.next_in = const_cast<std::uint8_t*>(in.data());  // isa-l does not write to its input
    inflate_.avail_in = static_cast<std::uint32_t>(std::min<std::size_t>(in.size(), 1u << 30));
    given_ = inflate_.avail_in;
  }
  void taken(Bytes& in) { take(in, given_ - inflate_.avail_in); }

  inflate_state inflate_;
  isal_gzip_header header_;
  std::uint32_t given_ = 0;
  State state_ = State::header;
  bool header_seen_ = false;
  std::uint64_t members_ = 0;
  std::vector<char> name_ = std::vector<char>(name_bytes), comment_ = std::vector<char>(name_bytes);
  std::vector<std::uint8_t> extra_ = std::vector<std::uint8_t>(extra_bytes);
};

class RawDeflateDecoder final : public LimitedDecoder {
 public:
  RawDeflateDecoder(const DecoderLimits& limits, SideContent* side) : LimitedDecoder(limits, side) {
    isal_inflate_init(&inflate_);
    inflate_.crc_flag = ISAL_DEFLATE;
  }

 private:
  std::size_t decode_some(Bytes& in, std::span<std::uint8_t> out) override {
    if (done_) {
      take_trailing(in);
      return 0;
    }
    inflate_.next_in = const_cast<std::uint8_t*>(in.data());
    inflate_.avail_in = static_cast<std::uint32_t>(std::min<std::size_t>(in.size(), 1u << 30));
    const std::uint32_t given = inflate_.avail_in;
    inflate_.next_out = out.data();
    inflate_.avail_out = static_cast<std::uint32_t>(std::min<std::size_t>(out.size(), 1u << 30));
    const std::uint32_t room = inflate_.avail_out;
    const int code = isal_inflate(&inflate_);
    const std::size_t written = room - inflate_.avail_out;
    take(in, given - inflate_.avail_in);
    if (code < 0) stop("anomaly.undecodable", "the deflate stream is damaged");
    if (inflate_.block_state == ISAL_BLOCK_FINISH) done_ = true;
    return written;
  }
  void end_of_stream() override {
    if (!done_) stop("anomaly.truncated-stream", "the deflate stream ends before its end");
  }

  inflate_state inflate_;
  bool done_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder(const DecoderLimits& limits, SideContent* side) {
  return std::make_unique<GzipDecoder>(limits, side);
}

std::unique_ptr<Decoder> make_raw_deflate_decoder(const DecoderLimits& limits, SideContent* side) {
  return std::make_unique<RawDeflateDecoder>(limits, side);
}

}  // namespace lazaret::codec
