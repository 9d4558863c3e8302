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

const Json kVariants = {{"directions", {"en>pt", "en>pt-BR"}}};

TEST(ParallelTexts, AVariantIsALanguageOfItsOwnWhereTheTaskHasIt) {
  const TempDir work;
  const auto line = [](const char* language, const char* target) {
    return dump_json(Json{{"source", "Bus"}, {"target", target}, {"target_language", language}}) +
           "\n";
  };
  const auto records = work.write(
      "a.jsonl", line("pt-BR", "ônibus") + line("pt", "autocarro") + line("pt_PT", "autocarro"));
  EXPECT_THAT(read({records}, kVariants),
              ElementsAre("1 Bus → ônibus", "0 Bus → autocarro", "0 Bus → autocarro"));
  const auto unit = [](const std::vector<std::pair<std::string, std::string>>& segments) {
    std::string text = "<tu>";
    for (const auto& [language, segment] : segments)
      text += "<tuv xml:lang=\"" + language + "\"><seg>" + segment + "</seg></tuv>";
    return text + "</tu>\n";
  };
  const auto units = work.write(
      "a.tmx",
      "<tmx><body>" +
          unit({{"pt-BR", "ônibus"}, {"pt-PT", "camioneta"}, {"pt", "autocarro"}, {"en", "Bus"}}) +
          unit({{"pt-BR", "trem"}, {"en", "Train"}}) +
          unit({{"en", "Train"}, {"pt-PT", "comboio"}}) + "</body></tmx>\n");
  EXPECT_THAT(read({units}, kVariants), ElementsAre("0 Bus → autocarro", "1 Bus → ônibus",
                                                    "1 Train → trem", "0 Train → comboio"));
  EXPECT_THAT(read({units}, {{"source", "en"}, {"target", "pt"}}),
              ElementsAre("Bus → autocarro", "Train → trem", "Train → comboio"));
}

TEST(ParallelTexts, RecordsOfOtherLanguagesAreBadRows) {
  const TempDir work;
  const auto record = [](Json said) {
    said["source"] = "One.";
    said["target"] = "Eins.";
    return dump_json(said) + "\n";
  };
  const auto expect = [&](const Json& said, const Json& section,
                          const std::vector<std::string>& parts) {
    test::expect_error(ErrorCode::kData, parts,
                       [&] { read({work.write("a.jsonl", record(said))}, section); });
  };
  expect({{"target_language", "fr"}}, kEnglishGerman,
         {"a.jsonl:1: target_language is 'fr'", "en-de"});
  expect({{"source_lang", "fr"}, {"target_lang", "de"}}, kEnglishGerman,
         {"source_lang is 'fr' and target_lang is 'de'", "en-de"});
  expect({{"source_language", "fr"}}, kEnglishGerman, {"source_language is 'fr'"});
  expect({{"target_language", "zh-Hant"}}, {{"source", "en"}, {"target", "zh-Hans"}},
         {"target_language is 'zh-Hant'"});
  expect({{"target_language", "fr"}}, kBoth, {"target_language is 'fr'", "en-de, de-en"});
  Json fields = kEnglishGerman;
  fields["source_field"] = "source";
  fields["target_field"] = "target";
  expect({{"target_language", "fr"}}, fields, {"target_language is 'fr'"});
  std::vector<std::string> noted;
  const auto mixed = work.write(
      "b.jsonl", record({{"target_language", "fr"}}) + record({{"target_language", "de"}}));
  EXPECT_THAT(read({mixed}, kEnglishGerman, &noted), ElementsAre("One. → Eins."));
  EXPECT_EQ(noted.size(), 1u);

  const auto taken = [&](const Json& said, const Json& section) {
    EXPECT_THAT(read({work.write("a.jsonl", record(said))}, section), ElementsAre("One. → Eins."))
        << said;
  };
  taken({{"source_language", "EN"}, {"target_language", "de_AT"}}, kEnglishGerman);
  taken({{"target_language", "de"}}, {{"source", "en"}, {"target", "de-AT"}});
  taken({{"target_language", ""}}, kEnglishGerman);
  taken({{"from", "tatoeba"}}, kEnglishGerman);
  taken({{"from", "00:01"}, {"to", "00:03"}}, kEnglishGerman);
  taken({{"source_lang", "eng_Latn"}, {"target_lang", "deu_Latn"}}, kEnglishGerman);
  taken({{"source_language", "English"}, {"target_language", "German"}}, kEnglishGerman);
  taken({{"target_language", "fr"}}, Json::object());
  taken({{"en", "One."}, {"de", "Eins."}, {"target_language", "fr"}}, kEnglishGerman);
}

