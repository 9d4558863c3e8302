// Models whose answers a test writes down.
#pragma once

#include <memory>
#include <string>

#include "support/byte_tokenizer.h"
#include "support/device.h"
#include "support/fake_model.h"

namespace llmctl::test {

/// Over the ids of a ByteTokenizer: after a byte comes the byte that `next` names, after any other
/// the end of the text.
class ScriptedModel : public FakeModel {
 public:
  explicit ScriptedModel(ByteTokenizer::Kind kind = ByteTokenizer::Kind::kCausal)
      : FakeModel(ByteTokenizer(kind).vocab_size(), kind == ByteTokenizer::Kind::kMasked
                                                        ? HeadKind::kMaskedLm
                                                        : HeadKind::kCausalLm) {
    own_facts_ = FakeModel::facts();
    to(at::Device(test_device()));
    const c10::AutoGradMode no_grad(false);
    if (kind == ByteTokenizer::Kind::kCausal) table().select(1, 257).fill_(1);
  }
  /// Raises the logit of `id` after `before`.
  void after(TokenId before, TokenId id, double logit) {
    const c10::AutoGradMode no_grad(false);
    table()[before][id].fill_(logit);
  }
  /// The bytes of `text` follow one another.
  void script(const std::string& text) {
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
      after(static_cast<unsigned char>(text[i]), static_cast<unsigned char>(text[i + 1]), 9);
    }
  }
  const ModelFacts& facts() const override { return own_facts_; }
  ModelFacts& facts() { return own_facts_; }
  at::Tensor hidden(const Sequence& input, const Context& context) override {
    inputs.push_back(input);
    return FakeModel::hidden(input, context);
  }
  std::unique_ptr<KvCache> make_cache(std::int64_t tokens, const Context&) const override {
    return std::make_unique<KvCache>(KvCacheShape{1, 1, 1}, at::kFloat, device(), tokens);
  }
  std::vector<Sequence> inputs;

 private:
  ModelFacts own_facts_;
};

}  // namespace llmctl::test
