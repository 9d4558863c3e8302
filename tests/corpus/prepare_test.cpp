#include "corpus/prepare.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/random.h"
#include "base/threads.h"
#include "config/load.h"
#include "corpus/tokenize.h"
#include "io/shards.h"
#include "support/temp_dir.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

PrepareConfig config_of(const std::string& text) {
  const JsonDocument document = parse_json_document(text, "config");
  PrepareConfig config;
  read_config(ConfigNode(&document.value, "", &document), config);
  return config;
}

std::vector<std::string> texts_of(const fs::path& path) {
  std::vector<std::string> texts;
  for_each_line(path, [&](std::uint64_t, std::string_view line) {
    texts.push_back(parse_json(line, "line")["text"].get<std::string>());
    return true;
  });
  return texts;
}

/// Everything in a directory: names and contents.
std::map<std::string, std::string> contents(const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) {
      files[fs::relative(entry.path(), directory).string()] = read_file(entry.path());
    }
  }
  return files;
}

class Prepare : public testing::Test {
 protected:
  /// Prepares what is in `sources` (JSON) with further members.
  Json prepare(const std::string& sources, const std::string& more = "",
               const PrepareOptions& options = {}) {
    PrepareConfig config =
        config_of("{\"input\": [" + sources + "]" + (more.empty() ? "" : ", " + more) + "}");
    for (SourceConfig& source : config.input) {
      source.path = (directory_ / source.path).string();
    }
    for (std::string& file : config.contamination.against) file = (directory_ / file).string();
    if (!config.tokenizer.empty()) config.tokenizer = (directory_ / config.tokenizer).string();
    config.output = (directory_ / "out").string();
    fs::remove_all(config.output);
    return prepare_data(config, options);
  }
  std::vector<std::string> train() { return texts_of(directory_ / "out/train.jsonl"); }

  test::TempDir directory_;
};

TEST_F(Prepare, FormatsOfText) {
  directory_.write("a.txt", "one\nmore\n\ntwo\n\n");
  directory_.write("b.jsonl", "{\"text\": \"three\"}\n{\"text\": \"four\", \"n\": 1}\n");
  directory_.write("c.csv", "title,body\nFive,\"six, seven\"\n");
  directory_.write("d.json", "[{\"text\": \"eight\"}]");
  directory_.write("e.xml",
                   "<mediawiki><page><title>Oak</title><ns>0</ns><revision><text "
                   "xml:space=\"preserve\">An '''oak''' is a [[tree]]. &amp;lt;ok&amp;gt;</text>"
                   "</revision></page><page><title>T</title><ns>1</ns><text>talk</text></page>"
                   "<page><title>R</title><ns>0</ns><redirect title=\"Oak\"/><text>#R</text></page>"
                   "</mediawiki>");
  const Json manifest = prepare(
      R"({"path": "a.txt"}, {"path": "b.jsonl"}, {"path": "c.csv", "fields": ["title", "body"]},
         {"path": "d.json"}, {"path": "e.xml"}, {"path": "a.txt", "split": "line"})");
  EXPECT_THAT(train(), ElementsAre("one\nmore", "two", "three", "four", "Five\nsix, seven", "eight",
                                   "Oak\n\nAn oak is a tree. <ok>", "one", "more"));
  EXPECT_EQ(manifest["documents_read"], 10);
  EXPECT_EQ(manifest["exact_duplicates"], 1);
  EXPECT_EQ(manifest["sources"].size(), 6u);
  EXPECT_EQ(
      parse_json(read_file(directory_ / "out/manifest.json"), "m")["splits"]["train"]["documents"],
      9);
  EXPECT_FALSE(fs::exists(directory_ / "out.partial"));
}

