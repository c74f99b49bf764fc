#include "report/html_text.h"

#include "base/text.h"

namespace lazaret::report {

const std::string_view html_style = R"(
:root{color-scheme:light dark;--line:#8884;--dim:#777}
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
.badge{display:inline-block;padding:.1rem .6rem;border-radius:.3rem;color:#fff;font-weight:600}
.malicious,.critical{background:#b3261e}.suspicious,.high{background:#b26a00}.incomplete,.medium{background:#3b6ea5}
.clean{background:#2e7d32}.low,.info{background:#666}
article{border:1px solid var(--line);border-radius:.4rem;padding:.6rem 1rem;margin:1rem 0}
article h3{margin:.2rem 0;font-size:1rem}
pre{background:#8881;padding:.5rem;overflow-x:auto;white-space:pre-wrap;word-break:break-all;border-radius:.3rem}
dl{display:grid;grid-template-columns:7rem 1fr;gap:.2rem .8rem;margin:.4rem 0}dt{color:var(--dim)}dd{margin:0;word-break:break-word}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);text-align:left;padding:.25rem .5rem;word-break:break-all}
.dim{color:var(--dim);font-weight:400}
.place{border-left:3px solid var(--line);padding:.1rem 0 .1rem .8rem;margin:.7rem 0}
.where{font-weight:600;margin:.2rem 0;word-break:break-word}.label{margin:.2rem 0;color:var(--dim);font-size:.85rem}
mark{background:#ffd54a;color:#000;border-radius:.15rem;padding:0 .1rem}
summary{cursor:pointer;color:var(--dim)}
@media print{article{break-inside:avoid}}
)";

std::string html_plain(std::string_view text, std::size_t limit) {
  std::string out;
  for (const char c : escape(text, limit)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

}  // namespace lazaret::report
