#include "server/doctor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "audit/policy.h"
#include "audit/ruleset.h"
#include "base/file_descriptor.h"
#include "base/sqlite.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/pattern_database.h"
#include "store/account_store.h"

namespace lazaret::server {
namespace {

using Weight = Diagnosis::Weight;

constexpr std::uint64_t little_room = 5ull << 30;
constexpr std::int64_t this_program_was_written = 1'767'225'600'000;  // 2026-01-01

class Doctor {
 public:
  explicit Doctor(const Configuration& configuration) : configuration_(configuration) {}

  std::vector<Diagnosis> examine() {
    versions();
    patterns();
    clock();
    descriptors();
    data_folder();
    certificate();
    rules();
    acts();
    return std::move(found_);
  }

 private:
  void good(std::string what, std::string text) { found_.push_back({Weight::good, std::move(what), std::move(text), ""}); }
  void warn(std::string what, std::string text, std::string advice) { found_.push_back({Weight::warning, std::move(what), std::move(text), std::move(advice)}); }
  void fail(std::string what, std::string text, std::string advice) { found_.push_back({Weight::failure, std::move(what), std::move(text), std::move(advice)}); }

  void versions() {
    std::string sqlite = "unknown";
    if (auto database = SqliteDatabase::open(":memory:", 0)) {
      if (auto statement = database->prepare("SELECT sqlite_version()"); statement) {
        if (const auto row = statement->step(); row && *row) sqlite = std::string(statement->text(0));
      }
    }
    good("versions", fmt::format("lazaret {}, SQLite {}, {}", audit::engine_version(), sqlite, OpenSSL_version(OPENSSL_VERSION)));
  }

  void patterns() {
    // Libraries of that name exist which miss matches (docs/yara.md): what is not found here is not found in an image either.
    const engine::Pattern one[] = {engine::literal("lazaret")};
    if (const auto tested = engine::PatternDatabase::compile(one); !tested) {
      fail("pattern engine", tested.error().message, "Install libhyperscan5 of Debian, and not a Vectorscan in its place.");
    } else {
      good("pattern engine", "finds what it must find");
    }
  }

  void clock() {
    const std::int64_t now = milliseconds_now();
    if (now < this_program_was_written) {
      fail("clock", fmt::format("it is {}, before this program was written", to_rfc3339(now)), "Set the clock: tokens, the ledger and certificates depend on it.");
      return;
    }
    // A folder that was written to in the future was written under another clock.
    struct stat info {};
    const std::string path = configuration_.data + "/metadata.sqlite";
    if (::stat(path.c_str(), &info) == 0 && std::int64_t{info.st_mtime} * 1000 > now + 300'000) {
      warn("clock", fmt::format("{} was written at {}, and it is {}", path, to_rfc3339(std::int64_t{info.st_mtime} * 1000), to_rfc3339(now)),
           "Check that the clock is right; times in the ledger and in reports would go backwards.");
      return;
    }
    good("clock", to_rfc3339(now));
  }

  void descriptors() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    if (limit.rlim_max < 4096) {
      warn("open files", fmt::format("{} at most", limit.rlim_max), "Raise the limit (LimitNOFILE= in the unit, ulimit -n): each connection and each download needs one.");
    } else {
      good("open files", fmt::format("{} at most", limit.rlim_max));
    }
  }

