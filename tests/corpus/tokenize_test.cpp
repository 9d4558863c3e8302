#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/threads.h"
#include "corpus/tokenize.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;
using test::ByteTokenizer;
using test::expect_error;
using test::TempDir;
using Kind = DocumentSelection::Kind;

/// Counts what it encodes.
class CountingTokenizer : public ByteTokenizer {
 public:
  using ByteTokenizer::ByteTokenizer;
  std::vector<TokenId> encode(std::string_view text) const override {
    if (text.size() < 200) ++calls;  // the probe of the cache's key is longer than the texts here
    return ByteTokenizer::encode(text);
  }
  mutable std::atomic<int> calls{0};
};

/// The documents of shards as texts, without their ends.
std::vector<std::string> texts_of(const Shards& shards) {
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < shards.documents(); ++i) {
    std::vector<std::int64_t> ids(shards.document_start(i + 1) - shards.document_start(i));
    shards.read(shards.document_start(i), ids);
    texts.emplace_back();
    for (const std::int64_t id : ids) {
      if (id < 256) texts.back() += static_cast<char>(id);
    }
  }
  return texts;
}

std::size_t entries(const fs::path& directory) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

class Tokenize : public ::testing::Test {
 protected:
  std::shared_ptr<const Shards> run(const TokenizeOptions& options = {}) {
    return tokenize_to_shards(files_, tokenizer_, options, dir_ / "cache");
  }
  TokenizeOptions selecting(Kind kind, double fraction,
                            DocumentSplit split = DocumentSplit::kBlankLine) {
    TokenizeOptions options;
    options.split = split;
    options.selection = {kind, fraction};
    return options;
  }
  TempDir dir_;
  CountingTokenizer tokenizer_;
  std::vector<fs::path> files_;
};

TEST_F(Tokenize, EveryDocumentInOrderWithItsEnd) {
  files_ = {dir_.write("b.txt", "one\nmore\n\ntwo\n"),
            dir_.write("a.jsonl", "{\"text\":\"三\"}\n{\"text\":\"four\\n\\n\"}\n")};
  const auto shards = run();
  EXPECT_EQ(texts_of(*shards), (std::vector<std::string>{"one\nmore", "two", "三", "four\n\n"}));
  EXPECT_EQ(shards->tokens(), 8U + 3 + 3 + 6 + 4);
  std::vector<std::int64_t> last(1);
  for (std::uint64_t i = 1; i <= shards->documents(); ++i) {
    shards->read(shards->document_start(i) - 1, last);
    EXPECT_EQ(last[0], 257);
  }
  EXPECT_EQ(shards->end_token(), std::optional<TokenId>(257));
  EXPECT_EQ(shards->text_bytes(), 20U);
  EXPECT_EQ(shards->manifest()["sources"].size(), 2U);
  EXPECT_EQ(shards->manifest()["sources"][0]["path"], files_[0].string());
}

TEST_F(Tokenize, TheEndIsWhatTheTokenizerHas) {
  const fs::path file = dir_.write("a.txt", "text");
  TokenizeOptions without;
  without.append_end = false;
  EXPECT_EQ(tokenize_to_shards({file}, ByteTokenizer(ByteTokenizer::Kind::kMasked), {}, dir_ / "c")
                ->end_token(),
            std::optional<TokenId>(259));
  EXPECT_EQ(tokenize_to_shards({file}, ByteTokenizer(ByteTokenizer::Kind::kPlain), {}, dir_ / "c")
                ->tokens(),
            4U);
  EXPECT_EQ(tokenize_to_shards({file}, tokenizer_, without, dir_ / "c")->tokens(), 4U);
  EXPECT_EQ(entries(dir_ / "c"), 3U);
}

