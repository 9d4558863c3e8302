// What the web and social media leave in texts: addresses, names, topics.
#pragma once

#include <cstdint>
#include <string>

namespace llmctl {

struct WebResidue {
  bool urls = false, mentions = false, hashtags = false;
};

/// Takes them out, with one blank behind each where blanks stand on both sides. URLs: http://,
/// https://, ftp:// and www. up to a blank, a Chinese character or sign, or closing punctuation.
/// Mentions: "@name" at the beginning of a word (so that e-mail addresses stay), with "RT" and ":"
/// around them. Topics: "#word" and Weibo's "#words#". Returns how many were taken out.
std::uint64_t remove_web_residue(std::string& text, const WebResidue& what);

}  // namespace llmctl
