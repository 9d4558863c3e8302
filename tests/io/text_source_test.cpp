#include "io/text_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "io/text_format.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::TempDir;

using Lines = std::vector<std::pair<std::uint64_t, std::string>>;

Lines lines_of(const fs::path& path) {
  Lines lines;
  for_each_text_line(path, [&](std::uint64_t number, std::string_view text) {
    lines.emplace_back(number, text);
    return true;
  });
  return lines;
}

std::vector<std::string> documents_of(const fs::path& path, DocumentSplit split) {
  std::vector<std::string> documents;
  for_each_document(path, split, [&](std::uint64_t, std::string_view text) {
    documents.emplace_back(text);
    return true;
  });
  return documents;
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

/// One text, packed by gzip, bzip2, xz and zstd (the last two with checksums).
const std::string kPlain = "first line\r\nsecond 第二行\n\nlast";
const std::map<std::string, std::string> kPacked{
    {"gz",
     from_hex(
         "1f8b08000000000002034bcb2c2a2e51c8c9cc4be5e52a4e4dcecf4b5178be66cd935d3d2f16f67071e5241"
         "6970000378176f122000000")},
    {"bz2",
     from_hex(
         "425a6839314159265359066a3b2e000005d1d9001240002f259c0000042004001004c0200031468c81a34c"
         "8d0a680d3436a0680a150778e1c272c1a2aa9480476b8cde62cb7c5dc914e1424019a8ecb8")},
    {"xz",
     from_hex(
         "fd377a585a0000016922de36020021010c0000008f98419c0100216669727374206c696e650d0a7365636f"
         "6e6420e7acace4ba8ce8a18c0a0a6c617374000000378176f100013622ba65fa7c9042990d0100000000"
         "01595a")},
    {"zst",
     from_hex(
         "28b52ffd04681101006669727374206c696e650d0a7365636f6e6420e7acace4ba8ce8a18c0a0a6c61737"
         "45a2f179c")}};

TEST(ExpandPaths, FilesFoldersAndPatterns) {
  const TempDir dir;
  for (const char* name : {"a/2.txt", "a/10.txt", "a/.hidden", "a/sub/3.txt", "a/.git/config",
                           "b/x.jsonl", "b/y.txt", "b/[odd].txt"}) {
    dir.write(name, "text");
  }
  const auto expand = [&](std::vector<std::string> patterns) {
    std::vector<std::string> names;
    for (std::string& pattern : patterns) pattern = (dir / pattern).string();
    for (const fs::path& file : expand_paths(patterns)) {
      names.push_back(fs::relative(file, dir.path()).string());
    }
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(expand({"b/y.txt"}), Names{"b/y.txt"});
  EXPECT_EQ(expand({"a"}), (Names{"a/10.txt", "a/2.txt", "a/sub/3.txt"}));
  EXPECT_EQ(expand({"*/*.txt"}), (Names{"a/10.txt", "a/2.txt", "b/[odd].txt", "b/y.txt"}));
  EXPECT_EQ(expand({"b/x.jsonl", "b/?.*"}), (Names{"b/x.jsonl", "b/y.txt"}));
  EXPECT_EQ(expand({"{b,a}/{x,2}.*"}), (Names{"a/2.txt", "b/x.jsonl"}));
  EXPECT_EQ(expand({"b/[odd].txt"}), Names{"b/[odd].txt"});
  EXPECT_EQ(expand({"a/s*"}), Names{"a/sub/3.txt"});
  EXPECT_TRUE(expand({}).empty());
}

TEST(ExpandPaths, AFileNamedTwiceCountsOnce) {
  const TempDir dir;
  dir.write("a.txt", "text");
  const std::string path = (dir / "a.txt").string(), around = (dir / "./x/../a.txt").string();
  fs::create_directory(dir / "x");
  EXPECT_EQ(expand_paths({path, around, dir.path().string()}).size(), 1U);
}

TEST(ExpandPaths, LinksAreFollowedAndEndInCircles) {
  const TempDir dir;
  dir.write("corpus/a.txt", "text");
  dir.write("elsewhere/b.txt", "text");
  fs::create_directory_symlink(dir / "elsewhere", dir / "corpus/linked");
  fs::create_directory_symlink(dir / "corpus", dir / "elsewhere/back");
  const auto files = expand_paths({(dir / "corpus").string()});
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[1], dir / "corpus/linked/b.txt");
  fs::create_symlink(dir / "gone", dir / "corpus/lost");
  expect_error(ErrorCode::kMissing, {"corpus/lost", "leads nowhere"},
               [&] { expand_paths({(dir / "corpus").string()}); });
}

TEST(ExpandPaths, WhatNamesNothingIsSaid) {
  const TempDir dir;
  fs::create_directory(dir / "empty");
  expect_error(ErrorCode::kMissing, {"absent.txt", "no such file"},
               [&] { expand_paths({(dir / "absent.txt").string()}); });
  expect_error(ErrorCode::kMissing, {"*.txt", "no file matches"},
               [&] { expand_paths({(dir / "*.txt").string()}); });
  expect_error(ErrorCode::kMissing, {"empty", "no files"},
               [&] { expand_paths({(dir / "empty").string()}); });
}

TEST(TextExtension, LooksThroughCompression) {
  EXPECT_EQ(text_extension("a/b.JSONL"), ".jsonl");
  EXPECT_EQ(text_extension("b.jsonl.gz"), ".jsonl");
  EXPECT_EQ(text_extension("b.csv.ZST"), ".csv");
  EXPECT_EQ(text_extension("b.gz"), "");
  EXPECT_EQ(text_extension("b.tar.txt"), ".txt");
}

TEST(TextLines, EndsNumbersAndMarks) {
  const TempDir dir;
  EXPECT_EQ(lines_of(dir.write("a", "\xEF\xBB\xBFone\r\n\ntwo\rthree\n")),
            (Lines{{1, "one"}, {2, ""}, {3, "two\rthree"}}));
  EXPECT_EQ(lines_of(dir.write("b", "no end")), (Lines{{1, "no end"}}));
  EXPECT_EQ(lines_of(dir.write("c", "\n")), (Lines{{1, ""}}));
  EXPECT_TRUE(lines_of(dir.write("d", "")).empty());
  EXPECT_EQ(lines_of(dir.write("e", "\xEF\xBB\xBF")), (Lines{{1, ""}}));
}

TEST(TextLines, LongLinesCrossBlocks) {
  const TempDir dir;
  std::string text;
  Lines expected;
  for (std::size_t i = 0; i < 8; ++i) {
    expected.emplace_back(i + 1, std::string(i * 300'001, static_cast<char>('a' + i)) + "字");
    text += expected.back().second + "\n";
  }
  EXPECT_EQ(lines_of(dir.write("a", text)), expected);
}

TEST(TextLines, StopWhenAsked) {
  const TempDir dir;
  int seen = 0;
  for_each_text_line(dir.write("a", "1\n2\n3\n4"), [&](std::uint64_t number, std::string_view) {
    ++seen;
    return number < 2;
  });
  EXPECT_EQ(seen, 2);
}

TEST(TextLines, InvalidUtf8NamesThePlaceAndARemedy) {
  const TempDir dir;
  const auto read = [&](const std::string& text) {
    return [&dir, text] { lines_of(dir.write("a.txt", text)); };
  };
  expect_error(ErrorCode::kData,
               {"a.txt:2:", "byte 3 of the line", "0xD6", "offset 6", "iconv -f GB18030 -t UTF-8"},
               read("abc\nok\xD6\xD0 more\n"));
  expect_error(ErrorCode::kData, {"a.txt: the file is UTF-16", "iconv -f UTF-16 -t UTF-8"},
               read(std::string("\xFF\xFE"
                                "a\0",
                                4)));
  expect_error(ErrorCode::kData, {"a.txt:1:", "byte 2", "offset 4"}, read("\xEF\xBB\xBFx\xFFy"));
  // A character cut in two by the end of the file, or of a line.
  expect_error(ErrorCode::kData, {"a.txt:1:", "byte 1"}, read("\xE4\xBD"));
  expect_error(ErrorCode::kData, {"a.txt:1:", "byte 1"}, read("\xE4\xBD\n\xA0"));
}

TEST(TextLines, WhatIsNoTextIsNamed) {
  const TempDir dir;
  const auto refused = [&](const std::string& content, std::vector<std::string> parts) {
    parts.push_back("a.txt");
    std::string what;
    try {
      lines_of(dir.write("a.txt", content));
    } catch (const Error& error) {
      what = error.what();
    }
    for (const std::string& part : parts) EXPECT_NE(what.find(part), what.npos) << what;
    return what;
  };
  const std::string elf = refused(std::string("\x7f"
                                              "ELF\x02\x01\x01\0\0\0\xff\xd0",
                                              12),
                                  {"a program (ELF)"});
  EXPECT_EQ(elf.find("iconv"), elf.npos) << elf;
  refused("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", {"a PDF file", "pdftotext"});
  refused(std::string("PK\x03\x04\x14\0\x06\0\x08\0\x9c\xff", 12), {"ZIP archive"});
  refused(std::string("\x89PNG\r\n\x1a\n"), {"picture"});
  refused(std::string("\xff\xfe\0\0a\0\0\0", 8), {"UTF-32", "iconv -f UTF-32 -t UTF-8"});
  refused(std::string("\0\0\xfe\xff\0\0\0a", 8), {"UTF-32", "iconv -f UTF-32 -t UTF-8"});
  refused(std::string("\x20\0\0\0\0\0\0\0{\"a\": {}}", 17), {"(safetensors)"});
  // Latin text in UTF-16 is valid UTF-8 with a NUL behind each letter.
  std::string utf16;
  for (const char c : std::string("plain letters of a text")) utf16 += {c, '\0'};
  refused(utf16, {"UTF-16 without a byte order mark", "iconv -f UTF-16LE"});
  refused(
      "caf\xe9 cr\xe8me br\xfbl\xe9"
      "e\n",
      {"a.txt:1:", "iconv -f WINDOWS-1252"});
  refused("\xd6\xd0\xce\xc4\xce\xc4\xb1\xbe\n", {"a.txt:1:", "iconv -f GB18030"});
  const std::string cut =
      refused("好的文本\n一个\xe4\xbd 坏\n", {"a.txt:2:", "one character is damaged"});
  EXPECT_EQ(cut.find("GB18030"), cut.npos) << cut;
}

TEST(TextFormat, IsWhatTheContentSays) {
  const TempDir dir;
  const auto format = [&](const std::string& name, const std::string& content) {
    return text_format(dir.write(name, content));
  };
  EXPECT_EQ(format("a.txt", "plain\n"), "text");
  EXPECT_EQ(format("a.txt", ""), "text");
  EXPECT_EQ(format("a.md", "{curly} braces\n"), "text");
  EXPECT_EQ(format("a.txt", "{\n  \"a\": 1\n}\nis an object of JSON\n"), "text");
  EXPECT_EQ(format("a.txt", "{\"text\": \"x\"}\n{\"text\": \"y\"}\n"), "jsonl");
  EXPECT_EQ(format("a", "\xEF\xBB\xBF{\"text\": \"x\"}"), "jsonl");
  EXPECT_EQ(format("a.json", "{\"text\": \"x\"}\n{\"text\": \"y\"}\n"), "jsonl");
  EXPECT_EQ(format("a.json", "{\"data\": [{}]}\n"), "json");
  EXPECT_EQ(format("a.json", "{\n\"data\": [{}]}\n"), "json");
  EXPECT_EQ(format("a.jsonl", "[\n {\"text\": \"x\"}]"), "json");
  EXPECT_EQ(format("a.txt", "[ {\"text\": \"x\"}]"), "json");
  EXPECT_EQ(format("a.txt", "[1] The first note\n"), "text");
  EXPECT_EQ(format("a.ndjson", "{}\n"), "jsonl");
  EXPECT_EQ(format("a.csv", "text\nx\n"), "csv");
  EXPECT_EQ(format("a.txt", "\n<!DOCTYPE HTML>\n<p>x"), "html");
  EXPECT_EQ(format("a.htm", "x"), "html");
  EXPECT_EQ(format("a.xml", "<html></html>"), "html");
  EXPECT_EQ(format("dump", "<mediawiki xmlns=\"x\"><page>"), "mediawiki");
  EXPECT_EQ(format("a.bin", "\1\2"), "tokens");
  // A first line longer than what is looked at.
  const std::string longest = "{\"text\": \"" + std::string(1 << 17, 'x') + "\"}\n";
  EXPECT_EQ(format("a.json", longest + longest), "jsonl");
  std::string tar(300, '\0');
  tar.replace(257, 5, "ustar");
  expect_error(ErrorCode::kData, {"a.txt", "tar archive"}, [&] { format("a.txt", tar); });
  expect_error(ErrorCode::kData, {"a.data", "pandas.read_parquet('a.data')"},
               [&] { format("a.data", "PAR1"); });
}

TEST(TextLines, OddBytesThatAreText) {
  const TempDir dir;
  for (const std::string& text :
       {std::string("a\0b \xE2\x80\xA8 c\v\xC2\x85 d", 14), std::string("a\x01"
                                                                        "b \x02\x03")}) {
    EXPECT_EQ(lines_of(dir.write("a", text)), (Lines{{1, text}}));
  }
}

TEST(Compressed, EachKindIsRecognisedByItsBytes) {
  const TempDir dir;
  const Lines expected{{1, "first line"}, {2, "second 第二行"}, {3, ""}, {4, "last"}};
  EXPECT_EQ(lines_of(dir.write("plain.gz", kPlain)), expected);
  for (const auto& [kind, packed] : kPacked) {
    SCOPED_TRACE(kind);
    EXPECT_EQ(lines_of(dir.write("text." + kind, packed)), expected);
    EXPECT_EQ(lines_of(dir.write("text.txt", packed)), expected);
    // Members one after the other are one text.
    EXPECT_EQ(lines_of(dir.write("text.txt", packed + packed)).size(), 7U);
  }
  EXPECT_EQ(lines_of(dir.write("text.txt", "BZhello")), (Lines{{1, "BZhello"}}));
}

TEST(Compressed, CutOffDataIsRefusedAtEveryLength) {
  const TempDir dir;
  for (const auto& [kind, packed] : kPacked) {
    for (std::size_t size = 10; size < packed.size(); ++size) {
      SCOPED_TRACE(concat(kind, " cut to ", size));
      const fs::path path = dir.write("cut." + kind, packed.substr(0, size));
      expect_error(ErrorCode::kData, {"cut." + kind}, [&] { lines_of(path); });
    }
  }
}

TEST(Compressed, DamageIsRefusedOrHarmless) {
  const TempDir dir;
  for (const auto& [kind, packed] : kPacked) {
    const Lines undamaged = lines_of(dir.write("good." + kind, packed));
    const std::size_t begin = packed.size() / 2, end = packed.size() - 12;
    std::size_t refused = 0;
    for (std::size_t at = begin; at < end; ++at) {
      SCOPED_TRACE(concat(kind, " byte ", at));
      std::string damaged = packed;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      const fs::path path = dir.write("bad." + kind, damaged);
      try {
        EXPECT_EQ(lines_of(path), undamaged);  // bits that the decoder does not need
      } catch (const Error& error) {
        EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(ErrorCode::kData));
        EXPECT_NE(std::string(error.what()).find("bad." + kind), std::string::npos);
        ++refused;
      }
    }
    EXPECT_GT(refused * 10, (end - begin) * 9) << kind;
  }
}

TEST(Compressed, OnlyRegularFilesAreRead) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  for (const fs::path& path : {dir / "fifo", dir.path(), dir / "absent", fs::path("/dev/zero")}) {
    expect_error(ErrorCode::kMissing, {path.filename().string()}, [&] { lines_of(path); });
  }
}

TEST(Documents, BlankIsAllWhiteSpaceOfUnicode) {
  const TempDir dir;
  EXPECT_EQ(documents_of(
                dir.write("a.txt", "one\n\u3000\u00a0\ntwo\n\f\nthree\n\u2028\v\nfour\n\u0085\n"),
                DocumentSplit::kBlankLine),
            (std::vector<std::string>{"one", "two", "three", "four"}));
}

TEST(Documents, EndAtMarksOfTheirOwnLines) {
  const TempDir dir;
  using Texts = std::vector<std::string>;
  const fs::path path = dir.write("a.txt",
                                  "One.\n\nStill one.\n<|endoftext|>\r\n\nTwo <|endoftext|> "
                                  "here.\n\n\n <|endoftext|> \n</s>\nthree");
  for (const DocumentSplit split : {DocumentSplit::kBlankLine, DocumentSplit::kFile}) {
    std::map<std::string, std::uint64_t> marks;
    std::vector<std::pair<std::uint64_t, std::string>> found;
    for_each_document(
        path, split,
        [&](std::uint64_t line, std::string_view text) {
          found.emplace_back(line, text);
          return true;
        },
        &marks);
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].first, 1U);
    EXPECT_EQ(found[2].first, 11U);
    EXPECT_EQ(marks, (std::map<std::string, std::uint64_t>{{"<|endoftext|>", 2}, {"</s>", 1}}));
    if (split == DocumentSplit::kFile) continue;
    EXPECT_EQ(found[0].second, "One.\n\nStill one.");
    EXPECT_EQ(found[1].second, "Two <|endoftext|> here.");
  }
  EXPECT_EQ(documents_of(path, DocumentSplit::kLine),
            (Texts{"One.", "Still one.", "Two <|endoftext|> here.", "three"}));
}

