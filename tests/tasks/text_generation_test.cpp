#include "tasks/text_generation.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/log.h"
#include "metrics/translation.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/fake_model.h"
#include "support/temp_dir.h"
#include "tasks/brief_training.h"
#include "tasks/dialogue_rows.h"
#include "text/template/chat_template.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::expect_error;
using test::FakeModel;
using test::TempDir;

std::shared_ptr<const Tokenizer> bytes() {
  return std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kCausal);
}

const std::string kLines =
    "{\"prompt\": \"ab\", \"answer\": \"xyz\"}\n{\"prompt\": \"c\", \"answer\": "
    "\"x\"}\n{\"prompt\": \"defg\", \"answer\": \"yy\"}\n";

TEST(TextGeneration, LossOnAnswersAlone) {
  const TempDir directory;
  TaskData files;
  files.train = {
      {{directory.write("a.jsonl", "{\"prompt\": \"ab\", \"answer\": \"xyz\"}\n")}, 1.0}};
  const auto task = make_text_generation({}, bytes());
  task->read(files);
  const Batch batch = task->source({1, 1, 1, 0, 1})->batches(0)[0];
  // <s> a b \n x y z </s>, shifted by one.
  EXPECT_EQ(batch.input.ids.size(1), 7);
  std::vector<std::int64_t> labels(batch.labels.const_data_ptr<std::int64_t>(),
                                   batch.labels.const_data_ptr<std::int64_t>() + 7);
  EXPECT_EQ(labels, (std::vector<std::int64_t>{-100, -100, -100, 'x', 'y', 'z', 257}));

  FakeModel model(258);
  {
    const c10::AutoGradMode no_grad(false);
    model.table()['\n']['x'] = 3;
    model.table()['x']['y'] = 2;
  }
  const auto loss = task->loss(model);
  const auto terms = loss->terms(batch, Context{});
  EXPECT_EQ(terms[0].count, 4);
  const double expected =
      std::log(std::exp(3) + 257) - 3 + std::log(std::exp(2) + 257) - 2 + 2 * std::log(258);
  EXPECT_NEAR(terms[0].sum.item<double>(), expected, 1e-4);
  EXPECT_EQ(loss->counts(batch)[0].second, 4);
}

TEST(TextGeneration, TemplateIsNotedInTheModel) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.jsonl", kLines)}, 1.0}};
  Json config = {{"model_type", "llama"}, {"task_specific_params", {{"other", 1}}}};
  const auto task = make_text_generation({}, bytes());
  EXPECT_EQ(task->chat_template(), std::nullopt) << "before anything is learnt";
  task->read(files);
  task->describe(config);
  EXPECT_EQ(config.at("task_specific_params").at("text_generation").at("template"), "{prompt}\n");
  EXPECT_EQ(config.at("task_specific_params").at("other"), 1);
  TextGenerationConfig section;
  section.prompt_template = "Q: {prompt} A:";
  const auto other = make_text_generation(section, bytes());
  other->read(files);
  other->describe(config);
  EXPECT_EQ(config.at("task_specific_params").at("text_generation").at("template"),
            "Q: {prompt} A:");
  EXPECT_TRUE(other->chat_template().has_value());
  section.prompt_field = "prompt";
  section.input_field = "answer";
  const auto named = make_text_generation(section, bytes());
  named->read(files);
  named->describe(config);
  EXPECT_EQ(
      config.at("task_specific_params").at("text_generation"),
      (Json{
          {"template", "Q: {prompt} A:"}, {"prompt_field", "prompt"}, {"input_field", "answer"}}));
}

TEST(TextGeneration, PromptsStandInTheFormOfTheStartModel) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.jsonl", kLines)}, 1.0}};
  files.initial_model = "first";
  files.initial_params = {{"text_generation", {{"template", "Q: {prompt}\nA: "}}}};
  const auto form_after = [&](const TextGenerationConfig& config, std::string* said) {
    const auto task = make_text_generation(config, bytes());
    set_log_level(LogLevel::kInfo);
    testing::internal::CaptureStderr();
    task->read(files);
    *said = testing::internal::GetCapturedStderr();
    Json described = Json::object();
    task->describe(described);
    return described.at("task_specific_params").at("text_generation").at("template");
  };
  std::string said;
  EXPECT_EQ(form_after({}, &said), "Q: {prompt}\nA: ");
  EXPECT_NE(said.find("in the form that first was trained with, \"Q: {prompt}\\nA: \""),
            std::string::npos)
      << said;
  TextGenerationConfig given;
  given.prompt_template = "{prompt}: ";
  EXPECT_EQ(form_after(given, &said), "{prompt}: ");
  EXPECT_EQ(said.find("in the form that"), std::string::npos) << said;
  files.initial_params = nullptr;
  EXPECT_EQ(form_after({}, &said), "{prompt}\n");
}