TEST(ParallelTexts, IndonesianIsNoNumberOfARecord) {
  const TempDir work;
  const Json section = {{"source", "en"}, {"target", "id"}};
  const auto pair = [&](const Json& record) {
    BadRows bad(false);
    const auto pairs =
        read_pairs({work.write("a.jsonl", dump_json(record) + "\n")}, config_of(section), bad);
    bad.settle();
    const TextPair& only = pairs.at(0);
    return concat(dump_json(only.id), " ", only.source, " → ", only.target);
  };
  EXPECT_EQ(pair({{"id", 7}, {"source", "One."}, {"target", "Satu."}}), "7 One. → Satu.");
  EXPECT_EQ(pair({{"id", "a7"}, {"source", "One."}, {"target", "Satu."}}), "\"a7\" One. → Satu.");
  EXPECT_EQ(pair({{"id", 7}, {"en", "One."}, {"target", "Satu."}}), "7 One. → Satu.");
  EXPECT_EQ(pair({{"id", "Satu."}, {"en", "One."}}), "0 One. → Satu.");
  EXPECT_EQ(pair({{"id", 7}, {"translation", {{"en", "One."}, {"id", "Satu."}}}}),
            "7 One. → Satu.");
  test::expect_error(ErrorCode::kData, {"a.jsonl:1", "no field with the translation"}, [&] {
    pair({{"id", 7}, {"text", "One."}});
  });
  // Another column that is named like a language.
  EXPECT_THAT(read({work.write("b.tsv", "no\tsource\ttarget\n7\tOne.\tEn.\n")},
                   {{"source", "en"}, {"target", "no"}}),
              ElementsAre("One. → En."));
  work.write("c.en", "One.\n");
  BadRows bad(false);
  EXPECT_EQ(read_pairs({work.write("c.id", "Satu.\n")}, config_of(section), bad).at(0).id, 0);

  const Json back = {{"source", "id"}, {"target", "en"}};
  const auto source = [&](const Json& record) {
    return read_source({record, "prompt 1"}, config_of(back)).text;
  };
  EXPECT_EQ(source({{"id", 7}, {"text", "Satu."}}), "Satu.");
  EXPECT_EQ(source({{"id", "Satu."}}), "Satu.");
}

TEST(ParallelTexts, PairsTellTheirRecords) {
  const TempDir work;
  const auto records_of = [](const std::vector<std::filesystem::path>& files) {
    BadRows bad(false);
    std::vector<std::size_t> records;
    for (const TextPair& pair : read_pairs(files, config_of(kBoth), bad))
      records.push_back(pair.record);
    return records;
  };
  const auto expect_two = [&](const std::vector<std::filesystem::path>& files) {
    const std::vector<std::size_t> records = records_of(files);
    ASSERT_EQ(records.size(), 4u);
    EXPECT_EQ(records[0], records[1]);
    EXPECT_NE(records[1], records[2]);
    EXPECT_EQ(records[2], records[3]);
  };
  const auto table = work.write("a.tsv", "en\tde\nOne.\tEins.\n");
  expect_two({table, table});
  work.write("a.de", "Eins.\nZwei.\n");
  expect_two({work.write("a.en", "One.\nTwo.\n")});
  const std::string unit =
      "<tu><tuv xml:lang=\"en\"><seg>One.</seg></tuv><tuv xml:lang=\"de\"><seg>Eins.</seg></tuv>"
      "</tu>";
  expect_two({work.write("a.tmx", "<tmx><body>" + unit + unit + "</body></tmx>\n")});
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
  EXPECT_EQ(source({{"en", "One."}}, kBoth), "0 One.") << "only that direction is from it";
  EXPECT_EQ(source({{"de", "Eins."}}, kBoth), "1 Eins.");
  EXPECT_EQ(source({{"en", "One."}}, {{"directions", {"en-de", "en-fr"}}}, "fr"), "1 One.");
  for (const Json& record : {Json{{"en", "One."}, {"de", "Eins."}}, {{"text", "One."}}}) {
    test::expect_error(ErrorCode::kData, {"into which language? name it with --to"},
                       [&] { source(record, kBoth); });
  }
  EXPECT_EQ(source({{"text", "Eins."}, {"target_language", "en"}}, kBoth, "de"), "1 Eins.");
  EXPECT_EQ(source({{"text", ">>de<< One."}}, kBoth), "0 One.");
  EXPECT_EQ(source({{"text", "One."}}, Json::object()), "0 One.");
  Json fields = kBoth;
  fields["source_field"] = "before";
  fields["target_field"] = "after";
  const Json record = {{"text", "x"}, {"before", "One."}, {"after", "Eins."}};
  EXPECT_EQ(source(record, fields, "de"), "0 One.") << "as the texts learnt from";
  EXPECT_EQ(source(record, fields, "en"), "1 Eins.");
  EXPECT_EQ(source({{"text", "One."}}, fields, "de"), "0 One.");
  EXPECT_EQ(source({{"text", "Bus"}}, kVariants, "pt-BR"), "1 Bus");
  EXPECT_EQ(source({{"text", "Bus"}}, kVariants, "pt"), "0 Bus");
  EXPECT_EQ(source({{"text", "Bus"}, {"target_language", "pt_BR"}}, kVariants), "1 Bus");
  EXPECT_EQ(source({{"text", "One."}, {"target_language", "de-AT"}}, kEnglishGerman), "0 One.");
  for (const Json& section : {kEnglishGerman, kBoth}) {
    for (const char* to : {"", "de"}) {
      test::expect_error(ErrorCode::kData, {"prompt 1: tgt_lang is 'fr'", "en-de"}, [&] {
        source({{"text", "One."}, {"tgt_lang", "fr"}}, section, to);
      });
    }
  }
  test::expect_error(ErrorCode::kData, {"prompt 1", "--to", "de, en"}, [&] {
    source({{"text", "One."}}, kBoth);
  });
  test::expect_error(ErrorCode::kData, {"prompt 1", "no field with the source text"}, [&] {
    source({{"x", "One."}}, kEnglishGerman);
  });
}

