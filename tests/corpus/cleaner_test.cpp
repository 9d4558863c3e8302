#include "corpus/cleaner.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/random.h"
#include "base/utf8.h"
#include "config/load.h"
#include "corpus/html_text.h"
#include "corpus/language.h"
#include "corpus/quality.h"
#include "corpus/stop_words.h"
#include "corpus/unicode_steps.h"
#include "corpus/web_residue.h"
#include "corpus/wiki_text.h"
#include "text/chinese_words.h"
#include "text/random_text.h"

namespace llmctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CleanConfig config_of(const std::string& text) {
  const JsonDocument document = parse_json_document(text, "clean", {.comments = true});
  CleanConfig config;
  read_config(ConfigNode(&document.value, "clean", &document), config);
  return config;
}

std::string cleaned(const std::string& config, std::string text) {
  const Cleaner cleaner(config_of(config));
  CleanCounts counts = cleaner.new_counts();
  return cleaner.clean(text, counts) ? text : "DROPPED";
}

TEST(Cleaner, DefaultsKeepTheText) {
  EXPECT_EQ(cleaned("{}", "Two  words,\t我们。\r\n\r\n\r\n\r\nnext \u200Bline\uFEFF \n"),
            "Two words, 我们。\n\nnext line");
  EXPECT_EQ(cleaned("{}", "e\u0301"), "\u00E9");
  EXPECT_EQ(cleaned("{}", " \n\t"), "DROPPED");
  EXPECT_EQ(cleaned("{\"unicode\": \"nfkc\"}", "ＡＢ，ﬁ"), "AB,fi");
  EXPECT_EQ(cleaned("{\"whitespace\": false}", "a  b \n"), "a  b \n");
}

TEST(Cleaner, WhiteSpaceOfEveryKindKeepsWordsApart) {
  EXPECT_EQ(cleaned("{}",
                    "ends here\x0c"
                    "and goes on\x0b"
                    "second\xC2\x85"
                    "third\u2028fourth\u2029fifth"),
            "ends here\nand goes on\nsecond\nthird\nfourth\nfifth");
  EXPECT_EQ(cleaned("{}", "a\u3000b\u00a0c\u2003d\u202fe\u1680f\x1fg\x1ch"), "a b c d e f g h");
  EXPECT_EQ(cleaned("{\"control_characters\": false}",
                    "a\x0c"
                    "b\x0b"
                    "c\rd"),
            "a\nb\nc\nd");
  EXPECT_EQ(cleaned("{\"whitespace\": false}",
                    "a\x0c"
                    "b"),
            "a\nb");
}

TEST(Cleaner, CountsByStep) {
  const Cleaner cleaner(config_of(R"({"min_characters": 3, "urls": "remove"})"));
  CleanCounts counts = cleaner.new_counts();
  for (std::string text : {"see http://x.org now", "a", "plain text"}) cleaner.clean(text, counts);
  const Json json = counts.to_json();
  std::map<std::string, Json> steps;
  for (const Json& step : json) steps[step["step"].get<std::string>()] = step;
  EXPECT_EQ(steps["web_residue"]["matches"], 1);
  EXPECT_EQ(steps["web_residue"]["changed"], 1);
  EXPECT_EQ(steps["length"]["documents"], 3);
  EXPECT_EQ(steps["length"]["dropped"], 1);
  EXPECT_EQ(CleanCounts::from_json(json).to_json(), json);
  CleanCounts twice = counts;
  twice.add(counts);
  EXPECT_EQ(twice.to_json()[0]["documents"], 6);
}

TEST(Cleaner, ConfigurationErrors) {
  EXPECT_THROW(config_of(R"({"unicode": "nfx"})"), Error);
  EXPECT_THROW(config_of(R"({"min_characters": 5, "max_characters": 4})"), Error);
  EXPECT_THROW(cleaned(R"({"languages": ["xx-none"]})", "a"), Error);
  EXPECT_THROW(cleaned(R"({"stop_words": "/no/such/list"})", "a"), Error);
}

