// Two text files that are each other's translation, found by their names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tasks/translation.h"

namespace llmctl {

struct LanguageFile {
  std::filesystem::path path;
  std::string language;
};

/// A text file and its counterpart, which may not be there.
struct FileCouple {
  LanguageFile one, other;
};

/// What the counterparts of `file` are called: its name with its language, the last part that is
/// one ("train.en", "train.en.txt"), replaced, for each language that it is translated to or from.
/// Empty where the name tells no language of the directions.
std::vector<FileCouple> couples_of(const std::filesystem::path& file,
                                   const std::vector<TranslationDirection>& directions);

}  // namespace llmctl