TEST_F(Tokenize, TheCacheIsKeyedByContentTokenizerAndOptions) {
  files_ = {dir_.write("a.txt", "one\n\ntwo")};
  const auto first = run();
  EXPECT_EQ(tokenizer_.calls, 2);
  EXPECT_EQ(run()->directory(), first->directory());
  EXPECT_EQ(tokenizer_.calls, 2);
  // The same bytes under another name are the same text, under another kind they are not.
  files_ = {dir_.write("renamed.txt", "one\n\ntwo")};
  EXPECT_EQ(run()->directory(), first->directory());
  EXPECT_EQ(tokenizer_.calls, 2);
  files_ = {dir_.write("a.txt", "one\n\ntoo")};
  EXPECT_NE(run()->directory(), first->directory());
  files_ = {dir_.write("a.txt", "one\n\ntwo")};
  TokenizeOptions lines;
  lines.split = DocumentSplit::kLine;
  EXPECT_NE(run(lines)->directory(), first->directory());
  EXPECT_NE(run(selecting(Kind::kTail, 0.6))->directory(), first->directory());
  EXPECT_NE(run(selecting(Kind::kTail, 0.7))->directory(), first->directory());
  // Only finished directories remain: no lock, no temporary.
  EXPECT_EQ(entries(dir_ / "cache"), 5U);
}

/// As if a normaliser had been mended: the same files of a tokenizer, other ids.
class MendedTokenizer : public ByteTokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text) const override {
    auto ids = ByteTokenizer::encode(text);
    for (TokenId& id : ids) id = id == 0xC3 ? 'A' : id;
    return ids;
  }
};

TEST_F(Tokenize, AMendedTokenizerKeepsNoOldIds) {
  files_ = {dir_.write("a.txt", "one\n\ntwo")};
  const auto first = run();
  const MendedTokenizer mended;
  ASSERT_EQ(mended.fingerprint(), tokenizer_.fingerprint());
  EXPECT_NE(tokenize_to_shards(files_, mended, {}, dir_ / "cache")->directory(),
            first->directory());
}

TEST_F(Tokenize, TextComesFromTheFieldsOfRecords) {
  files_ = {dir_.write("a.csv", ",text,label\n0,\"one, two\",pos\n1,three,neg\n"),
            dir_.write("b.json", "[{\"content\": \"four\", \"source\": \"web\"}]"),
            dir_.write("c.json",
                       "{\"review\": \"five\", \"stars\": 3}\n{\"review\": null, \"stars\": 1}\n"),
            dir_.write("d.txt", "{\"text\": \"six\"}\n{\"text\": \"seven\"}\n"),
            dir_.write("e.html", "<html><body><p>eight</p></body></html>"),
            dir_.write("f.tsv", "line\nnine\n")};
  EXPECT_EQ(texts_of(*run()), (std::vector<std::string>{"one, two", "three", "four", "five", "six",
                                                        "seven", "eight", "nine"}));
  files_ = {dir_.write("a.csv", "title,summary\nx,y\n")};
  expect_error(ErrorCode::kData, {"a.csv:2:", "title, summary", "data.fields"}, [&] { run(); });
  TokenizeOptions named;
  named.fields = {"summary"};
  EXPECT_EQ(texts_of(*run(named)), std::vector<std::string>{"y"});
  files_ = {dir_.write("a.jsonl", "{\"doc\": {\"text\": \"inner\"}}\n")};
  named.fields = {"doc.text"};
  EXPECT_EQ(texts_of(*run(named)), std::vector<std::string>{"inner"});
}

TEST_F(Tokenize, MarksOfTheirOwnLinesEndDocumentsOthersAreCounted) {
  files_ = {dir_.write("a.txt",
                       "One.\n\nMore <|im_start|>.\n<|endoftext|>\nTwo [SEP].\n<|endoftext|>\n")};
  testing::internal::CaptureStderr();
  const auto shards = run();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(texts_of(*shards),
            (std::vector<std::string>{"One.\n\nMore <|im_start|>.", "Two [SEP]."}));
  EXPECT_NE(log.find("end-of-text marks: 2 <|endoftext|>"), log.npos) << log;
  EXPECT_NE(log.find("kept as text: 1 <|im_start|>, 1 [SEP]"), log.npos) << log;
  // A share at the end is one of the documents, whose file is not one.
  EXPECT_EQ(texts_of(*run(selecting(Kind::kTail, 0.3, DocumentSplit::kFile))),
            std::vector<std::string>{"Two [SEP].\n"});
}

TEST_F(Tokenize, ShardsBesideOtherFilesAreNamed) {
  files_ = {dir_.write("a.txt", "one")};
  fs::create_directories(dir_ / "prepared");
  fs::copy(run()->directory(), dir_ / "prepared/train");
  dir_.write("prepared/train.jsonl", "{\"text\": \"one\"}\n");
  files_ = expand_paths({(dir_ / "prepared").string()});
  expect_error(ErrorCode::kData, {"prepared/train", "name it by itself"}, [&] { run(); });
}

