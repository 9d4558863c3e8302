#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/log.h"
#include "io/text_source.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::TempDir;

using Records = std::vector<std::pair<std::uint64_t, std::string>>;

Records records_of(const fs::path& path) {
  Records records;
  for_each_record(path, [&](std::uint64_t number, const Json& record) {
    records.emplace_back(number, dump_json(record));
    return true;
  });
  return records;
}

TEST(Records, JsonLines) {
  const TempDir dir;
  EXPECT_EQ(
      records_of(dir.write("a.jsonl", "\xEF\xBB\xBF{\"b\":1,\"a\":[2]}\r\n\n {\"c\":\"\\u4f60\"}")),
      (Records{{1, R"({"b":1,"a":[2]})"}, {3, R"({"c":"你"})"}}));
  const auto read = [&](const std::string& text) {
    return [&dir, text] { records_of(dir.write("a.jsonl", text)); };
  };
  expect_error(ErrorCode::kData, {"a.jsonl:2:"}, read("{}\n{\"a\":1,}\n"));
  expect_error(ErrorCode::kData, {"a.jsonl:1:"}, read("{\"a\":1,\"a\":2}"));
  expect_error(ErrorCode::kData, {"a.jsonl:3:", "object"}, read("{}\n{}\n\"text\""));
}

TEST(Records, JsonArrays) {
  const TempDir dir;
  const Records expected{{1, R"({"a":1})"}, {2, R"({"a":2})"}};
  EXPECT_EQ(records_of(dir.write("a.json", "[{\"a\":1},\n {\"a\":2}]")), expected);
  EXPECT_EQ(records_of(dir.write("a.json", R"({"version":"v1","data":[{"a":1},{"a":2}]})")),
            expected);
  EXPECT_TRUE(records_of(dir.write("a.json", "[]")).empty());
  const auto read = [&](const std::string& text) {
    return [&dir, text] { records_of(dir.write("a.json", text)); };
  };
  expect_error(ErrorCode::kData, {"a.json", "list of objects"}, read("{\"rows\":[]}"));
  expect_error(ErrorCode::kData, {"a.json", "list of objects"}, read("{\"data\":3}"));
  expect_error(ErrorCode::kData, {"a.json", "element 2", "number"}, read("[{}, 3]"));
  expect_error(ErrorCode::kData, {"a.json:2:"}, read("[{},\n {]"));
  expect_error(ErrorCode::kData, {"a.json"}, read(""));
}

TEST(Records, BadRowsAreGivenAwayWhereSomebodyTakesThem) {
  const TempDir dir;
  const auto read = [&](const std::string& name, const std::string& text) {
    std::string out;
    const fs::path file = dir.write(name, text);
    for_each_record(
        file,
        [&](std::uint64_t number, const Json& record) {
          out += std::to_string(number) + dump_json(record) + " ";
          return true;
        },
        [&](const Error& error) {
          std::string_view what = error.what();
          EXPECT_TRUE(what.starts_with(file.string() + ":")) << what;
          what.remove_prefix(file.string().size());
          out += "(" + std::string(what.substr(0, what.find(' '))) + ") ";
        });
    return out;
  };
  EXPECT_EQ(read("a.jsonl", "{\"a\":1}\n{\n\"\xC4\xE3\"\n[1]\n{\"a\":2}\n"),
            "1{\"a\":1} (:2:2:) (:3:) (:4:) 5{\"a\":2} ");
  EXPECT_EQ(read("a.json", "[{\"a\":1}, 2, {\"a\":3}]"), "1{\"a\":1} (:) 3{\"a\":3} ");
  EXPECT_EQ(read("a.tsv", "a\tb\n1\t2\n3\n\xC4\t5\n6\t7\n"),
            R"(2{"a":"1","b":"2"} (:3:) (:4:) 5{"a":"6","b":"7"} )");
  // A bad line spoils the whole of its row; what cannot be divided ends at its line.
  EXPECT_EQ(read("a.csv", "a,b\n\"x\n\xC4\xE3\",2\n\"3\" 4,5\n6,7\n"),
            R"((:3:) (:4:) 5{"a":"6","b":"7"} )");
  expect_error(ErrorCode::kData, {"a.csv:1:"}, [&] { read("a.csv", "a,a\n1,2\n"); });
  expect_error(ErrorCode::kData, {"a.csv:2:", "never closed"},
               [&] { read("a.csv", "a,b\n\"1,2\n3,4\n"); });
  expect_error(ErrorCode::kData, {"a.csv:1: invalid UTF-8"},
               [&] { read("a.csv", "a,\xC4\n1,2\n"); });
}