TEST(Cleaner, AnyTextIsTakenAndStaysText) {
  const char* const all =
      R"({"html": true, "wiki": true, "unicode": "nfkc", "chinese": "simplified", "urls": "remove",
          "mentions": "remove", "hashtags": "remove", "segment_words": true, "stop_words": "zh,en",
          "personal_data": {"emails": "mask", "phones": "mask", "id_numbers": "mask"}})";
  const Cleaner everything(config_of(all)), standard(config_of("{}"));
  Random random(random_key(1, "clean"));
  static const std::vector<std::string> kParts = {
      "<",  ">", "<p>",   "</p>",    "<!--", "-->", "{{",  "}}", "[[",
      "]]", "|", "{|",    "|}",      "-{",   "}-",  "'''", "==", "&amp;",
      "&#", ";", "<ref>", "http://", "@a",   "#b#", "\n",  "  ", "<script>"};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (std::uint64_t n = random.below(30); n > 0; --n) {
      text +=
          random.below(2) == 0 ? kParts[random.below(kParts.size())] : test::random_text(random, 1);
    }
    CleanCounts counts = everything.new_counts();
    std::string one = text;
    everything.clean(one, counts);
    EXPECT_FALSE(find_invalid_utf8(one)) << text;
    std::string once = text;
    CleanCounts standard_counts = standard.new_counts();
    if (!standard.clean(once, standard_counts)) continue;
    std::string twice = once;
    standard.clean(twice, standard_counts);
    EXPECT_EQ(twice, once);
  }
}

TEST(HtmlText, WhatABrowserShows) {
  EXPECT_EQ(html_text("<p>One <b>bold</b></p><script>x<y</script>two &amp; &#20013;&#x6587;&nope;"),
            "\nOne bold\ntwo & 中文&nope;");
  EXPECT_EQ(html_text("a < b and c > d <!-- gone --> e<br/>f"), "a < b and c > d  e\nf");
  EXPECT_EQ(html_text("<a href=\"x>y\">link</a><STYLE>p{}</STYLE>"), "link");
  EXPECT_EQ(html_text("open <a href"), "open <a href");
  EXPECT_EQ(html_text("<!-- never closed"), "<!-- never closed");
}

TEST(HtmlText, WhatIsNoHtmlStays) {
  for (const char* text :
       {"a<b and c>d are maths", "vector<int> x; if (a<b && c>d) return;", "the <unk> of WikiText",
        "Map<String, List<T>> names", "template <typename T> class X", "f<i>(x) where x<i>y",
        "<|endoftext|> and </s> and <s> alone", "#include <title.h>", "if x <p and y> z",
        "<user@example.org> wrote", "1 <2> 3", "use the <script> element", "x<!y>z, a<?b>c",
        "List<a>"}) {
    EXPECT_EQ(html_text(text), text);
  }
}

TEST(HtmlText, TagsAsPeopleWriteThem) {
  EXPECT_EQ(html_text("<A HREF=x.html CLASS='c'>one</A> <i>two</i> <input disabled> <br />three"),
            "one two  \nthree");
  EXPECT_EQ(html_text("<!DOCTYPE html><?xml version='1.0'?><svg><path d=\"M0\"/></svg>text"),
            "text");
  EXPECT_EQ(html_text("<p>One<p>Two<img src=a.png alt=\"a > b\">"), "\nOne\nTwo");
  EXPECT_EQ(html_text("<script src=a.js>never closed, so it hides nothing"),
            "never closed, so it hides nothing");
  EXPECT_EQ(html_text("<noscript>x</noscript><article data-x>y</article>"), "\ny\n");
}

TEST(HtmlText, HostileTextTakesNoLonger) {
  for (const char* part : {"<", "<a ", "<!--", "&", "<script>", "<a href='"}) {
    std::string text;
    while (text.size() < 2'000'000) text += part;
    EXPECT_LE(html_text(text).size(), text.size());
  }
}

TEST(WikiText, Prose) {
  EXPECT_EQ(
      wiki_text(
          "'''Oak''' is a [[tree|big tree]] in [[Europe]].<ref name=x>Book</ref>{{cite|a={{b}}}}"),
      "Oak is a big tree in Europe.");
  EXPECT_EQ(wiki_text("[[File:a.jpg|thumb|A [[cat]]]]text[[Category:X]][[分类:甲]]"), "text");
  EXPECT_EQ(wiki_text("== Title ==\n* one\n# two\n: three"), "Title\n one\n two\n three");
  EXPECT_EQ(wiki_text("{| class=x\n|-\n| cell\n|}\nafter"), "\nafter");
  EXPECT_EQ(wiki_text("-{zh-hans:软件;zh-hant:軟體}-和-{原}-"), "软件和原");
  EXPECT_EQ(wiki_text("[http://x.org the site] and [http://y.org]"), "the site and ");
  EXPECT_EQ(wiki_text("a [[b"), "a b");
}

TEST(WikiText, HostileTextTakesNoLonger) {
  for (const char* part : {"[[", "{{", "{|", "-{", "[http", "<ref>", "[[a", "]]", "''"}) {
    std::string text;
    while (text.size() < 1'000'000) text += part;
    EXPECT_LE(wiki_text(text).size(), text.size() + 1);
  }
}