TEST(TextGeneration, WarnsOfHeldOutConversationsThatAreLearnt) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.jsonl", kLines)}, 1.0}};
  files.valid = {directory.write("v.jsonl",
                                 "{\"prompt\": \"ab\", \"answer\": \"xyz\"}\n"
                                 "{\"prompt\": \"ab\", \"answer\": \"other\"}\n")};
  testing::internal::CaptureStderr();
  make_text_generation({}, bytes())->read(files);
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "1 of 2 held-out conversations are also learnt from"),
            std::string::npos);
}

TEST(TextGeneration, ConversationsTrainInTheModelsChatTemplate) {
  const TempDir directory;
  directory.write("chat_template.jinja",
                  "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}</s>{% endfor %}"
                  "{% if add_generation_prompt %}a:{% endif %}");
  TaskData files;
  files.directory = directory.path();
  files.train = {
      {{directory.write("a.jsonl",
                        "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": "
                        "\"assistant\", \"content\": \"x\"}]}\n")},
       1.0}};
  const auto task = make_text_generation({}, bytes());
  task->read(files);
  const Batch batch = task->source({1, 1, 1, 0, 1})->batches(0)[0];
  // u : q </s> a : x </s>, shifted by one.
  std::vector<std::int64_t> ids(batch.input.ids.const_data_ptr<std::int64_t>(),
                                batch.input.ids.const_data_ptr<std::int64_t>() + 7);
  EXPECT_EQ(ids, (std::vector<std::int64_t>{'u', ':', 'q', 257, 'a', ':', 'x'}));
  std::vector<std::int64_t> labels(batch.labels.const_data_ptr<std::int64_t>(),
                                   batch.labels.const_data_ptr<std::int64_t>() + 7);
  EXPECT_EQ(labels, (std::vector<std::int64_t>{-100, -100, -100, -100, -100, 'x', 257}));
  Json config = Json::object();
  task->describe(config);
  EXPECT_EQ(config.at("task_specific_params").at("text_generation").at("conversations"), true);
  EXPECT_EQ(ChatTemplate::of_directory(directory.path(), *bytes())->source(),
            task->chat_template());
}

TEST(TextGeneration, TheStartModelsChatTemplateIsItsOwn) {
  const TempDir start, base;
  const auto form = [](const std::string& sign) {
    return "{% for m in messages %}{{ m.role[0] }}" + sign + "{{ m.content }}</s>{% endfor %}" +
           "{% if add_generation_prompt %}a" + sign + "{% endif %}";
  };
  start.write("chat_template.jinja", form(":"));
  base.write("chat_template.jinja", form(";"));
  TaskData files;
  files.train = {{{base.write("a.jsonl", "{\"prompt\": \"q\", \"answer\": \"x\"}\n")}, 1.0}};
  files.directory = base.path();  // that of tokenizer.path
  files.initial_model = start.path().string();
  const auto template_after = [&](const TextGenerationConfig& config) {
    const auto task = make_text_generation(config, bytes());
    task->read(files);
    return task->chat_template().value_or("");
  };
  files.initial_params = {{"text_generation", {{"conversations", true}}}};
  EXPECT_EQ(template_after({}), form(":"));
  TextGenerationConfig asked;
  asked.conversations = true;
  EXPECT_EQ(template_after(asked), form(";")) << "the tokenizer's, which is named";
  // A directory of a tokenizer alone has none.
  const TempDir tokenizer;
  files.directory = tokenizer.path();
  files.initial_params = nullptr;
  EXPECT_EQ(template_after(asked), form(":"));
  files.train[0].files = {
      base.write("b.jsonl",
                 "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": "
                 "\"assistant\", \"content\": \"x\"}]}\n")};
  EXPECT_EQ(template_after({}), form(":"));
}

/// Two turns of a talk, prompts and answers of many lengths.
std::string talks() {
  std::string lines;
  for (int i = 0; i < 9; ++i) {
    const std::string a(static_cast<std::size_t>(1 + i % 4), static_cast<char>('a' + i));
    const std::string b(static_cast<std::size_t>(1 + i % 3), static_cast<char>('A' + i));
    lines += dump_json(Json{{"messages",
                             {{{"role", "user"}, {"content", a}},
                              {{"role", "assistant"}, {"content", b}},
                              {{"role", "user"}, {"content", b + a}},
                              {{"role", "assistant"}, {"content", a + "."}}}}}) +
             "\n";
  }
  return lines;
}