TEST(ParallelTexts, FieldsOfTheSectionHoldTheLanguagesThatARecordSays) {
  const TempDir work;
  Json section = kBoth;
  section["source_field"] = "before";
  section["target_field"] = "after";
  const auto record = [](const char* before, const char* after, Json said) {
    said["before"] = before;
    said["after"] = after;
    return said;
  };
  const auto line = [&](const char* before, const char* after, const Json& said) {
    return dump_json(record(before, after, said)) + "\n";
  };
  EXPECT_THAT(read({work.write("a.jsonl", line("One.", "Eins.", {{"target_lang", "de"}}) +
                                              line("Zwei.", "Two.", {{"target_lang", "en"}}) +
                                              line("Three.", "Drei.", Json::object()) +
                                              line("Four.", "Vier.", {{"to", "00:03"}}))},
                   section),
              ElementsAre("0 One. → Eins.", "1 Zwei. → Two.", "0 Three. → Drei.",
                          "1 Drei. → Three.", "0 Four. → Vier.", "1 Vier. → Four."));
  test::expect_error(ErrorCode::kData, {"a.jsonl:1: target_lang is 'German'", "en-de, de-en"}, [&] {
    read({work.write("a.jsonl", line("One.", "Eins.", {{"target_lang", "German"}}))}, section);
  });
  // Of a language that is asked for the texts learnt from tell which field is meant.
  const TranslationConfig config = config_of(section);
  const auto source = [&](const Json& said, const std::string& to) {
    return read_source({record("Zwei.", "Two.", said), "prompt 1"}, config, to).text;
  };
  EXPECT_EQ(source({{"source_lang", "de"}, {"target_lang", "en"}}, ""), "Zwei.");
  EXPECT_EQ(source(Json::object(), "en"), "Two.");
  // So they do of another language that the same texts are translated to.
  section["directions"] = {"en-de", "en-fr"};
  EXPECT_EQ(read_source({{{"before", "One."}}, "prompt 1"}, config_of(section), "fr").text, "One.");
  EXPECT_THAT(read({work.write("a.csv", "before,after,fr\nOne.,Eins.,Un.\n")}, section),
              ElementsAre("0 One. → Eins.", "1 One. → Un."));
}

TEST(ParallelTexts, AMarkBeforeATextStandsOnce) {
  const auto source = [](const std::string& text, const Json& section, const std::string& to,
                         const char* own = nullptr) {
    Json record = {{"text", text}};
    if (own != nullptr) record["target_language"] = own;
    const SourceText found = read_source({record, "prompt 1"}, config_of(section), to);
    return concat(found.direction, " ", found.text);
  };
  EXPECT_EQ(source(">>de<< One.", kBoth, "de"), "0 One.");
  EXPECT_EQ(source(" >>de<<One.", kBoth, "", "de"), "0 One.");
  EXPECT_EQ(source("One >>en<<.", kBoth, "de"), "0 One >>en<<.");
  EXPECT_EQ(source(">>fr<< One.", kBoth, "de"), "0 >>fr<< One.");
  const char* const other =
      "prompt 1: the text begins with '>>en<<', but the language asked for "
      "is 'de'";
  test::expect_error(ErrorCode::kData, {other}, [&] { source(">>en<< One.", kBoth, "de"); });
  test::expect_error(ErrorCode::kData, {other}, [&] { source(">>en<< One.", kBoth, "", "de"); });
  // Directions into one language have one mark.
  EXPECT_EQ(source(">>de<< One.", {{"directions", {"en-de", "fr-de"}}}, "de"), "0 One.");
  // A mark of letters is a word of its own.
  const Json words = {{"directions", {"en-de", "de-en"}}, {"prefix", "to {target} "}};
  EXPECT_EQ(source("to de One.", words, "de"), "0 One.");
  EXPECT_EQ(source("to deal with it", words, "de"), "0 to deal with it");
  EXPECT_EQ(source("to end it", words, "de"), "0 to end it");
  EXPECT_EQ(source("to de One.", words, ""), "0 One.");
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