TEST(Records, BlanksAroundNamesOfColumnsAreNotPartOfThem) {
  const TempDir dir;
  EXPECT_EQ(records_of(dir.write("a.csv", "text, label\nx, y\n")),
            (Records{{2, R"({"text":"x","label":" y"})"}}));
}

TEST(Records, CommaSeparated) {
  const TempDir dir;
  const fs::path path = dir.write("a.csv",
                                  "\xEF\xBB\xBFlabel,\"the, text\"\r\n"
                                  "1,\"says \"\"yes\"\", twice\"\r\n"
                                  "\r\n"
                                  "0,\"two\r\n\r\nlines, one \"\"\r\nfield\"\r\n"
                                  ",\n"
                                  "5\" wide,\"\"\n"
                                  "最后,\"\"\"\"");
  EXPECT_EQ(records_of(path),
            (Records{{2, R"({"label":"1","the, text":"says \"yes\", twice"})"},
                     {4, R"({"label":"0","the, text":"two\n\nlines, one \"\nfield"})"},
                     {8, R"({"label":"","the, text":""})"},
                     {9, R"({"label":"5\" wide","the, text":""})"},
                     {10, R"({"label":"最后","the, text":"\""})"}}));
  EXPECT_TRUE(records_of(dir.write("b.csv", "a,b\n")).empty());
  EXPECT_TRUE(records_of(dir.write("b.csv", "")).empty());
  EXPECT_EQ(records_of(dir.write("one.csv", "text\na\n\"b\"\n")).size(), 2U);
}

TEST(Records, JsonLinesUnderAnotherName) {
  const TempDir dir;
  const Records expected{{1, R"({"a":1})"}, {2, R"({"a":2})"}};
  EXPECT_EQ(records_of(dir.write("a.json", "{\"a\":1}\n{\"a\":2}\n")), expected);
  EXPECT_EQ(records_of(dir.write("a.txt", "{\"a\":1}\n{\"a\":2}\n")), expected);
  EXPECT_EQ(records_of(dir.write("a.jsonl", "[{\"a\":1},\n{\"a\":2}]\n")), expected);
  // A page of its own in each file, as scrapers write them.
  EXPECT_EQ(records_of(dir.write("b.json", "{\n \"title\": \"x\",\n \"text\": \"y\"}\n")),
            (Records{{1, R"({"title":"x","text":"y"})"}}));
}

TEST(Records, TheNamelessColumnOfPandasIsPassedOver) {
  const TempDir dir;
  const Records expected{{2, R"({"text":"x","label":"a"})"}, {3, R"({"text":"y","label":"b"})"}};
  EXPECT_EQ(records_of(dir.write("a.csv", ",text,label\n0,x,a\n1,y,b\n")), expected);
  EXPECT_EQ(records_of(dir.write("a.csv", "\"\",\"text\",\"label\"\n\"1\",x,a\n2,y,b\n")),
            expected);
  EXPECT_EQ(records_of(dir.write("a.csv", "Unnamed: 0,text,label\n0,x,a\n1,y,b\n")), expected);
  EXPECT_EQ(records_of(dir.write("a.tsv", "\ttext\tlabel\n0\tx\ta\n1\ty\tb\n")), expected);
}

TEST(Records, TablesSeparatedByWhatTheirHeaderHas) {
  const TempDir dir;
  const Records expected{{2, R"({"text":"a, b","label":"1"})"}};
  EXPECT_EQ(records_of(dir.write("a.csv", "text;label\n\"a, b\";1\n")), expected);
  EXPECT_EQ(records_of(dir.write("a.csv", "text\tlabel\na, b\t1\n")), expected);
  EXPECT_EQ(records_of(dir.write("a.csv", "text\nx\n")), (Records{{2, R"({"text":"x"})"}}));
}