TEST(Documents, EndAtBlankLines) {
  const TempDir dir;
  const fs::path path = dir.write("a.txt", "\n\none\r\nstill one\n \t\n\n　two \n\nthree\n\n\n");
  using Texts = std::vector<std::string>;
  EXPECT_EQ(documents_of(path, DocumentSplit::kBlankLine),
            (Texts{"one\nstill one", "　two ", "three"}));
  EXPECT_EQ(documents_of(path, DocumentSplit::kLine),
            (Texts{"one", "still one", "　two ", "three"}));
  EXPECT_EQ(documents_of(path, DocumentSplit::kFile),
            (Texts{"\n\none\nstill one\n \t\n\n　two \n\nthree\n\n\n"}));
  EXPECT_EQ(documents_of(dir.write("b.txt", "no end"), DocumentSplit::kFile), Texts{"no end"});
  for (const DocumentSplit split :
       {DocumentSplit::kBlankLine, DocumentSplit::kLine, DocumentSplit::kFile}) {
    EXPECT_TRUE(documents_of(dir.write("c.txt", " \n\n"), split).empty());
    EXPECT_TRUE(documents_of(dir.write("c.txt", ""), split).empty());
  }
}

TEST(Documents, StopWhenAsked) {
  const TempDir dir;
  const fs::path path = dir.write("a.txt", "1\n\n2\n\n3");
  for (const DocumentSplit split : {DocumentSplit::kBlankLine, DocumentSplit::kLine}) {
    int seen = 0;
    for_each_document(path, split, [&](std::uint64_t, std::string_view) { return ++seen < 2; });
    EXPECT_EQ(seen, 2);
  }
}

}  // namespace
}  // namespace llmctl
