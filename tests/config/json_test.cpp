#include "config/json.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using namespace std::string_literals;
using test::expect_error;

constexpr JsonLimits kCommented = {.comments = true};

TEST(Json, ReadsEveryKindOfValue) {
  EXPECT_EQ(parse_json("null", "t"), Json());
  EXPECT_EQ(parse_json("true", "t"), Json(true));
  EXPECT_EQ(parse_json("false", "t"), Json(false));
  EXPECT_EQ(parse_json("\"x\"", "t"), Json("x"));
  EXPECT_EQ(parse_json(" [1, \"two\", [ ], { } ] ", "t"),
            Json::array({1, "two", Json::array(), Json::object()}));
  const Json object = parse_json("{\"b\": {\"c\": [true]}, \"a\": null, \"\": 0}", "t");
  EXPECT_EQ(dump_json(object), "{\"b\":{\"c\":[true]},\"a\":null,\"\":0}");  // in their order
}

TEST(Json, KeepsIntegersWholeAsFarAsTheyFit) {
  EXPECT_TRUE(parse_json("0", "t").is_number_unsigned());
  EXPECT_EQ(parse_json("18446744073709551615", "t").get<std::uint64_t>(), ~std::uint64_t{0});
  EXPECT_EQ(parse_json("-9223372036854775808", "t").get<std::int64_t>(),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_TRUE(parse_json("-1", "t").is_number_integer());
  EXPECT_TRUE(parse_json("18446744073709551616", "t").is_number_float());
  EXPECT_TRUE(parse_json("-9223372036854775809", "t").is_number_float());
  EXPECT_TRUE(parse_json("1.0", "t").is_number_float());
  EXPECT_TRUE(parse_json("1e3", "t").is_number_float());
}

TEST(Json, ReadsNumbersExactly) {
  EXPECT_EQ(parse_json("0.1", "t").get<double>(), 0.1);
  EXPECT_EQ(parse_json("-2.5E-3", "t").get<double>(), -2.5e-3);
  EXPECT_EQ(parse_json("1e+2", "t").get<double>(), 100);
  EXPECT_EQ(parse_json("1.7976931348623157e308", "t").get<double>(),
            std::numeric_limits<double>::max());
  EXPECT_EQ(parse_json("5e-324", "t").get<double>(), 5e-324);
  // Too small to be told from 0 is 0; only too large is refused.
  EXPECT_EQ(parse_json("1e-999", "t").get<double>(), 0);
  EXPECT_EQ(parse_json("1e-99999999999999999999", "t").get<double>(), 0);
  EXPECT_TRUE(std::signbit(parse_json("-1e-999", "t").get<double>()));
  EXPECT_EQ(parse_json("0." + std::string(400, '0') + "1", "t").get<double>(), 0);
  EXPECT_EQ(parse_json("0e999", "t").get<double>(), 0);
  EXPECT_EQ(parse_json("0e99999999999999999999", "t").get<double>(), 0);
  EXPECT_EQ(parse_json("0." + std::string(400, '0') + "1e401", "t").get<double>(), 1);
  EXPECT_EQ(parse_json("1" + std::string(308, '0'), "t").get<double>(), 1e308);
}

TEST(Json, ReadsStrings) {
  EXPECT_EQ(parse_json(R"("\"\\\/\b\f\n\r\t")", "t"), Json("\"\\/\b\f\n\r\t"));
  EXPECT_EQ(parse_json(R"("\u4e2d\u6587 \u0000 \uD83D\uDE00")", "t"), Json("中文 \0 😀"s));
  EXPECT_EQ(parse_json("\"中文😀\x7F\"", "t"), Json("中文😀\x7F"));
}

TEST(Json, SkipsAByteOrderMarkAndSpace) {
  EXPECT_EQ(parse_json("\xEF\xBB\xBF \t\r\n1 \n", "t"), Json(1));
}

TEST(Json, CommentsWhereTheyAreAllowed) {
  EXPECT_EQ(
      parse_json("// a\n{ /* b * / ** */ \"x\" /**/ : // c\n 1 /* d */ } // e", "t", kCommented),
      (Json{{"x", 1}}));
  EXPECT_EQ(parse_json("\"// no comment /* */\"", "t"), Json("// no comment /* */"));
}

struct Bad {
  std::string text, message;
  JsonLimits limits = {};
};

void expect_refused(const std::vector<Bad>& table) {
  for (const Bad& bad : table) {
    SCOPED_TRACE(bad.text);
    expect_error(ErrorCode::kData, "f.json:" + bad.message,
                 [&] { parse_json(bad.text, "f.json", bad.limits); });
  }
}

