// "roberta": Liu et al., 2019, as Hugging Face's RobertaConfig and Roberta classes write it: BERT
// whose positions begin behind the id of padding, with heads of its own.
#include "models/bert_family.h"

namespace llmctl {
namespace {

struct RobertaConfig : BertFamilyConfig {
  static constexpr const char* kModelType = "roberta";

  std::string model_type = kModelType;
  RobertaConfig() {
    max_position_embeddings = 514;
    type_vocab_size = 1;
    layer_norm_eps = 1e-5;
  }

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
    family_fields(self, visit);
  }

  static std::vector<HeadClass> classes() {
    return {{HeadKind::kMaskedLm, "RobertaForMaskedLM"},
            {HeadKind::kSpan, "RobertaForQuestionAnswering"},
            {HeadKind::kSequenceClassification, "RobertaForSequenceClassification"},
            {HeadKind::kTokenClassification, "RobertaForTokenClassification"},
            {HeadKind::kNone, "RobertaModel", {"pooler."}}};
  }
  static std::vector<std::string> free_keys() {
    // Where the positions begin follows from the id of padding.
    std::vector<std::string> keys = BertFamilyConfig::free_keys();
    std::erase(keys, "pad_token_id");
    return keys;
  }

  void complete() {
    BertFamilyConfig::complete();
    if (!pad_token_id) pad_token_id = 1;
  }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const {
    const std::int64_t padding = pad_token_id.value_or(1);
    if (padding < 0) {
      node.fail("pad_token_id", "positions begin behind it, so that it must be 0 or more");
    }
    const BertSwitches switches{.model_type = kModelType,
                                .default_vocab_size = 50265,
                                .padding_id = padding,
                                .first_position = padding + 1,
                                .lm_bias = "lm_head.bias",
                                .lm_dense = "lm_head.dense",
                                .lm_norm = "lm_head.layer_norm",
                                .lm_decoder = "lm_head.decoder",
                                .lm_activation = Activation::kGelu,
                                .pooler = "classifier.dense",
                                .classifier = "classifier.out_proj",
                                .dropout_before_pooler = true};
    return bert_plan(*this, switches, node, head, labels);
  }
};

}  // namespace

const Adapter& roberta_adapter() {
  static const TypedAdapter<RobertaConfig> adapter;
  return adapter;
}

}  // namespace llmctl
