#include "tasks/parallel_texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TranslationConfig config_of(const Json& section) {
  TranslationConfig config;
  read_config(ConfigNode(&section, "task", nullptr), config);
  return config;
}

const Json kEnglishGerman = {{"source", "en"}, {"target", "de"}};
const Json kBoth = {{"directions", {"en-de", "de-en"}}};

/// "source → target", of several directions with the number of the direction before it.
std::vector<std::string> read(const std::vector<std::filesystem::path>& files, const Json& section,
                              std::vector<std::string>* noted = nullptr) {
  const TranslationConfig config = config_of(section);
  BadRows bad(noted != nullptr);
  std::vector<std::string> list;
  const std::size_t directions = config.all_directions().size();
  for (const TextPair& pair : read_pairs(files, config, bad)) {
    list.push_back(directions > 1 ? concat(pair.direction, " ") : "");
    list.back() += pair.source + " → " + pair.target;
  }
  if (noted == nullptr) {
    bad.settle();
  } else {
    noted->assign(bad.count(), "");
  }
  return list;
}

TEST(ParallelTexts, TwoTextFilesOfWhichOneIsNamed) {
  const TempDir work;
  const auto english = work.write("train.en", "One.\n\n Two. \n"),
             german = work.write("train.de", "Eins.\n\nZwei.\n\n");
  const auto wanted = ElementsAre("One. → Eins.", "Two. → Zwei.");
  EXPECT_THAT(read({english}, kEnglishGerman), wanted);
  EXPECT_THAT(read({german}, kEnglishGerman), wanted);
  EXPECT_THAT(read({english, german}, kEnglishGerman), wanted) << "once";
  EXPECT_THAT(read({english}, kBoth),
              ElementsAre("0 One. → Eins.", "1 Eins. → One.", "0 Two. → Zwei.", "1 Zwei. → Two."));
  const auto named = work.write("a.en.txt", "A\n");
  work.write("a.de.txt", "B\n");
  EXPECT_THAT(read({named}, kEnglishGerman), ElementsAre("A → B"));
}

TEST(ParallelTexts, TextFilesThatDoNotFit) {
  const TempDir work;
  const auto english = work.write("train.en", "One.\nTwo.\nThree.\n");
  test::expect_error(ErrorCode::kMissing, {"train.en", "train.de"},
                     [&] { read({english}, kEnglishGerman); });
  work.write("train.de", "Eins.\n\n");
  const auto expect = [&](std::initializer_list<const char*> parts) {
    try {
      read({english}, kEnglishGerman);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      for (const char* part : parts) EXPECT_THAT(error.what(), HasSubstr(part));
    }
  };
  expect({"2 bad rows", "train.en:2: the translation is empty"});
  std::vector<std::string> noted;
  EXPECT_THAT(read({english}, kEnglishGerman, &noted), ElementsAre("One. → Eins."));
  EXPECT_EQ(noted.size(), 2u);
  work.write("train.de", "Eins.\nZwei.\n");
  expect({"train.en:3: has no counterpart", "train.de has only 2 lines"});
  work.write("train.de", "Eins.\nZwei.\nDrei.\nVier.\n");
  expect({"train.de:4: has no counterpart", "train.en has only 3 lines"});
  work.write("train.de", "Eins.\nZw\xff.\nDrei.\n");
  expect({"train.de", "UTF-8"});
  EXPECT_THAT(read({english}, kEnglishGerman, &noted),
              ElementsAre("One. → Eins.", "Three. → Drei."));
  test::expect_error(ErrorCode::kData, {"notes.txt", "train.en"},
                     [&] { read({work.write("notes.txt", "a\n")}, kEnglishGerman); });
  test::expect_error(ErrorCode::kConfig, {"task.source"}, [&] { read({english}, Json::object()); });
}

TEST(ParallelTexts, TablesAndRecords) {
  const TempDir work;
  const auto one = ElementsAre("One. → Eins.");
  const auto check = [&](const char* name, const std::string& content, const Json& section) {
    EXPECT_THAT(read({work.write(name, content)}, section), one) << content;
  };
  check("a.tsv", "en\tde\nOne.\tEins.\n", kEnglishGerman);
  check("a.tsv", "de\tid\ten\nEins.\t7\tOne.\n", kEnglishGerman);
  check("a.tsv", "One.\tEins.\tCC-BY\n", kEnglishGerman);
  check("a.tsv", "One.\tEins.\n", Json::object());
  check("a.tsv", "source\ttarget\nOne.\tEins.\n", Json::object());
  check("a.csv", "EN,DE\nOne.,Eins.\n", kEnglishGerman);
  check("a.jsonl",
        R"({"translation": {"en": "One.", "de": "Eins."}})"
        "\n",
        kEnglishGerman);
  check("a.jsonl",
        R"({"en": "One.", "de": "Eins.", "id": 3})"
        "\n",
        kEnglishGerman);
  check("a.jsonl",
        R"({"src": "One.", "tgt": "Eins."})"
        "\n",
        kEnglishGerman);
  check("a.json", R"([{"text": "One.", "translation": "Eins."}])", Json::object());
  check("a.jsonl",
        R"({"x": "One.", "y": "Eins."})"
        "\n",
        Json{{"source_field", "x"}, {"target_field", "y"}});
  check("a.tmx",
        "<tmx><body><tu><tuv xml:lang=\"en-GB\"><seg>One.</seg></tuv><tuv xml:lang=\"DE\"><seg>"
        "Eins.</seg></tuv></tu>\n<tu><tuv xml:lang=\"fr\"><seg>Un</seg></tuv></tu></body></tmx>\n",
        kEnglishGerman);
  EXPECT_THAT(
      read({work.write("b.jsonl", R"({"x": "One.", "y": "Eins."})"
                                  "\n")},
           Json{{"directions", {"en-de", "de-en"}}, {"source_field", "x"}, {"target_field", "y"}}),
      ElementsAre("0 One. → Eins.", "1 Eins. → One."));
  EXPECT_THAT(
      read(
          {work.write(
              "b.jsonl",
              R"({"source": "Eins.", "target": "One.", "source_language": "de", "target_language": "en"})"
              "\n")},
          kBoth),
      ElementsAre("1 Eins. → One."));
}

