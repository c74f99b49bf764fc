// gzip (RFC 1952) and raw deflate (RFC 1951), by isa-l.
//
// A gzip file is a series of members. isa-l reads one; the loop over members is ours, since readers differ here: Go and gzip read all members,
// some libraries stop after the first. isa-l's own header reading inside inflate is not used, because it loses the position between members;
// isal_read_gzip_header reads each header, in as many calls as the input needs.
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "codec/decoders.h"

namespace lazaret::codec {
namespace {

// The optional fields of a header are someone's bytes too: a name of 4 KiB and an extra field of 64 KiB are all that is kept.
constexpr std::size_t name_bytes = 4096;
constexpr std::size_t extra_bytes = 65536;
constexpr std::array<std::uint8_t, 3> magic = {0x1f, 0x8b, 8};

// Hands input to isa-l and tells how much of it was used.
//
// isa-l reads ahead by up to eight bytes. At damage it gives back what it did not need, perhaps more than the piece it was just given, since a
// part came with the piece before: without care the count of used bytes wraps around. At the end of raw deflate data it gives nothing back:
// what it had read ahead would be lost. The last eight bytes are therefore kept here.
class InflateInput {
 public:
  void give(inflate_state& inflate, Bytes in) {
    inflate.next_in = const_cast<std::uint8_t*>(in.data());  // isa-l does not write to its input
    inflate.avail_in = static_cast<std::uint32_t>(std::min<std::size_t>(in.size(), 1u << 30));
    given_ = inflate.avail_in;
  }

  // Bytes at the front of `in`, which give() was called with, that were used up.
  std::size_t used(const inflate_state& inflate, Bytes in) {
    returned_ = 0;
    if (inflate.avail_in > given_) {
      returned_ = std::min<std::size_t>(inflate.avail_in - given_, ahead_size_);
      return 0;
    }
    const std::size_t size = given_ - inflate.avail_in;
    const Bytes last = in.first(size).last(std::min(size, ahead_.size()));
    const std::size_t keep = std::min(ahead_size_, ahead_.size() - last.size());
    std::copy(ahead_.begin() + static_cast<std::ptrdiff_t>(ahead_size_ - keep), ahead_.begin() + static_cast<std::ptrdiff_t>(ahead_size_),
              ahead_.begin());
    std::copy(last.begin(), last.end(), ahead_.begin() + static_cast<std::ptrdiff_t>(keep));
    ahead_size_ = keep + last.size();
    return size;
  }

  // At the end of raw deflate data: what was read ahead comes back.
  void give_back(const inflate_state& inflate) {
    returned_ = std::min<std::size_t>(static_cast<std::size_t>(std::max(0, inflate.read_in_length)) / 8, ahead_size_);
  }

  // Bytes that used() had counted but that were not needed.
  Bytes returned() const { return Bytes(ahead_.data() + ahead_size_ - returned_, returned_); }

 private:
  std::uint32_t given_ = 0;
  std::array<std::uint8_t, 8> ahead_{};  // the last bytes that were used
  std::size_t ahead_size_ = 0, returned_ = 0;
};

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
    input_.give(inflate_, in);
    const int code = isal_read_gzip_header(&inflate_, &header_);
    take(in, input_.used(inflate_, in));
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
    input_.give(inflate_, in);
    inflate_.next_out = out.data();
    inflate_.avail_out = static_cast<std::uint32_t>(std::min<std::size_t>(out.size(), 1u << 30));
    const std::uint32_t room = inflate_.avail_out;
    const int code = isal_inflate(&inflate_);
    const std::size_t written = room - inflate_.avail_out;
    take(in, input_.used(inflate_, in));
    if (code == ISAL_INCORRECT_CHECKSUM) {
      note("anomaly.gzip-checksum", "the gzip checksum or length is wrong: tools differ in whether they accept the content");
      state_ = State::between;
    } else if (code < 0) {
      stop("anomaly.undecodable", "the deflate stream is damaged", input_.returned());
    } else if (inflate_.block_state == ISAL_BLOCK_FINISH) {
      state_ = State::between;
      ++members_;
    }
    return written;
  }

  // A further member begins with the magic number, which may come in several pieces; anything else is somebody's data.
  std::size_t look_for_member(Bytes& in) {
    while (matched_ < magic.size() && !in.empty()) {
      if (in[0] != magic[matched_]) {
        no_member();
        if (!in.empty()) take_trailing(in);
        return 0;
      }
      ++matched_;
      take(in, 1);
    }
    if (matched_ < magic.size()) return 0;
    matched_ = 0;
    if (members_ == 1) note("anomaly.gzip-extra-member", "the stream has more than one gzip member; readers that stop after the first do not see the rest");
    begin_member();
    header_seen_ = true;
    input_.give(inflate_, magic);
    (void)isal_read_gzip_header(&inflate_, &header_);  // asks for more
    (void)input_.used(inflate_, magic);
    return 0;
  }

  void no_member() {
    state_ = State::trailing;
    Bytes begun = Bytes(magic).first(matched_);
    untake(begun);
    if (!begun.empty()) take_trailing(begun);
  }

  void end_of_stream() override {
    if (state_ == State::between) no_member();
    if (state_ == State::body || (state_ == State::header && (header_seen_ || members_ == 0))) {
      if (bytes_in_ > 0) stop("anomaly.truncated-stream", "the gzip stream ends before its end");
    }
  }

  inflate_state inflate_;
  isal_gzip_header header_;
  InflateInput input_;
  State state_ = State::header;
  bool header_seen_ = false;
  std::uint64_t members_ = 0;
  std::size_t matched_ = 0;  // bytes of the magic number of a further member
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
    input_.give(inflate_, in);
    inflate_.next_out = out.data();
    inflate_.avail_out = static_cast<std::uint32_t>(std::min<std::size_t>(out.size(), 1u << 30));
    const std::uint32_t room = inflate_.avail_out;
    const int code = isal_inflate(&inflate_);
    const std::size_t written = room - inflate_.avail_out;
    take(in, input_.used(inflate_, in));
    if (code < 0) {
      stop("anomaly.undecodable", "the deflate stream is damaged", input_.returned());
    } else if (inflate_.block_state == ISAL_BLOCK_FINISH) {
      done_ = true;
      input_.give_back(inflate_);
      untake(input_.returned());
      Bytes returned = input_.returned();
      take_trailing(returned);
    }
    return written;
  }
  void end_of_stream() override {
    if (!done_) stop("anomaly.truncated-stream", "the deflate stream ends before its end");
  }

  inflate_state inflate_;
  InflateInput input_;
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