TEST_F(Tokenize, DamagedShardsAreMadeAgain) {
  files_ = {dir_.write("a.txt", "one\n\ntwo")};
  const fs::path directory = run()->directory();
  fs::resize_file(directory / "tokens-00000.bin", 3);
  EXPECT_EQ(run()->tokens(), 8U);
  EXPECT_EQ(tokenizer_.calls, 4);
  fs::remove(directory / "manifest.json");
  EXPECT_EQ(run()->tokens(), 8U);
  EXPECT_EQ(tokenizer_.calls, 6);
}

TEST_F(Tokenize, WhatDeadProcessesLeftIsRemoved) {
  files_ = {dir_.write("a.txt", "text")};
  const pid_t child = ::fork();
  if (child == 0) {
    const AtomicDirectory building(dir_ / "cache/unfinished");
    write_file(building.path() / "part", "x");
    ::_exit(0);  // no destructor runs, as when the process is killed
  }
  ::waitpid(child, nullptr, 0);
  ASSERT_EQ(entries(dir_ / "cache"), 1U);
  const auto shards = run();
  EXPECT_EQ(entries(dir_ / "cache"), 1U);
}

TEST_F(Tokenize, ProcessesThatWantTheSameShareIt) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "document " + std::to_string(i) + "\n\n";
  files_ = {dir_.write("a.txt", text)};
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      set_thread_count(1);
      try {
        ::_exit(run()->documents() == 2000 ? tokenizer_.calls == 0 ? 10 : 11 : 1);
      } catch (...) {
        ::_exit(2);
      }
    }
    children.push_back(child);
  }
  int made = 0;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_GE(WEXITSTATUS(status), 10);
    made += WEXITSTATUS(status) == 11 ? 1 : 0;
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(entries(dir_ / "cache"), 1U);
}

TEST_F(Tokenize, ResultsDoNotDependOnThreads) {
  std::string text;
  for (int i = 0; i < 3000; ++i)
    text += std::string(static_cast<std::size_t>(i % 97), 'x') + "文\n\n";
  files_ = {dir_.write("a.txt", text)};
  set_thread_count(1);
  const auto one = tokenize_to_shards(files_, tokenizer_, {}, dir_ / "one");
  set_thread_count(4);
  const auto four = tokenize_to_shards(files_, tokenizer_, {}, dir_ / "four");
  set_thread_count(0);
  EXPECT_EQ(one->fingerprint(), four->fingerprint());
}

TEST_F(Tokenize, HeadAndTailShareTheDocumentsOfEachFileByTheirBytes) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "document " + std::to_string(100 + i) + "\n\n";
  const fs::path a = dir_.write("a.txt", text.substr(0, 14 * 40));
  const fs::path b = dir_.write("b.txt", text.substr(14 * 40));
  files_ = {a, b};
  const auto head = texts_of(*run(selecting(Kind::kHead, 0.1)));
  const auto tail = texts_of(*run(selecting(Kind::kTail, 0.1)));
  ASSERT_EQ(tail.size(), 10U);
  EXPECT_EQ(tail[0], "document 136");
  EXPECT_EQ(tail[3], "document 139");
  EXPECT_EQ(tail[4], "document 194");
  auto both = head;
  both.insert(both.end(), tail.begin(), tail.end());
  auto all = texts_of(*run());
  std::sort(both.begin(), both.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(both, all);
  // What is held out does not depend on which files are named together.
  files_ = {b};
  EXPECT_EQ(texts_of(*run(selecting(Kind::kTail, 0.1))).size(), 6U);
}