TEST(ParallelTexts, BadRecordsNameTheirPlace) {
  const TempDir work;
  const auto expect = [&](const char* name, const std::string& content,
                          const std::vector<std::string>& parts) {
    test::expect_error(ErrorCode::kData, parts,
                       [&] { read({work.write(name, content)}, kEnglishGerman); });
  };
  expect("a.tsv", "One.\tEins.\nTwo.\n", {"a.tsv:2", "one column"});
  expect("a.jsonl",
         R"({"en": "One.", "fr": "Un"})"
         "\n",
         {"a.jsonl:1", "no field with the translation", "en, fr", "task.target_field"});
  expect("a.jsonl",
         R"({"en": "One.", "de": " "})"
         "\n",
         {"a.jsonl:1", "the translation is empty"});
  expect("a.tmx", "<tmx><tu><tuv><seg>x</seg></tuv></tu>\n</tmx>\n", {"a.tmx:1", "language"});
}

TEST(ParallelTexts, IdsTellDirectionsApart) {
  const TempDir work;
  BadRows bad(false);
  const auto pairs = read_pairs({work.write("a.jsonl", R"({"en": "One.", "de": "Eins.", "id": 3})"
                                                       "\n")},
                                config_of(kBoth), bad);
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].id, "3:en-de");
  EXPECT_EQ(pairs[1].id, "3:de-en");
}

TEST(ParallelTexts, SourcesOfAUser) {
  const auto source = [](const Json& record, const Json& section, const std::string& to = "") {
    const SourceText found = read_source({record, "prompt 1"}, config_of(section), to);
    return concat(found.direction, " ", found.text);
  };
  EXPECT_EQ(source({{"text", "One."}}, kEnglishGerman), "0 One.");
  EXPECT_EQ(source({{"en", "One."}}, kEnglishGerman), "0 One.");
  EXPECT_EQ(source({{"prompt", "Eins."}}, kBoth, "en"), "1 Eins.");
  EXPECT_EQ(source({{"text", "Eins."}, {"target_language", "en"}}, kBoth, "de"), "1 Eins.");
  EXPECT_EQ(source({{"text", ">>de<< One."}}, kBoth), "0 One.");
  EXPECT_EQ(source({{"text", "One."}}, Json::object()), "0 One.");
  test::expect_error(ErrorCode::kData, {"prompt 1", "--to", "de, en"}, [&] {
    source({{"text", "One."}}, kBoth);
  });
  test::expect_error(ErrorCode::kData, {"prompt 1", "no field with the source text"}, [&] {
    source({{"x", "One."}}, kEnglishGerman);
  });
}

TEST(TranslationSection, RefusesWhatDoesNotFit) {
  const auto expect = [](const Json& section, const std::vector<std::string>& parts) {
    test::expect_error(ErrorCode::kConfig, parts, [&] { config_of(section); });
  };
  expect({{"source", "en"}}, {"task.target", "missing"});
  expect({{"source", "en"}, {"target", "en"}}, {"task.target"});
  expect({{"directions", {"en"}}}, {"task.directions", "en-de"});
  expect({{"directions", {"en-de", "en-de"}}}, {"task.directions", "twice"});
  expect({{"directions", {"en-de"}}, {"source", "en"}}, {"task.directions"});
  expect({{"directions", {"en-de", "de-en"}}, {"prefix", "x "}}, {"task.prefix", "{target}"});
  expect({{"template", "x"}}, {"task.template", "{prompt}"});
  EXPECT_EQ(config_of({{"directions", {"en>zh-Hans"}}}).all_directions().front(),
            (TranslationDirection{"en", "zh-Hans"}));
  EXPECT_EQ(config_of(kBoth).prefix_of({"en", "de"}), ">>de<< ");
  EXPECT_EQ(config_of(kEnglishGerman).prefix_of({"en", "de"}), "");
  EXPECT_EQ(config_of({{"prefix", "translate {source} to {target}: "}}).prefix_of({"en", "de"}),
            "translate en to de: ");
}

}  // namespace
}  // namespace llmctl
