// Section "clean" of data preparation: what is done to a document, and which documents stay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/fields.h"

namespace llmctl {

/// Rules that a document must pass. Those named after Gopher are of Rae et al. (2021), table A1 and
/// section A.1.1, those after C4 of Raffel et al. (2020), section 2.2. Chinese has no spaces: there
/// a word is taken to be 1.6 characters long, and rules about the length of words and about English
/// words look at texts in Latin letters only.
struct QualityConfig {
  std::optional<std::int64_t> min_words, max_words;
  std::optional<double> min_mean_word_length, max_mean_word_length;
  std::optional<double> max_symbol_ratio, min_alphabetic_ratio;
  std::optional<double> max_bullet_lines, max_ellipsis_lines;
  std::optional<std::int64_t> min_stop_words;
  std::optional<double> max_duplicate_lines, max_duplicate_line_characters;
  std::optional<double> max_top_ngram, max_duplicate_ngrams;
  bool no_lorem_ipsum = false, no_curly_brackets = false;
  bool gopher = false;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("gopher", self.gopher,
          "All of Gopher's rules with its numbers, where a key below gives no other: 50 to 100,000 "
          "words of 3 to 10 characters on average, at most 0.1 symbols a word, 0.9 bullet lines, "
          "0.3 ellipsis lines, at least 0.8 words with a letter and 2 stop words, at most 0.3 "
          "duplicate lines, 0.2 of the characters in them, 0.2 in the top 2-gram, 0.15 in "
          "duplicate 5-grams.");
    visit("min_words", self.min_words, "Least words (Gopher).", Range<std::int64_t>{0, 1 << 30});
    visit("max_words", self.max_words, "Most words (Gopher).", Range<std::int64_t>{1, 1 << 30});
    visit("min_mean_word_length", self.min_mean_word_length,
          "Least mean length of a word in characters (Gopher).", Range<double>{0, 1000});
    visit("max_mean_word_length", self.max_mean_word_length,
          "Greatest mean length of a word in characters (Gopher).", Range<double>{0, 1000});
    visit("max_symbol_ratio", self.max_symbol_ratio, "Most signs # and … for each word (Gopher).",
          Range<double>{0, 100});
    visit("min_alphabetic_ratio", self.min_alphabetic_ratio,
          "Least share of words with a letter in them (Gopher).", Range<double>{0, 1});
    visit("max_bullet_lines", self.max_bullet_lines,
          "Most lines that begin with a bullet, as a share (Gopher).", Range<double>{0, 1});
    visit("max_ellipsis_lines", self.max_ellipsis_lines,
          "Most lines that end with an ellipsis, as a share (Gopher).", Range<double>{0, 1});
    visit("min_stop_words", self.min_stop_words,
          "Least occurrences of the, be, to, of, and, that, have, with (Gopher; English).",
          Range<std::int64_t>{0, 1000});
    visit("max_duplicate_lines", self.max_duplicate_lines,
          "Most lines that stood before already, as a share (Gopher).", Range<double>{0, 1});
    visit("max_duplicate_line_characters", self.max_duplicate_line_characters,
          "Most characters in such lines, as a share (Gopher).", Range<double>{0, 1});
    visit("max_top_ngram", self.max_top_ngram,
          "Most characters in the most frequent pair of words, as a share (Gopher).",
          Range<double>{0, 1});
    visit("max_duplicate_ngrams", self.max_duplicate_ngrams,
          "Most characters in runs of 5 words that stood before already, as a share (Gopher).",
          Range<double>{0, 1});
    visit("no_lorem_ipsum", self.no_lorem_ipsum, "Drop documents with \"lorem ipsum\" (C4).");
    visit("no_curly_brackets", self.no_curly_brackets,
          "Drop documents with a curly bracket, which is code (C4).");
  }
};

/// Section "clean.personal_data".
struct PersonalDataConfig {
  std::string emails = "keep", phones = "keep", id_numbers = "keep";
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    const OneOf choice{{"keep", "mask"}};
    visit("emails", self.emails, "mask: e-mail addresses become <email>.", choice);
    visit("phones", self.phones, "mask: phone numbers become <phone>.", choice);
    visit("id_numbers", self.id_numbers,
          "mask: identity cards (Chinese resident, US social security) and bank cards become <id>.",
          choice);
  }
};

/// Section "clean", in the order in which it is done.
struct CleanConfig {
  bool html = false, wiki = false;
  std::string unicode = "nfc";
  bool control_characters = true, whitespace = true;
  std::string chinese = "keep";
  std::string urls = "keep", mentions = "keep", hashtags = "keep";
  PersonalDataConfig personal_data;
  std::optional<std::int64_t> min_characters, max_characters;
  std::vector<std::string> languages;
  double language_confidence = 0.6;
  QualityConfig quality;
  bool segment_words = false;
  std::string stop_words;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    const OneOf residue{{"keep", "remove"}};
    visit("html", self.html,
          "Take HTML away: tags, scripts, comments; entities become characters.");
    visit("wiki", self.wiki, "Take MediaWiki's markup away (.xml dumps: always).");
    visit("unicode", self.unicode,
          "Unicode normalisation; nfkc also makes full-width signs ASCII ones, Chinese commas too.",
          OneOf{{"none", "nfc", "nfkc"}});
    visit("control_characters", self.control_characters,
          "Drop control characters, byte order marks, soft hyphens and invisible marks.");
    visit("whitespace", self.whitespace,
          "One space for a run of blanks, at most one empty line, none at the ends.");
    visit("chinese", self.chinese, "Script that Chinese is turned into (by OpenCC).",
          OneOf{{"keep", "simplified", "traditional"}});
    visit("urls", self.urls, "Web addresses.", residue);
    visit("mentions", self.mentions, "Names with an @ before them.", residue);
    visit("hashtags", self.hashtags, "Topics: #this, and #这样#.", residue);
    visit("personal_data", self.personal_data, "Data about persons.");
    visit("min_characters", self.min_characters, "Shorter documents are dropped.",
          Range<std::int64_t>{0, std::int64_t{1} << 40});
    visit("max_characters", self.max_characters, "Longer documents are dropped.",
          Range<std::int64_t>{1, std::int64_t{1} << 40});
    visit("languages", self.languages,
          "Languages to keep, as codes (en, zh, zh-Hant, de, …; by CLD2); empty: all.");
    visit("language_confidence", self.language_confidence,
          "Least share of a text that must be in its language.", Range<double>{0, 1});
    visit("quality", self.quality, "Rules of quality.");
    visit("segment_words", self.segment_words, "Put spaces between Chinese words.");
    visit("stop_words", self.stop_words,
          "Words to take out: zh, en, zh,en, or a file with one a line; empty: none.",
          PathKey{.or_name = true});
  }
  void validate(const ConfigNode& node) const {
    if (min_characters && max_characters && *min_characters > *max_characters) {
      node.fail("min_characters", "greater than max_characters");
    }
  }
};

}  // namespace llmctl
