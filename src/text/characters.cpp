#include "text/characters.h"

namespace llmctl {

CharacterClass class_of_rare(char32_t c) {
  if (is_white_space(c)) return CharacterClass::kSpace;
  const auto kind = category(c);
  if (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO) return CharacterClass::kLetter;
  if (kind >= UTF8PROC_CATEGORY_ND && kind <= UTF8PROC_CATEGORY_NO) return CharacterClass::kNumber;
  return CharacterClass::kOther;
}

}  // namespace llmctl
