// "bert": Devlin et al., 2019, as Hugging Face's BertConfig and Bert classes write it.
#include "models/bert_family.h"

namespace llmctl {
namespace {

struct BertConfig : BertFamilyConfig {
  static constexpr const char* kModelType = "bert";

  std::string model_type = kModelType;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("model_type", self.model_type, "Hugging Face's name of the architecture.",
          OneOf{{kModelType}});
    family_fields(self, visit);
  }

  static std::vector<HeadClass> classes() {
    return {{HeadKind::kMaskedLm, "BertForMaskedLM"},
            {HeadKind::kMaskedLm, "BertForPreTraining", {"bert.pooler.", "cls.seq_relationship."}},
            {HeadKind::kSpan, "BertForQuestionAnswering"},
            {HeadKind::kSequenceClassification, "BertForSequenceClassification"},
            {HeadKind::kTokenClassification, "BertForTokenClassification"},
            {HeadKind::kNone, "BertModel", {"pooler."}}};
  }

  void complete() {
    BertFamilyConfig::complete();
    if (!pad_token_id) pad_token_id = 0;
  }

  ModelPlan plan(const ConfigNode& node, HeadKind head, std::int64_t labels) const {
    const BertSwitches switches{.model_type = kModelType,
                                .default_vocab_size = 30522,
                                .padding_id = pad_token_id.value_or(-1),
                                .first_position = 0,
                                .lm_bias = "cls.predictions.bias",
                                .lm_dense = "cls.predictions.transform.dense",
                                .lm_norm = "cls.predictions.transform.LayerNorm",
                                .lm_decoder = "cls.predictions.decoder",
                                .lm_activation = *find_activation(hidden_act),
                                .pooler = "bert.pooler.dense",
                                .classifier = "classifier",
                                .dropout_before_pooler = false};
    return bert_plan(*this, switches, node, head, labels);
  }
};

}  // namespace

const Adapter& bert_adapter() {
  static const TypedAdapter<BertConfig> adapter;
  return adapter;
}

}  // namespace llmctl
