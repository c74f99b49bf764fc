// What the categories of findings are, for the documentation, and what would change a judgement where a rule does not say it itself.
#pragma once

#include <string_view>

#include "detect/finding.h"

namespace lazaret::detect {

struct CategoryDocument {
  std::string_view title;    // "Reverse shells"
  std::string_view summary;  // what it is and why it matters: two or three sentences
  std::string_view doubt;    // what would change the judgement: one sentence
};

const CategoryDocument& document_of(Category category);

// The rule's own text, else that of its category.
std::string_view doubt_of(const Rule& rule);

}  // namespace lazaret::detect