TEST_F(Prepare, FilesOfTokens) {
  make_directories(directory_ / "tokenizer");
  test::trained_tokenizer()->save(directory_ / "tokenizer", 0);
  const auto tokenizer = load_tokenizer(directory_ / "tokenizer");
  std::string raw, headed(1024, '\0');
  const std::int32_t header[3] = {20240520, 1, 0};
  std::memcpy(headed.data(), header, sizeof header);
  for (const char* text : {"Today we went to the park.", "今天我们去了公园。"}) {
    auto ids = tokenizer->encode(text);
    ids.push_back(*tokenizer->special().eos);
    for (const TokenId id : ids) {
      const auto token = static_cast<std::uint16_t>(id);
      raw.append(reinterpret_cast<const char*>(&token), 2);
    }
  }
  const auto count = static_cast<std::int32_t>(raw.size() / 2);
  std::memcpy(headed.data() + 8, &count, 4);
  directory_.write("nano.bin", raw);
  directory_.write("llmc.bin", headed + raw);
  const std::string how = ", \"tokenizer\": \"" + (directory_ / "tokenizer").string() + "\"}";
  prepare("{\"path\": \"nano.bin\"" + how + ", {\"path\": \"llmc.bin\"" + how,
          R"("deduplicate": {"exact": false})");
  EXPECT_THAT(train(), ElementsAre("Today we went to the park.", "今天我们去了公园。",
                                   "Today we went to the park.", "今天我们去了公园。"));
  directory_.write("llmc.bin", headed + raw.substr(2));
  EXPECT_THROW(prepare("{\"path\": \"llmc.bin\"" + how), Error);
  EXPECT_THROW(prepare("{\"path\": \"nano.bin\"}"), Error);
}

TEST_F(Prepare, ContaminationByEvaluationFiles) {
  directory_.write("a.txt",
                   "We all know the answer to this old question that people ask us every day.\n\n"
                   "A different text about the weather and the river and the long road home.");
  directory_.write(
      "eval.jsonl",
      "{\"q\": \"the answer to this old question that people ask us every single day\"}\n");
  const std::string sources = R"({"path": "a.txt"})";
  const std::string against = R"("contamination": {"against": ["eval.jsonl"], "ngram": 8)";
  Json manifest = prepare(sources, against + "}");
  EXPECT_EQ(manifest["contaminated"], 1);
  EXPECT_EQ(train().size(), 1u);
  manifest = prepare(sources, against + R"(, "action": "report"})");
  EXPECT_EQ(manifest["contaminated"], 1);
  EXPECT_EQ(train().size(), 2u);
}

TEST_F(Prepare, ParagraphsThatRepeat) {
  const std::string notice =
      "All rights to this page and its pictures are reserved by the publisher.";
  directory_.write("a.jsonl", Json{{"text", "First.\n" + notice + "\nEnd."}}.dump() + "\n" +
                                  Json{{"text", "Second.\n" + notice}}.dump() + "\n");
  const Json manifest = prepare(R"({"path": "a.jsonl"})",
                                R"("deduplicate": {"paragraphs": true, "min_paragraph": 40})");
  EXPECT_THAT(train(), ElementsAre("First.\n" + notice + "\nEnd.", "Second."));
  EXPECT_EQ(manifest["repeated_paragraphs"], 1);
}

TEST_F(Prepare, ParagraphsOfDroppedNearDuplicatesStay) {
  std::string body;
  for (int i = 0; i < 200; ++i) body += "word" + std::to_string(i * 7919 % 1000) + " ";
  const std::string paragraph =
      "This paragraph stands in a near duplicate and in one other document, so it must stay there.";
  directory_.write("a.jsonl", Json{{"text", body}}.dump() + "\n" +
                                  Json{{"text", body + "\n" + paragraph}}.dump() + "\n" +
                                  Json{{"text", "Other words.\n" + paragraph}}.dump() + "\n");
  const Json manifest =
      prepare(R"({"path": "a.jsonl"})", R"("deduplicate": {"near": true, "paragraphs": true})");
  EXPECT_EQ(manifest["near_duplicates"], 1);
  EXPECT_EQ(manifest["repeated_paragraphs"], 0);
  EXPECT_THAT(train(), ElementsAre(testing::_, "Other words.\n" + paragraph));
}