TEST(Records, FaultsOfCommaSeparatedRowsNameTheirLine) {
  const TempDir dir;
  const auto read = [&](const std::string& text) {
    return [&dir, text] { records_of(dir.write("a.csv", text)); };
  };
  expect_error(ErrorCode::kData, {"a.csv:3:", "3 fields", "expected 2"}, read("a,b\n1,2\n1,2,3\n"));
  expect_error(ErrorCode::kData, {"a.csv:2:", "1 fields"}, read("a,b\n1\n"));
  expect_error(ErrorCode::kData, {"a.csv:2:", "never closed"}, read("a,b\n1,\"two\nthree,4\n"));
  expect_error(ErrorCode::kData, {"a.csv:3:", "closing quote", "'x'"}, read("a,b\n1,\"2\n2\"x\n"));
  expect_error(ErrorCode::kData, {"a.csv:1:", "differ", "'a'"}, read("a,a\n"));
  expect_error(ErrorCode::kData, {"a.csv:1:", "not be empty"}, read("a,\n"));
}

TEST(Records, TabSeparatedFieldsAreNotQuoted) {
  const TempDir dir;
  EXPECT_EQ(records_of(dir.write("a.tsv", "en\tzh\n\"Hi\", he said\t你好\n\n\t\n")),
            (Records{{2, R"({"en":"\"Hi\", he said","zh":"你好"})"}, {4, R"({"en":"","zh":""})"}}));
  expect_error(ErrorCode::kData, {"a.tsv:2:", "3 fields"},
               [&] { records_of(dir.write("a.tsv", "a\tb\n1\t2\t3\n")); });
}

TEST(Records, TabSeparatedFieldsQuotedAsInCsvAreToldOnceForEachFile) {
  const TempDir dir;
  const auto said = [](const fs::path& path) {
    set_log_level(LogLevel::kInfo);
    testing::internal::CaptureStderr();
    records_of(path);
    return testing::internal::GetCapturedStderr();
  };
  const std::string rows = "text\tlabel\n\"He said \"\"hi\"\" ok.\"\t1\n\"\"\"Yes\"\"\"\t\"0\"\n";
  const fs::path table = dir.write("pandas.tsv", rows);
  EXPECT_THAT(said(table), testing::HasSubstr("pandas.tsv: 2 fields are in quotation marks"));
  EXPECT_EQ(said(table), "");
  EXPECT_EQ(records_of(table)[0].second, R"({"text":"\"He said \"\"hi\"\" ok.\"","label":"1"})");
  // What the warning says to do.
  EXPECT_EQ(records_of(dir.write("pandas.csv", rows)),
            (Records{{2, R"({"text":"He said \"hi\" ok.","label":"1"})"},
                     {3, R"({"text":"\"Yes\"","label":"0"})"}}));
  EXPECT_THAT(said(dir.write("one.tsv", "text\n\"a \"\"b\"\"\"\n")),
              testing::HasSubstr("one.tsv: 1 field is in"));
  // Texts that begin and end with quotation marks of their own.
  EXPECT_EQ(said(dir.write("raw.tsv", "a\tb\n\"Hi\"\t\"\"\n\"A\" or \"B\"\t\"\"C\"\" or \"D\"\n")),
            "");
}

TEST(Records, StopWhenAsked) {
  const TempDir dir;
  for (const auto& [name, text] :
       std::vector<std::pair<std::string, std::string>>{{"a.jsonl", "{}\n{}\n{}"},
                                                        {"a.json", "[{},{},{}]"},
                                                        {"a.csv", "x\n1\n2\n3\n"},
                                                        {"a.tsv", "x\n1\n2\n3\n"}}) {
    int seen = 0;
    for_each_record(dir.write(name, text), [&](std::uint64_t, const Json&) { return ++seen < 2; });
    EXPECT_EQ(seen, 2) << name;
  }
}

TEST(Records, OtherFilesAreRefused) {
  const TempDir dir;
  expect_error(ErrorCode::kData, {"a.txt", ".jsonl, .json, .csv", "'.txt'"},
               [&] { records_of(dir.write("a.txt", "x")); });
  expect_error(ErrorCode::kMissing, {"absent.csv"}, [&] { records_of(dir / "absent.csv"); });
}

}  // namespace
}  // namespace llmctl
