#include "audit/start_places.h"

#include <array>

#include "audit/paths.h"

namespace lazaret::audit {
namespace {

constexpr std::array places = {
    StartPlace{"/etc/cron.d/", "cron"},           StartPlace{"/etc/cron.hourly/", "cron"},    StartPlace{"/etc/cron.daily/", "cron"},       StartPlace{"/etc/cron.weekly/", "cron"},
    StartPlace{"/etc/cron.monthly/", "cron"},     StartPlace{"/var/spool/cron/", "cron"},     StartPlace{"/etc/crontabs/", "cron"},         StartPlace{"/etc/crontab", "cron"},
    StartPlace{"/etc/periodic/", "cron"},         StartPlace{"/etc/anacrontab", "cron"},      StartPlace{"/etc/profile.d/", "login shell"}, StartPlace{"/etc/profile", "login shell"},
    StartPlace{"/etc/bash.bashrc", "login shell"}, StartPlace{"/etc/bashrc", "login shell"},  StartPlace{"/etc/zsh/", "login shell"},       StartPlace{"/root/.bashrc", "login shell"},
    StartPlace{"/root/.profile", "login shell"},  StartPlace{"/root/.bash_profile", "login shell"}, StartPlace{"/root/.bash_login", "login shell"}, StartPlace{"/root/.zshrc", "login shell"},
    StartPlace{"/root/.bash_logout", "login shell"}, StartPlace{"/etc/update-motd.d/", "login shell"},
    StartPlace{"/etc/init.d/", "init"},           StartPlace{"/etc/rc.local", "init"},        StartPlace{"/etc/rc.d/", "init"},             StartPlace{"/etc/inittab", "init"},
    StartPlace{"/etc/local.d/", "init"},          StartPlace{"/etc/cont-init.d/", "s6"},      StartPlace{"/etc/services.d/", "s6"},         StartPlace{"/etc/s6-overlay/", "s6"},
    StartPlace{"/etc/s6/", "s6"},                 StartPlace{"/etc/cont-finish.d/", "s6"},    StartPlace{"/custom-cont-init.d/", "s6"},     StartPlace{"/etc/service/", "runit"},
    StartPlace{"/etc/sv/", "runit"},              StartPlace{"/service/", "runit"},           StartPlace{"/etc/runit/", "runit"},           StartPlace{"/etc/my_init.d/", "init"},
    StartPlace{"/docker-entrypoint.d/", "entrypoint folder"}, StartPlace{"/docker-entrypoint-init.d/", "entrypoint folder"}, StartPlace{"/docker-entrypoint-initdb.d/", "entrypoint folder"},
    StartPlace{"/entrypoint.d/", "entrypoint folder"}, StartPlace{"/etc/entrypoint.d/", "entrypoint folder"},
    StartPlace{"/etc/systemd/system/", "systemd"}, StartPlace{"/usr/lib/systemd/system/", "systemd"}, StartPlace{"/lib/systemd/system/", "systemd"}, StartPlace{"/etc/systemd/user/", "systemd"},
    StartPlace{"/run/systemd/system/", "systemd"}, StartPlace{"/run/systemd/transient/", "systemd"}, StartPlace{"/usr/local/lib/systemd/system/", "systemd"},
    StartPlace{"/etc/supervisord.conf", "supervisord"}, StartPlace{"/etc/supervisor/", "supervisord"}, StartPlace{"/etc/supervisor.d/", "supervisord"}, StartPlace{"/etc/supervisord.d/", "supervisord"},
    StartPlace{"/etc/ld.so.preload", "preload"},
};

}  // namespace

std::span<const StartPlace> start_places() { return places; }

std::string_view starter_of(std::string_view path) {
  for (const StartPlace& place : places) {
    if (place.path.ends_with('/') ? path.starts_with(place.path) : path == place.path) return place.starter;
  }
  if (path.starts_with("/home/")) {
    const std::string_view name = name_of_path(path);
    for (const std::string_view file : {".bashrc", ".profile", ".bash_profile", ".zshrc"}) {
      if (name == file) return "login shell";
    }
  }
  return "";
}

}  // namespace lazaret::audit
