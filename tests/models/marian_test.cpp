// Marian's own keys.
#include <gtest/gtest.h>

#include <map>

#include "models/tiny_models.h"

namespace llmctl::test {
namespace {

TEST(Marian, EmbeddingsOfTheirOwnForEitherLanguage) {
  Json section = tiny_section("marian");
  section["share_encoder_decoder_embeddings"] = false;
  section["decoder_vocab_size"] = 25;
  section["pad_token_id"] = 2;
  const auto model = create(section);
  std::map<std::string, at::Tensor> parameters;
  for (const auto& [name, parameter] : model->parameters()) parameters[name] = parameter;
  EXPECT_EQ(parameters.at("model.encoder.embed_tokens.weight").size(0), 40);
  EXPECT_EQ(parameters.at("model.decoder.embed_tokens.weight").size(0), 25);
  EXPECT_FALSE(parameters.contains("model.shared.weight"));
  for (const char* name :
       {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"})
    EXPECT_EQ(parameters.at(name)[2].abs().max().item<float>(), 0) << name;
  const auto refused = [&](const std::string& key, const Json& value,
                           const std::vector<std::string>& parts) {
    Json other = section;
    other[key] = value;
    expect_error(ErrorCode::kConfig, parts, [&] { create(other); });
  };
  refused("share_encoder_decoder_embeddings", true, {"decoder_vocab_size", "40", "25"});
  refused("pad_token_id", 30, {"pad_token_id", "decoder_vocab_size 25", "30"});
  refused("decoder_start_token_id", 25, {"decoder_start_token_id", "decoder_vocab_size 25"});
}

}  // namespace
}  // namespace llmctl::test