TEST(TextGeneration, PackedConversationsDoNotSeeOneAnother) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.jsonl", talks())}, 1.0}};
  files.sequence_length = 64;
  const auto tokenizer = bytes();
  const auto model = test::tiny_llama(*tokenizer);
  const auto loss_of = [&](bool packing, std::int64_t batch_size, std::int64_t& rows,
                           at::Tensor& gradient) {
    TextGenerationConfig config;
    config.packing = packing;
    const auto task = make_text_generation(config, tokenizer);
    task->read(files);
    const auto source = task->source({1, batch_size, batch_size, 0, 1});
    EXPECT_EQ(source->steps_per_epoch(), 1);
    const Batch batch = source->batches(0)[0];
    rows = batch.input.rows();
    EXPECT_EQ(batch.input.documents.defined(), true);
    const auto loss = task->loss(*model);
    const LossTerm term = loss->terms(batch, Context{})[0];
    for (const auto& [name, parameter] : model->parameters())
      parameter.mutable_grad() = at::Tensor();
    term.sum.backward();
    gradient = model->parameters().front().second.grad().clone();
    return std::pair(term.sum.item<double>(), term.count);
  };
  std::int64_t separate_rows = 0, packed_rows = 0;
  at::Tensor separate_gradient, packed_gradient;
  const auto separate = loss_of(false, 9, separate_rows, separate_gradient);
  const auto packed = loss_of(true, 3, packed_rows, packed_gradient);
  EXPECT_EQ(separate_rows, 9);
  EXPECT_EQ(packed_rows, 3);
  EXPECT_EQ(packed.second, separate.second) << "learned tokens";
  EXPECT_NEAR(packed.first, separate.first, 1e-4 * separate.first);
  EXPECT_LT((packed_gradient - separate_gradient).abs().max().item<double>(),
            1e-4 * separate_gradient.abs().max().item<double>());
}

TEST(TextGeneration, RecordsWithNothingToLearnAreLeftOut) {
  const TempDir directory;
  TaskData files;
  const std::string with = R"({"system": "S", "prompt": "a", "answer": "b"})",
                    without = R"({"prompt": "a", "answer": "b"})";
  files.train = {{{directory.write("a.jsonl", with + "\n" + without + "\n")}, 1.0}};
  TextGenerationConfig config;
  config.roles_to_train = {"system"};
  const auto task = make_text_generation(config, bytes());
  task->read(files);
  EXPECT_EQ(task->source({1, 1, 1, 0, 1})->steps_per_epoch(), 1);
  files.train[0].files = {directory.write("b.jsonl", without + "\n")};
  expect_error(ErrorCode::kConfig, {"task.roles_to_train: no record has a system message"},
               [&] { task->read(files); });
}

TEST(TextGeneration, ValidationLoss) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.jsonl", kLines)}, 1.0}};
  files.valid = {directory.write("v.jsonl", kLines)};
  TextGenerationConfig config;
  config.validation_samples = 0;
  const auto task = make_text_generation(config, bytes());
  task->read(files);
  FakeModel model(258);
  const auto world = make_local_world();
  const ValidationResult result = task->validator(model, 2, *world)->validate(Context{});
  EXPECT_NEAR(result.scores.at("loss"), std::log(258), 1e-5);
  EXPECT_NEAR(result.scores.at("perplexity"), 258, 1e-2);
  EXPECT_EQ(task->best_score(), kLossName);
}

TEST(TextGeneration, LongRowsAndErrors) {
  const TempDir directory;
  TaskData files;
  files.train = {
      {{directory.write("a.jsonl",
                        dump_json(Json{{"prompt", std::string(50, 'p')}, {"answer", "x"}}) + "\n")},
       1.0}};
  files.sequence_length = 8;
  const auto task = make_text_generation({}, bytes());
  task->read(files);
  EXPECT_EQ(task->source({1, 1, 1, 0, 1})->batches(0)[0].input.ids.size(1), 8);
  DialogueRows rows(3);
  for (DialogueRow& row : rows) row.ids.resize(8);
  EXPECT_EQ(full_rows_note(rows, 8), "") << "one token more than the model sees";
  rows[1].ids.resize(9);
  EXPECT_EQ(full_rows_note(rows, 8),
            "1 of 3 rows reaches data.sequence_length (8 tokens); what is longer loses its "
            "beginning");
  files.sequence_length = 3;
  expect_error(ErrorCode::kConfig, {"data.sequence_length: 3 tokens leave no room"},
               [&] { task->read(files); });
  files.train[0].files = {directory.write("b.jsonl", "")};
  expect_error(ErrorCode::kData, {"b.jsonl: no prompt to train on"}, [&] { task->read(files); });
}