TEST(BadJson, StructureIsRefusedWithItsPlace) {
  expect_refused(
      {Bad{"", "1:1: expected a value, got the end of the text"},
       Bad{" \n ", "2:2: expected a value, got the end of the text"},
       Bad{"1 2", "1:3: expected nothing more, got '2'"},
       Bad{"{} }", "1:4: expected nothing more, got '}'"},
       Bad{"\xEF\xBB\xBF?", "1:1: expected a value, got '?'"},
       Bad{"中", "1:1: expected a value, got '中'"},
       Bad{"[1,\n中]", "2:1: expected a value, got '中'"},
       Bad{"[\"中文\", x]", "1:8: expected a value, got 'x'"},
       Bad{"'x'", "1:1: expected a value, got '''"},
       Bad{"\x01", "1:1: expected a value, got a control character"},
       Bad{"\0"s, "1:1: expected a value, got a control character"},
       Bad{"tru", "1:1: expected a value, got 'tru'"},
       Bad{"True", "1:1: expected a value, got 'T'"},
       Bad{"nul]", "1:1: expected a value, got 'nul'"},
       Bad{"NaN", "1:1: expected a value, got 'N'"},
       Bad{"Infinity", "1:1: expected a value, got 'I'"},
       Bad{"trueish", "1:5: expected nothing more, got 'i'"},
       Bad{"[", "1:2: expected a value, got the end of the text"},
       Bad{"[1", "1:3: expected ',' or ']' after an element, got the end of the text"},
       Bad{"[1 2]", "1:4: expected ',' or ']' after an element, got '2'"},
       Bad{"[1}", "1:3: expected ',' or ']' after an element, got '}'"},
       Bad{"[1,]", "1:4: expected an element after ',', got ']'"},
       Bad{"[,]", "1:2: expected a value, got ','"},
       Bad{"{", "1:2: expected a key in double quotes, got the end of the text"},
       Bad{"{a: 1}", "1:2: expected a key in double quotes, got 'a'"},
       Bad{"{1: 1}", "1:2: expected a key in double quotes, got '1'"},
       Bad{"{\"a\" 1}", "1:6: expected ':' after the key 'a', got '1'"},
       Bad{"{\"a\": }", "1:7: expected a value, got '}'"},
       Bad{"{\"a\": 1", "1:8: expected ',' or '}' after a member, got the end of the text"},
       Bad{"{\"a\": 1 \"b\": 2}", "1:9: expected ',' or '}' after a member, got '\"'"},
       Bad{"{\"a\": 1,}", "1:9: expected a member after ',', got '}'"},
       Bad{"{\"a\": 1,\n \"a\": 2}", "2:2: duplicate key 'a'"},
       Bad{"{\"a\": 1, \"\\u0061\": 2}", "1:10: duplicate key 'a'"},
       Bad{"{\"x\": {\"a\": 1, \"b\": {}, \"a\": 2}}", "1:25: duplicate key 'a'"},
       Bad{"[[[1]]]", "1:3: nested deeper than 2 levels", {.max_depth = 2}},
       Bad{"{\"a\": [[]]}", "1:8: nested deeper than 2 levels", {.max_depth = 2}},
       Bad{"// x\n1", "1:1: comments are not allowed in this file"},
       Bad{"[1, /* x */ 2]", "1:5: comments are not allowed in this file"},
       Bad{"/ 1", "1:1: expected a value, got '/'", kCommented},
       Bad{"[1 /* x", "1:4: the comment is never closed", kCommented},
       Bad{"1 /*/", "1:3: the comment is never closed", kCommented},
       Bad{"// x", "1:5: expected a value, got the end of the text", kCommented},
       Bad{"12345", " larger than 4 bytes, the limit for such a file", {.max_bytes = 4}}});
}

TEST(BadJson, NumbersAreRefusedWithItsPlace) {
  expect_refused(
      {Bad{"01", "1:1: malformed number: leading zeros"},
       Bad{"-01", "1:1: malformed number: leading zeros"},
       Bad{"-", "1:1: malformed number: expected a digit, got the end of the text"},
       Bad{"-x", "1:1: malformed number: expected a digit, got 'x'"},
       Bad{"--1", "1:1: malformed number: expected a digit, got '-'"},
       Bad{"+1", "1:1: expected a value, got '+'"}, Bad{".5", "1:1: expected a value, got '.'"},
       Bad{"[1.]", "1:2: malformed number: expected a digit, got ']'"},
       Bad{"1e", "1:1: malformed number: expected a digit, got the end of the text"},
       Bad{"1e+", "1:1: malformed number: expected a digit, got the end of the text"},
       Bad{"1.5.2", "1:4: expected nothing more, got '.'"},
       Bad{"0x10", "1:2: expected nothing more, got 'x'"},
       Bad{"1_000", "1:2: expected nothing more, got '_'"},
       Bad{"-Infinity", "1:1: malformed number: expected a digit, got 'I'"},
       Bad{"[1e999]", "1:2: the number 1e999 is out of range"},
       Bad{"-1e999", "1:1: the number -1e999 is out of range"},
       Bad{"1e99999999999999999999", "1:1: the number 1e99999999999999999999 is out of range"},
       Bad{"1" + std::string(309, '0'),
           "1:1: the number 1" + std::string(39, '0') + "… is out of range"}});
}

