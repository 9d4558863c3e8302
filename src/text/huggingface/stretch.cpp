#include "text/huggingface/stretch.h"

#include <algorithm>

#include "base/utf8.h"

namespace llmctl {
namespace {

bool continues_character(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

/// The bytes of the character that byte `at` belongs to.
TextRange character_range(std::string_view text, std::size_t at) {
  std::size_t begin = at, end = at + 1;
  while (begin > 0 && continues_character(text, begin)) --begin;
  while (continues_character(text, end)) ++end;
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

}  // namespace

Stretch::Stretch(const Stretch& whole, TextRange part)
    : text_(whole.text_.substr(part.begin, part.size())),
      begin_(whole.begin_),
      tracked_(whole.tracked_),
      first_(whole.first_ && part.begin == 0),
      changed_(whole.changed_) {
  if (changed_ && tracked_) {
    origin_.assign(whole.origin_.begin() + part.begin, whole.origin_.begin() + part.end);
  } else {
    begin_ += part.begin;
  }
}

ByteSpan Stretch::original(std::size_t begin, std::size_t end) const {
  if (begin >= end) return {begin_, begin_};
  const TextRange first = changed_ ? origin_[begin] : character_range(text_, begin);
  const TextRange last = changed_ ? origin_[end - 1] : character_range(text_, end - 1);
  return {begin_ + first.begin, begin_ + last.end};
}

bool Stretch::begins_text(std::size_t at) const {
  return first_ && at == 0;
}

TextRange Rewriter::origin(std::size_t at) const {
  return stretch_.changed_ ? stretch_.origin_[at] : character_range(stretch_.text_, at);
}

void Rewriter::copy(std::size_t begin, std::size_t end) {
  out_ += stretch_.text_.substr(begin, end - begin);
  if (!stretch_.tracked_) return;
  for (std::size_t i = begin; i < end; ++i) out_origin_.push_back(origin(i));
}

void Rewriter::put(std::string_view bytes, std::size_t at) {
  out_ += bytes;
  if (stretch_.tracked_) out_origin_.insert(out_origin_.end(), bytes.size(), origin(at));
}

void Rewriter::put(char32_t code_point, std::size_t at) {
  const std::size_t before = out_.size();
  append_utf8(out_, code_point);
  if (stretch_.tracked_) {
    out_origin_.insert(out_origin_.end(), out_.size() - before, origin(at));
  }
}

void Rewriter::put_unfounded(std::string_view bytes) {
  out_ += bytes;
  if (stretch_.tracked_) out_origin_.insert(out_origin_.end(), bytes.size(), TextRange{});
}

std::size_t Rewriter::put_changes(const std::vector<Change>& changes, std::size_t at) {
  const std::string_view old = stretch_.text_;
  const auto skip = [&] {
    if (at < old.size()) next_code_point(old, at);
  };
  for (const Change& change : changes) {
    if (change.change > 0) {
      if (at == 0) {
        std::string bytes;
        append_utf8(bytes, change.code_point);
        put_unfounded(bytes);
      } else {
        put(change.code_point, at - 1);
      }
      continue;
    }
    put(change.code_point, std::min(at, old.size() - 1));
    for (int i = change.change; i <= 0; ++i) skip();
  }
  return at;
}

void Rewriter::commit() {
  stretch_.own_ = std::move(out_);
  stretch_.text_ = stretch_.own_;
  stretch_.origin_ = std::move(out_origin_);
  stretch_.changed_ = true;
}

}  // namespace llmctl