TEST_F(Prepare, WhatWasDroppedAndChangedIsToldWithItsPlace) {
  std::string body;
  for (int i = 0; i < 100; ++i) body += "w" + std::to_string(i * 7919 % 1000) + " ";
  const std::string notice = "All rights to this page and its pictures are reserved by its owner.";
  std::string lines;
  for (const std::string& text :
       {body + "\n" + notice, std::string("ab"), body + "\n" + notice, body + "more\n" + notice,
        "A text of its own.\n" + notice, std::string("<b>Bold</b> words")}) {
    lines += Json{{"text", text}}.dump() + "\n";
  }
  directory_.write("a.jsonl", lines);
  const std::string more =
      R"("clean": {"html": true, "min_characters": 5}, "write_dropped": true,
         "deduplicate": {"near": true, "paragraphs": true, "min_paragraph": 40})";
  const Json manifest = prepare(R"({"path": "a.jsonl"})", more);
  std::vector<std::string> found;
  for_each_line(directory_ / "out/dropped.jsonl", [&](std::uint64_t, std::string_view line) {
    const Json one = parse_json(line, "dropped");
    EXPECT_EQ(one["source"], (directory_ / "a.jsonl").string());
    found.push_back(concat(one["place"].get<int>(), " ", one["rule"].get<std::string>(), " ",
                           one["text"].get<std::string>().substr(0, 6)));
    if (one["rule"] == "near_duplicate") {
      EXPECT_THAT(one["like"].get<std::string>(), testing::EndsWith("a.jsonl:1"));
    }
    return true;
  });
  EXPECT_THAT(found, ElementsAre("2 length ab", "3 exact_duplicate w0 w91",
                                 "4 near_duplicate w0 w91", "5 repeated_paragraph All ri"));
  const Json& html = manifest["steps"][0];
  ASSERT_EQ(html["step"], "html");
  ASSERT_EQ(html["examples"]["changed"].size(), 1U);
  EXPECT_THAT(html["examples"]["changed"][0]["source"].get<std::string>(), testing::EndsWith(":6"));
  EXPECT_EQ(html["examples"]["changed"][0]["before"], "<b>Bold</b> words");
  EXPECT_EQ(html["examples"]["changed"][0]["after"], "Bold words");
  EXPECT_EQ(manifest["examples"]["near_duplicates"].size(), 1U);
  EXPECT_EQ(manifest["examples"]["repeated_paragraphs"][0]["text"], notice);
  const std::string page = read_file(directory_ / "out/report.html");
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;Bold&lt;/b&gt; words"));
  EXPECT_THAT(page, HasSubstr("html: examples of what was changed"));
}

TEST_F(Prepare, TheTextsFieldIsFoundNullsAreTold) {
  directory_.write("a.csv", ",review,label\n0,Good,1\n1,Bad,0\n");
  directory_.write("c.csv", "Title,TEXT\nt,Capital.\n");
  directory_.write("b.jsonl", "{\"text\": null}\n{\"text\": \"There.\"}\n");
  testing::internal::CaptureStderr();
  prepare(R"({"path": "a.csv"}, {"path": "b.jsonl"}, {"path": "c.csv"})");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(train(), ElementsAre("Good", "Bad", "There.", "Capital."));
  EXPECT_THAT(log, HasSubstr("1 record whose text is null was passed over, the first at"));
  EXPECT_THAT(log, HasSubstr("b.jsonl:1"));
}

/// A corpus of made-up documents with copies among them.
void write_corpus(const test::TempDir& directory, int documents) {
  Random random(random_key(3, "corpus"));
  std::string lines;
  std::vector<std::string> texts;
  for (int i = 0; i < documents; ++i) {
    std::string text;
    if (i % 10 == 9) {
      text = texts[random.below(texts.size())] + (i % 20 == 9 ? "" : " and so on");
    } else {
      for (std::uint64_t n = 30 + random.below(60); n > 0; --n) {
        text += "w" + std::to_string(random.below(3000)) + " ";
      }
    }
    texts.push_back(text);
    lines += Json{{"text", text}}.dump() + "\n";
  }
  directory.write("corpus.jsonl", lines);
}