TEST(BadJson, StringsAreRefusedWithItsPlace) {
  expect_refused(
      {Bad{"[\"abc", "1:2: the string is never closed"},
       Bad{"[\"abc\\", "1:6: unknown escape in a string (for a backslash write two)"},
       Bad{"[\"abc\\\"", "1:2: the string is never closed"},
       Bad{"[\"abc\n\"]", "1:2: the string is not closed on its line"},
       Bad{"\"a\tb\"", "1:3: a control character in a string must be written as an escape"},
       Bad{"\"C:\\dir\"", "1:4: unknown escape in a string (for a backslash write two)"},
       Bad{"\"\\u12\"", "1:2: \\u must be followed by four hexadecimal digits"},
       Bad{"\"\\u12g4\"", "1:2: \\u must be followed by four hexadecimal digits"},
       Bad{"\"\\u+123\"", "1:2: \\u must be followed by four hexadecimal digits"},
       Bad{"\"\\u", "1:2: \\u must be followed by four hexadecimal digits"},
       Bad{"\"\\uD800\"", "1:2: half of a surrogate pair"},
       Bad{"\"\\uD800x\"", "1:2: half of a surrogate pair"},
       Bad{"\"\\uD800\\u0041\"", "1:2: half of a surrogate pair"},
       Bad{"\"\\uDC00\"", "1:2: half of a surrogate pair"}, Bad{"\"中\xFF\"", "1:3: invalid UTF-8"},
       Bad{"\"\xC0\x80\"", "1:2: invalid UTF-8"},
       Bad{"[1,\n \xED\xA0\x80]", "2:2: invalid UTF-8"}});
}

TEST(Json, ErrorsCarryTheCodeAskedFor) {
  expect_error(ErrorCode::kConfig, "run.json:1:2: expected a value, got '!'",
               [] { parse_json("[!", "run.json", {.code = ErrorCode::kConfig}); });
}

TEST(Json, DuplicatesAreFoundAmongManyKeys) {
  for (const int count : {15, 16, 17, 1000}) {
    std::string text = "{";
    for (int i = 0; i < count; ++i) text += concat("\"key", i, "\": ", i, ",\n");
    EXPECT_EQ(parse_json(text + "\"last\": 0}", "t").size(), static_cast<std::size_t>(count) + 1);
    for (const int again : {0, count / 2, count - 1}) {
      expect_error(ErrorCode::kData, concat("t:", count + 1, ":1: duplicate key 'key", again, "'"),
                   [&] { parse_json(concat(text, "\"key", again, "\": 0}"), "t"); });
    }
  }
}