TEST(TextGeneration, ScoresFiles) {
  const TempDir directory;
  const auto references = directory.write("r.jsonl",
                                          "{\"prompt\": \"q\", \"answer\": \"The "
                                          "fox\"}\n{\"prompt\": \"问\", \"answer\": \"狐狸。\"}\n");
  const auto task = make_text_generation({}, bytes());
  const auto answers =
      directory.write("p.jsonl", "{\"prediction\": \"fox!\"}\n{\"generated_text\": \"狐狸\"}\n");
  const TaskEvaluation evaluation = task->score(answers, {references});
  EXPECT_EQ(evaluation.scores.at("exact_match"), 100);
  EXPECT_EQ(evaluation.scores.at("zh.exact_match"), 100);
  EXPECT_EQ(evaluation.predictions.size(), 2u);
  expect_error(ErrorCode::kData, {"s.jsonl: no prediction for reference 2 of 2"}, [&] {
    task->score(directory.write("s.jsonl", "{\"generated_text\": \"fox\"}\n"), {references});
  });
  EXPECT_FALSE(evaluation.scores.contains("bleu"));
  TextGenerationConfig translating;
  translating.bleu_tokenizer = "auto";
  const auto translation = make_text_generation(translating, bytes());
  const TaskEvaluation translated = translation->score(answers, {references});
  for (const ScoreKind& kind : TranslationTotals::kinds()) {
    EXPECT_TRUE(translated.scores.contains(kind.name)) << kind.name;
    EXPECT_NE(find_kind(translation->evaluation_scores(), kind.name), nullptr);
  }
  EXPECT_EQ(translated.signatures[0],
            "BLEU nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
  // What a reference is called is no prediction, also beside one.
  expect_error(ErrorCode::kData, {"t.jsonl:1: no prediction (looked for ", "it has answer)"}, [&] {
    task->score(directory.write("t.jsonl", "{\"answer\": \"fox\"}\n"), {references});
  });
  const auto both = directory.write("both.jsonl",
                                    "{\"answer\": \"The fox\", \"generated_text\": \"dog\"}\n"
                                    "{\"answer\": \"狐狸。\", \"generated_text\": \"狐狸\"}\n");
  EXPECT_EQ(task->score(both, {references}).scores.at("exact_match"), 50);
  expect_error(ErrorCode::kData, {"e.jsonl: no prompts"},
               [&] { task->score(answers, {directory.write("e.jsonl", "")}); });
}

TEST(TextGeneration, PredictionsInOrderStandBesideTheirPrompts) {
  const TempDir directory;
  const auto messages = [](const std::string& prompt, bool answered) {
    Json list = Json::array();
    list.push_back({{"role", "user"}, {"content", prompt}});
    if (answered) list.push_back({{"role", "assistant"}, {"content", "fox"}});
    return list;
  };
  const auto line = [](const Json& record) { return dump_json(record) + "\n"; };
  const Json second = {{"instruction", "r"}, {"input", "s"}, {"output", "dog"}};
  const auto references =
      directory.write("r.jsonl", line({{"messages", messages("q", true)}}) + line(second));
  const auto task = make_text_generation({}, bytes());
  Json answered = second;
  answered["generated_text"] = "dog";
  // As generate has a conversation, and as a copy of the references has it.
  for (const bool copied : {false, true}) {
    const auto row = [&](const std::string& prompt) {
      return line({{"messages", messages(prompt, copied)}, {"generated_text", "fox"}});
    };
    const auto ordered = directory.write("p.jsonl", row("q") + line(answered));
    EXPECT_EQ(task->score(ordered, {references}).scores.at("exact_match"), 100);
    const auto other = directory.write("o.jsonl", row("Q: q A:") + line(answered));
    EXPECT_EQ(task->score(other, {references}).scores.at("exact_match"), 100)
        << "in a template, as no reference has it";
    const auto shuffled = directory.write("s.jsonl", line(answered) + row("q"));
    expect_error(ErrorCode::kData, {"s.jsonl:1: 'r s' is not the input of reference 1 ("},
                 [&] { task->score(shuffled, {references}); });
  }
}

}  // namespace
}  // namespace llmctl