TEST(WebResidue, TakesItOut) {
  const WebResidue all{true, true, true};
  const auto without = [&](std::string text) {
    remove_web_residue(text, all);
    return text;
  };
  EXPECT_EQ(without("see https://a.org/x?y=(1), or www.b.cn."), "see , or .");
  EXPECT_EQ(without("看http://t.cn/abc这个"), "看这个");
  EXPECT_EQ(without("RT @friend: good #day today"), "good today");
  EXPECT_EQ(without("#今天天气# 真好 @小明 来"), "真好 来");
  EXPECT_EQ(without("mail a@b.org is #1, C# too"), "mail a@b.org is #1, C# too");
}

TEST(Language, IdentifiesBoth) {
  EXPECT_EQ(identify_language("The weather in the park was lovely and everyone stayed.").code,
            "en");
  EXPECT_EQ(identify_language("今天公园里的天气很好，大家都留了下来。").code, "zh");
  EXPECT_EQ(cleaned(R"({"languages": ["en"]})", "今天公园里的天气很好，大家都留了下来。"),
            "DROPPED");
  EXPECT_EQ(cleaned(R"({"languages": ["zh"]})", "今天公园里的天气很好。"),
            "今天公园里的天气很好。");
}

TEST(ChineseScript, BothWays) {
  EXPECT_EQ(cleaned(R"({"chinese": "simplified"})", "漢語和軟體"), "汉语和软体");
  EXPECT_EQ(cleaned(R"({"chinese": "traditional"})", "汉语"), "漢語");
}

TEST(ChineseWords, SplitsAndSpaces) {
  const ChineseWords words;
  std::vector<std::string> parts;
  const std::string text = "我们在公园里看到 two dogs。";
  for (const ByteSpan span : words.split(text)) {
    parts.push_back(text.substr(span.begin, span.end - span.begin));
  }
  EXPECT_THAT(parts, ElementsAre("我们", "在", "公园", "里", "看到", "two", "dogs", "。"));
  EXPECT_EQ(words.with_spaces("我们走吧"), "我们 走 吧");
  EXPECT_EQ(words.with_spaces("plain text, 12"), "plain text, 12");
}

TEST(StopWords, BothLanguages) {
  const ChineseWords words;
  std::string text = "The cat and the dog";
  EXPECT_EQ(StopWords("en").remove(text, words), 3u);
  EXPECT_EQ(text, "cat dog");
  text = "我的书";
  EXPECT_EQ(StopWords("zh").remove(text, words), 1u);
  EXPECT_EQ(text, "书");
}

TEST(Quality, Measures) {
  const TextMeasures english = measure_text("- The cat sat with the dog...\nand # more");
  EXPECT_EQ(english.words, 10);
  EXPECT_EQ(english.stop_words, 4u);
  EXPECT_EQ(english.bullet_lines, 0.5);
  EXPECT_EQ(english.ellipsis_lines, 0.5);
  EXPECT_TRUE(english.mostly_latin);
  const TextMeasures chinese = measure_text("今天的天气很好，我们去公园。");
  EXPECT_NEAR(chinese.words, 12 / 1.6 + 1, 0.01);
  EXPECT_FALSE(chinese.mostly_latin);
  const Repetition repeated = measure_repetition("one line\none line\none line\nanother");
  EXPECT_EQ(repeated.duplicate_lines, 0.5);
  EXPECT_GT(repeated.top_ngram, 0.5);
  EXPECT_EQ(measure_repetition("all of these words are different").duplicate_ngrams, 0);
  const std::string phrase = "the same five words again ";
  EXPECT_GT(measure_repetition(phrase + phrase + phrase).duplicate_ngrams, 0.5);
}

TEST(Quality, GopherDropsWhatIsNoProse) {
  const char* const gopher = R"({"quality": {"gopher": true}})";
  std::string good, shop;
  const char* const sentences[] = {"The river bends behind the old mill and runs on to the sea. ",
                                   "People have walked this path for as long as anyone remembers. ",
                                   "In spring the fields are green, and lambs stand in the grass. ",
                                   "A bridge of stone leads to the village with its seven houses. ",
                                   "Nobody knows who built it, but everyone is glad to have it. "};
  for (const char* sentence : sentences) good += sentence;
  for (int i = 0; i < 60; ++i) shop += "* Buy #now #" + std::to_string(i) + "\n";
  EXPECT_NE(cleaned(gopher, good), "DROPPED");
  EXPECT_EQ(cleaned(gopher, shop), "DROPPED");
  EXPECT_EQ(cleaned(gopher, "Too short."), "DROPPED");
  EXPECT_EQ(cleaned(R"({"quality": {"no_curly_brackets": true}})", "int f() { }"), "DROPPED");
  EXPECT_EQ(cleaned(R"({"quality": {"no_lorem_ipsum": true}})", "Lorem Ipsum dolor"), "DROPPED");
}

}  // namespace
}  // namespace llmctl