constexpr char kEverything[] =
    R"("tokenizer": "tokenizer", "deduplicate": {"near": true, "paragraphs": true},
       "split": {"valid": 0.1, "test": 0.05}, "write_text": true)";

TEST_F(Prepare, ShardsAreTheSameForAnyThreads) {
  make_directories(directory_ / "tokenizer");
  test::trained_tokenizer()->save(directory_ / "tokenizer", 0);
  write_corpus(directory_, 600);
  std::map<std::string, std::string> first;
  for (const int threads : {1, 4}) {
    set_thread_count(threads);
    const Json manifest = prepare(R"({"path": "corpus.jsonl"})", kEverything);
    set_thread_count(0);
    EXPECT_GE(manifest["exact_duplicates"], 25);
    EXPECT_GE(manifest["near_duplicates"], 25);
    if (threads == 1) {
      first = contents(directory_ / "out");
    } else {
      EXPECT_EQ(contents(directory_ / "out"), first);
    }
  }
  std::set<std::string> seen;
  std::uint64_t documents = 0;
  for (const char* split : {"train", "valid", "test"}) {
    const auto texts = texts_of(directory_ / "out" / (std::string(split) + ".jsonl"));
    const Shards shards(directory_ / "out" / split);
    EXPECT_EQ(shards.documents(), texts.size());
    EXPECT_GT(texts.size(), 0u);
    documents += texts.size();
    seen.insert(texts.begin(), texts.end());
  }
  EXPECT_EQ(seen.size(), documents);
  // Training takes them as they are.
  const auto tokenizer = load_tokenizer(directory_ / "tokenizer");
  const auto files = expand_paths({(directory_ / "out/train").string()});
  EXPECT_EQ(tokenize_to_shards(files, *tokenizer, {}, directory_ / "cache")->directory(),
            directory_ / "out/train");
  TokenizeOptions held_out;
  held_out.selection = {DocumentSelection::Kind::kHashIn, 0.1};
  EXPECT_THROW(tokenize_to_shards(files, *tokenizer, held_out, directory_ / "cache"), Error);
  const auto other = test::trained_tokenizer("masked");
  EXPECT_THROW(tokenize_to_shards(files, *other, {}, directory_ / "cache"), Error);
}

TEST_F(Prepare, Refusals) {
  const auto refusal = [&](const std::string& sources,
                           const std::string& more = "") -> std::string {
    try {
      prepare(sources, more);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "accepted " << sources;
    return "";
  };
  directory_.write("x.parquet", "PAR1");
  EXPECT_THAT(refusal(R"({"path": "x.parquet"})"), HasSubstr("pandas.read_parquet('x.parquet')"));
  EXPECT_THAT(refusal(R"({"path": "none.txt"})"), HasSubstr("none.txt"));
  directory_.write("a.jsonl", "{\"note\": \"x\"}\n");
  EXPECT_THAT(refusal(R"({"path": "a.jsonl"})"),
              AllOf(HasSubstr("a.jsonl:1"), HasSubstr("it has note"), HasSubstr("--fields")));
  directory_.write("b.xml", "<feed></feed>");
  EXPECT_THAT(refusal(R"({"path": "b.xml"})"), HasSubstr("no <page>"));
  directory_.write("c.txt", "short");
  EXPECT_THAT(refusal(R"({"path": "c.txt"})", R"("clean": {"min_characters": 100})"),
              HasSubstr("no document is left for training of 1 read; dropped: length 1"));
  EXPECT_THAT(refusal(""), HasSubstr("no input"));
}

}  // namespace
}  // namespace llmctl