  void data_folder() {
    const std::string& folder = configuration_.data;
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0) {
      const std::string parent = std::filesystem::path(folder).parent_path();
      if (::access(parent.empty() ? "." : parent.c_str(), W_OK) == 0) {
        good("data folder", fmt::format("{} is made at the first start", folder));
      } else {
        fail("data folder", fmt::format("{} is not there and cannot be made", folder), "Make it for the user that runs the server, or name another one with --data.");
      }
      return;
    }
    if (!S_ISDIR(info.st_mode)) return fail("data folder", fmt::format("{} is no folder", folder), "Name a folder with --data.");
    if ((info.st_mode & 077) != 0) {
      warn("data folder", fmt::format("{} can be entered by others (mode {:o})", folder, info.st_mode & 07777), fmt::format("chmod 700 {}", folder));
    }
    const std::string probe = fmt::format("{}/doctor-{}", folder, ::getpid());
    {
      const FileDescriptor file(::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      const bool written = file && ::write(file.get(), "x", 1) == 1 && ::fsync(file.get()) == 0;
      ::unlink(probe.c_str());
      if (!written) return fail("data folder", fmt::format("{} cannot be written", folder), "Give it to the user that runs the server, and look whether the disk is full or read-only.");
    }
    struct statvfs space {};
    const std::uint64_t room = ::statvfs(folder.c_str(), &space) == 0 ? std::uint64_t{space.f_bavail} * space.f_frsize : UINT64_MAX;
    if (room < little_room) {
      warn("data folder", fmt::format("{} left on its disk", format_bytes(room)), "Make room, or collect what is not needed (lazaret gc); a full disk refuses pushes.");
    } else {
      good("data folder", fmt::format("{}, {} left", folder, format_bytes(room)));
    }
    // As a server takes it (DataLock), but shared and only for this moment.
    const FileDescriptor lock(::open((folder + "/lock").c_str(), O_RDONLY | O_CLOEXEC));
    const bool busy = lock && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0;
    good("server", busy ? "one uses the data folder now" : "none uses the data folder now");
  }

  void certificate() {
    if (configuration_.certificate.empty()) {
      for (const std::string& listen : configuration_.listen) {
        if (listen.starts_with("unix:") || listen.starts_with("127.") || listen.starts_with("[::1]") || listen.starts_with("localhost:")) continue;
        warn("TLS", fmt::format("{} is reached by other machines without TLS", listen), "Passwords travel readable: set http.certificate and http.key, or put a TLS proxy before it.");
        return;
      }
      return;
    }
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(configuration_.certificate.c_str(), "r"), &std::fclose);
    const std::unique_ptr<X509, void (*)(X509*)> read(file ? PEM_read_X509(file.get(), nullptr, nullptr, nullptr) : nullptr, &X509_free);
    if (!read) return fail("TLS", fmt::format("there is no certificate in {}", configuration_.certificate), "http.certificate must name a readable file in PEM form.");
    if (::access(configuration_.key.c_str(), R_OK) != 0) return fail("TLS", fmt::format("{} cannot be read", configuration_.key), "Let the user that runs the server read it.");
    int days = 0, seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(read.get())) != 1) return fail("TLS", "the end of the certificate cannot be read", "");
    if (days < 0 || seconds < 0) return fail("TLS", "the certificate has expired", "Renew it; a running server takes the new one by itself.");
    if (days < 14) return warn("TLS", fmt::format("the certificate ends in {} days", days), "Renew it; a running server takes the new one by itself.");
    good("TLS", fmt::format("the certificate lasts {} days", days));
  }

  void rules() {
    if (!configuration_.policy_file.empty()) {
      const FileDescriptor file(::open(configuration_.policy_file.c_str(), O_RDONLY | O_CLOEXEC));
      std::string text(1 << 20, '\0');
      const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : -1;
      text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      if (got < 0) {
        fail("policy", fmt::format("{} cannot be read", configuration_.policy_file), "policy-file must name a readable file (docs/policy.md).");
      } else if (const auto policy = audit::Policy::parse(text, configuration_.policy_file); !policy) {
        fail("policy", policy.error().message, "docs/policy.md tells what may stand there.");
      }
    }
    const auto ruleset = audit::Ruleset::make(configuration_.rules, "");
    if (!ruleset) return fail("rules", ruleset.error().message, "`lazaret rules --rules PATH` shows what is wrong with rules of your own.");
    good("rules", (*ruleset)->digest());
  }

  void acts() {
    const std::string path = configuration_.data + "/accounts.sqlite";
    if (!std::filesystem::exists(path)) return;
    const auto accounts = store::open_sqlite_account_store(path);
    if (!accounts) return fail("accounts", accounts.error().message, "");
    const auto broken = (*accounts)->first_broken_act();
    if (!broken) return fail("log of acts", broken.error().message, "");
    if (*broken) {
      fail("log of acts", fmt::format("entry {} does not fit the one before it: the log was changed", **broken), "Compare it with a backup; whoever can write the data folder can do anything.");
    } else {
      good("log of acts", "no entry was changed");
    }
  }

  const Configuration& configuration_;
  std::vector<Diagnosis> found_;
};

}  // namespace

std::vector<Diagnosis> diagnose(const Configuration& configuration) { return Doctor(configuration).examine(); }

}  // namespace lazaret::server