TEST_F(Tokenize, AFileThatIsOneDocumentIsCutAtACharacter) {
  // 10 characters of 3 bytes: the cut at 0.5 falls on byte 15, that at 0.45 on byte 16 → 15.
  files_ = {dir_.write("a.txt", "一二三四五六七八九十"), dir_.write("b.txt", "0123456789\n")};
  for (const double fraction : {0.5, 0.45}) {
    const auto head = texts_of(*run(selecting(Kind::kHead, fraction, DocumentSplit::kFile)));
    const auto tail = texts_of(*run(selecting(Kind::kTail, fraction, DocumentSplit::kFile)));
    EXPECT_EQ(head[0], "一二三四五") << fraction;
    EXPECT_EQ(tail[0], "六七八九十") << fraction;
    EXPECT_EQ(head[1] + tail[1], "0123456789\n");
  }
  // nanoGPT's split of Shakespeare: the first int(0.9 n) characters train.
  files_ = {dir_.write("s.txt", std::string(1'115'394, 's'))};
  EXPECT_EQ(run(selecting(Kind::kTail, 0.1, DocumentSplit::kFile))->text_bytes(),
            1'115'394U - 1'003'854U);
}

TEST_F(Tokenize, LinesOfJsonAreNeverCut) {
  files_ = {dir_.write("a.jsonl", "{\"text\":\"0123456789\"}\n{\"text\":\"abcdefghij\"}\n")};
  EXPECT_EQ(texts_of(*run(selecting(Kind::kTail, 0.5, DocumentSplit::kFile))),
            std::vector<std::string>{"abcdefghij"});
}

TEST_F(Tokenize, SharesByHashKeepEqualTextsTogether) {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "document " + std::to_string(i % 2000) + "\n\n";
  files_ = {dir_.write("a.txt", text)};
  const auto in = texts_of(*run(selecting(Kind::kHashIn, 0.1)));
  const auto out = texts_of(*run(selecting(Kind::kHashOut, 0.1)));
  EXPECT_EQ(in.size() + out.size(), 4000U);
  EXPECT_NEAR(static_cast<double>(in.size()), 400, 100);
  const std::set<std::string> held_out(in.begin(), in.end());
  EXPECT_EQ(held_out.size() * 2, in.size());
  for (const std::string& train : out) EXPECT_FALSE(held_out.contains(train));
}

TEST_F(Tokenize, NothingLeftIsAnError) {
  files_ = {dir_.write("a.txt", " \n\n\t\n")};
  expect_error(ErrorCode::kData, {"a.txt", "no text left", "0 documents"}, [&] { run(); });
  files_ = {dir_.write("a.txt", "only one document")};
  expect_error(ErrorCode::kData, {"a.txt", "1 documents of 17 bytes", "held-out"},
               [&] { run(selecting(Kind::kTail, 0.1)); });
  files_ = {dir_.write("a.txt", "x"), dir_ / "absent.txt"};
  expect_error(ErrorCode::kMissing, {"absent.txt"}, [&] { run(); });
  files_.clear();
  expect_error(ErrorCode::kMissing, {"no text file"}, [&] { run(); });
  EXPECT_EQ(entries(dir_ / "cache"), 0U);
}

TEST_F(Tokenize, FaultsNameTheFile) {
  files_ = {dir_.write("good.txt", "x"), dir_.write("bad.txt",
                                                    "ok\n\nb\xFF"
                                                    "d")};
  expect_error(ErrorCode::kData, {"bad.txt:3:", "byte 2", "iconv"}, [&] { run(); });
  files_ = {dir_.write("a.txt", "x")};
  expect_error(ErrorCode::kConfig, {"between 0 and 1", "1.5"},
               [&] { run(selecting(Kind::kTail, 1.5)); });
  EXPECT_EQ(entries(dir_ / "cache"), 0U);
}

TEST_F(Tokenize, AFullDiskLeavesNothingBehind) {
  files_ = {dir_.write("a.txt", std::string(1 << 20, 'x'))};
  struct rlimit limit {};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const struct rlimit low { 1 << 16, limit.rlim_max };
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &low);
  expect_error(ErrorCode::kIo, {"tokens-00000.bin"}, [&] { run(); });
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(entries(dir_ / "cache"), 0U);
  EXPECT_EQ(run()->tokens(), (1U << 20) + 1);
}

TEST_F(Tokenize, ACacheThatCannotBeWrittenIsSaid) {
  files_ = {dir_.write("a.txt", "x")};
  dir_.write("file", "");
  expect_error(ErrorCode::kCannotCreate, {"file"},
               [&] { tokenize_to_shards(files_, tokenizer_, {}, dir_ / "file/cache"); });
}

}  // namespace
}  // namespace llmctl
