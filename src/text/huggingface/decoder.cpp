#include "text/huggingface/decoder.h"

#include <array>
#include <charconv>

#include "base/utf8.h"
#include "text/huggingface/model.h"
#include "text/huggingface/pattern.h"

namespace llmctl {
namespace {

void replace_every(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

class SequenceDecoder : public Decoder {
 public:
  explicit SequenceDecoder(std::vector<std::unique_ptr<Decoder>> steps)
      : steps_(std::move(steps)) {}
  void apply(std::string& text, bool first) const override {
    for (const auto& step : steps_) step->apply(text, first);
  }

 private:
  std::vector<std::unique_ptr<Decoder>> steps_;
};

class ByteLevelDecoder : public Decoder {
 public:
  void apply(std::string& text, bool) const override { text = bytes_of_spelling(text); }
};

class SpacedDecoder : public Decoder {
 public:
  void apply(std::string& text, bool first) const override {
    if (!first) text.insert(0, " ");
  }
};

class WordPieceDecoder : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup)
      : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void apply(std::string& text, bool first) const override {
    if (!first) {
      if (text.starts_with(prefix_)) {
        text.erase(0, prefix_.size());
      } else {
        text.insert(0, " ");
      }
    }
    if (!cleanup_) return;
    static constexpr std::array<std::array<std::string_view, 2>, 11> kRules = {
        {{" .", "."},
         {" ?", "?"},
         {" !", "!"},
         {" ,", ","},
         {" ' ", "'"},
         {" n't", "n't"},
         {" 'm", "'m"},
         {" do not", " don't"},
         {" 's", "'s"},
         {" 've", "'ve"},
         {" 're", "'re"}}};
    for (const auto& [from, to] : kRules) replace_every(text, from, to);
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class MetaspaceDecoder : public Decoder {
 public:
  MetaspaceDecoder(std::string sign, bool prepended)
      : sign_(std::move(sign)), prepended_(prepended) {}
  void apply(std::string& text, bool first) const override {
    replace_every(text, sign_, first && prepended_ ? "" : " ");
  }

 private:
  std::string sign_;
  bool prepended_;
};

class ByteFallbackDecoder : public Decoder {
 public:
  void apply(std::string& text, bool) const override {
    if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return;
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, byte, 16);
    if (error == std::errc() && end == text.data() + 5) text = static_cast<char>(byte);
  }
};

class ReplaceDecoder : public Decoder {
 public:
  ReplaceDecoder(std::unique_ptr<Pattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(std::string& text, bool) const override {
    std::string out;
    std::size_t kept = 0;
    pattern_->for_each_match(text, {0, static_cast<std::uint32_t>(text.size())},
                             [&](TextRange match) {
                               out += std::string_view(text).substr(kept, match.begin - kept);
                               out += content_;
                               kept = match.end;
                             });
    if (kept == 0 && out.empty()) return;
    out += std::string_view(text).substr(kept);
    text = std::move(out);
  }

 private:
  std::unique_ptr<Pattern> pattern_;
  std::string content_;
};

/// Takes up to so many characters away from the ends: of each token, or, behind Fuse, from the
/// beginning of the text.
class StripDecoder : public Decoder {
 public:
  StripDecoder(std::string content, std::int64_t start, std::int64_t stop, bool whole_text)
      : content_(std::move(content)), start_(start), stop_(stop), whole_text_(whole_text) {}
  void apply(std::string& text, bool first) const override {
    if (!whole_text_ || first) {
      for (std::int64_t i = 0; i < start_ && text.starts_with(content_); ++i) {
        text.erase(0, content_.size());
      }
    }
    for (std::int64_t i = 0; i < stop_ && text.ends_with(content_); ++i) {
      text.resize(text.size() - content_.size());
    }
  }

 private:
  std::string content_;
  std::int64_t start_, stop_;
  bool whole_text_;
};

std::unique_ptr<Decoder> make_step(const JsonAccess& json, bool fused);

std::unique_ptr<Decoder> make_sequence_decoder(const JsonAccess& json) {
  const JsonAccess list = json["decoders"];
  std::vector<std::unique_ptr<Decoder>> steps;
  bool fused = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].type() == "Fuse") {
      fused = true;
    } else {
      steps.push_back(make_step(list[i], fused));
    }
  }
  return std::make_unique<SequenceDecoder>(std::move(steps));
}

std::unique_ptr<Decoder> make_step(const JsonAccess& json, bool fused) {
  const std::string type = json.type();
  if (type == "Sequence") return make_sequence_decoder(json);
  if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
  if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
  if (type == "Fuse") {
    return std::make_unique<SequenceDecoder>(std::vector<std::unique_ptr<Decoder>>());
  }
  if (type == "WordPiece") {
    return std::make_unique<WordPieceDecoder>(json.string_or("prefix", "##"),
                                              json.boolean_or("cleanup", true));
  }
  if (type == "Metaspace") {
    const bool prepended = json.has("prepend_scheme") ? json["prepend_scheme"].string() != "never"
                                                      : json.boolean_or("add_prefix_space", true);
    return std::make_unique<MetaspaceDecoder>(json.string_or("replacement", "\u2581"), prepended);
  }
  if (type == "Replace") {
    return std::make_unique<ReplaceDecoder>(make_pattern(json["pattern"]),
                                            json["content"].string());
  }
  if (type == "Strip") {
    const std::string content = json["content"].string();
    if (content.empty()) json["content"].fail("expected one character");
    const std::int64_t stop = json.integer_or("stop", 0, 0, 1000);
    if (fused && stop > 0) {
      json["stop"].fail("taking ", stop, " characters from the end of a text is not supported");
    }
    return std::make_unique<StripDecoder>(content, json.integer_or("start", 0, 0, 1000), stop,
                                          fused);
  }
  json.refuse_type("decoder",
                   "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, "
                   "Strip and WordPiece");
}

}  // namespace

std::unique_ptr<Decoder> make_decoder(const JsonAccess& json) {
  if (json.json().is_null()) return std::make_unique<SpacedDecoder>();
  return make_step(json, false);
}

}  // namespace llmctl