TEST(Json, HostileTextsAreRefusedQuickly) {
  const auto start = std::chrono::steady_clock::now();
  expect_error(ErrorCode::kData, "t:1:65: nested deeper than 64 levels",
               [] { parse_json(std::string(1'000'000, '['), "t"); });
  std::string nested;
  for (int i = 0; i < 200'000; ++i) nested += "{\"a\":";
  expect_error(ErrorCode::kData, "t:1:321: nested deeper than 64 levels",
               [&] { parse_json(nested, "t"); });
  // Many keys, many values on one line with their places: linear, all of them.
  std::string wide = "{";
  for (int i = 0; i < 100'000; ++i) wide += concat("\"k", i, "\":", i, ",");
  wide += "\"end\":0}";
  EXPECT_EQ(parse_json_document(wide, "t").places.size(), 100'002u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Json, DocumentsRememberWhereValuesStand) {
  const JsonDocument document = parse_json_document(
      "{\n"
      "  // 中文\n"
      "  \"optim\": {\"lr\": 1, /* 中文 */ \"betas\": [0.9,\n"
      "    0.99]},\n"
      "  \"中\": true }",
      "c.json", kCommented);
  EXPECT_EQ(document.places, (std::map<std::string, std::string>{{"", "c.json:1:1"},
                                                                 {"optim", "c.json:3:12"},
                                                                 {"optim.lr", "c.json:3:19"},
                                                                 {"optim.betas", "c.json:3:40"},
                                                                 {"optim.betas.0", "c.json:3:41"},
                                                                 {"optim.betas.1", "c.json:4:5"},
                                                                 {"中", "c.json:5:8"}}));
  EXPECT_EQ(parse_json_document("\xEF\xBB\xBF[1]", "t").places.at("0"), "t:1:2");
}

TEST(Json, LoadsAFile) {
  const test::TempDir dir;
  EXPECT_EQ(load_json(dir.write("a.json", "{\"a\": 1}")), (Json{{"a", 1}}));
  const auto bad = dir.write("bad.json", "{\n\"a\" 1}");
  expect_error(ErrorCode::kData, concat(bad, ":2:5: expected ':' after the key 'a', got '1'"),
               [&] { load_json(bad); });
  expect_error(ErrorCode::kMissing, concat(dir / "none.json", ": no such file"),
               [&] { load_json(dir / "none.json"); });
  expect_error(ErrorCode::kData,
               testing::EndsWith("larger than 3 bytes, the limit for such a file"),
               [&] { load_json(bad, {.max_bytes = 3}); });
}

TEST(DumpJson, KeepsFloatsApartFromIntegers) {
  EXPECT_EQ(dump_json(Json(1.0)), "1.0");
  EXPECT_EQ(dump_json(Json(1)), "1");
  EXPECT_EQ(dump_json(Json(0.1)), "0.1");
  EXPECT_EQ(dump_json(Json(3e-4)), "0.0003");
  EXPECT_EQ(dump_json(Json(1e-5)), "1e-05");
  EXPECT_EQ(dump_json(Json(1e22)), "1e+22");
  EXPECT_EQ(dump_json(Json(-0.0)), "-0.0");
  EXPECT_EQ(dump_json(Json(std::nan(""))), "null");
}

TEST(DumpJson, Indents) {
  EXPECT_EQ(dump_json(Json{{"a", Json::array({1, 2})}, {"b", Json::object()}}, 2),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

TEST(DumpJson, ReplacesInvalidUtf8) {
  EXPECT_EQ(dump_json(Json("a\xFFz中")), "\"a\uFFFDz中\"");
}

/// A random value, objects and arrays down to `depth`.
Json random_value(Random& random, int depth) {
  switch (random.below(depth > 0 ? 8 : 6)) {
    case 0:
      return nullptr;
    case 1:
      return random.below(2) == 0;
    case 2:
      return random.next();
    case 3:
      return -static_cast<std::int64_t>(random.next() >> 1);
    case 4:
      return random.normal() * std::pow(10, static_cast<double>(random.below(600)) - 300);
    case 5: {
      std::string text;
      const std::vector<std::string> pieces = {"a",  "\"", "\\", "\n",  "\0"s,
                                               "中", "😀",  "/",  "\x1f"};
      for (std::uint64_t i = random.below(6); i > 0; --i) text += pieces[random.below(9)];
      return text;
    }
    case 6: {
      Json array = Json::array();
      for (std::uint64_t i = random.below(5); i > 0; --i) {
        array.push_back(random_value(random, depth - 1));
      }
      return array;
    }
    default: {
      Json object = Json::object();
      for (std::uint64_t i = random.below(25); i > 0; --i) {
        object[concat("k", random.below(30))] = random_value(random, depth - 1);
      }
      return object;
    }
  }
}

TEST(Json, WhatIsWrittenReadsBackTheSame) {
  Random random(random_key(1, "json"));
  for (int trial = 0; trial < 2000; ++trial) {
    const Json value = random_value(random, 4);
    const std::string text = dump_json(value, static_cast<int>(random.below(4)) - 1);
    const Json again = parse_json(text, "t");
    ASSERT_EQ(again, value) << text;
    ASSERT_EQ(dump_json(again), dump_json(value));
  }
}

// Cut, swapped and overwritten texts: an Error or a value, never anything else; and what is
// accepted is what nlohmann's own parser accepts.
TEST(Json, AgreesWithAnotherParserOnDamagedTexts) {
  Random random(random_key(2, "json"));
  int accepted = 0;
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string text = dump_json(random_value(random, 2));
    for (std::uint64_t i = random.below(4); i > 0; --i) {
      const std::size_t at = random.below(text.size());
      switch (random.below(3)) {
        case 0:
          text[at] = "{}[]\",:0-9e.\\ tn\x80"[random.below(17)];
          break;
        case 1:
          text.erase(at, 1 + random.below(3));
          break;
        default:
          text.insert(at, 1, "{}[]\",:0-9e.\\"[random.below(13)]);
          break;
      }
      if (text.empty()) text = " ";
    }
    std::optional<Json> ours;
    try {
      ours = parse_json(text, "t");
    } catch (const Error& error) {
      const std::string message = error.what();
      if (message.find("duplicate key") != message.npos) continue;  // ours alone refuses these
    }
    const Json theirs = Json::parse(text, nullptr, false);
    ASSERT_EQ(ours.has_value(), !theirs.is_discarded()) << text;
    if (ours) {
      ++accepted;
      ASSERT_EQ(*ours, theirs) << text;
    }
  }
  EXPECT_GT(accepted, 2000);
}

}  // namespace
}  // namespace llmctl
