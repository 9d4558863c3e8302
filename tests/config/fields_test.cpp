#include "config/fields.h"

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "support/expect_error.h"

namespace llmctl {
namespace {

using test::expect_error;

struct SourceConfig {
  std::string path;
  double weight = 1;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("path", self.path, "A file.");
    visit("weight", self.weight, "Passes.", Range<double>{0, 10});
  }
};

struct TestConfig {
  bool fast = false;
  std::int64_t steps = 100;
  std::int64_t seed = 0;
  double lr = 3e-4;
  double scale = 1;
  std::string schedule = "cosine";
  std::optional<double> clip;
  std::optional<SourceConfig> extra;
  std::vector<SourceConfig> train;
  std::vector<std::int64_t> layers = {1, 2};
  std::vector<std::string> kinds;
  std::map<std::string, double> weights;
  std::map<std::string, SourceConfig> named;
  Json any = Json::object();
  SourceConfig valid;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("fast", self.fast, "Fast.");
    visit("steps", self.steps, "Steps.", Range<std::int64_t>{1, 1000});
    visit("seed", self.seed, "");
    visit("lr", self.lr, "Rate.", Range<double>{0, 1});
    visit("scale", self.scale, "Scale.", Range<double>{.min = 0.5});
    visit("schedule", self.schedule, "Shape.", OneOf{{"cosine", "linear", "constant"}});
    visit("clip", self.clip, "Clip.", Range<double>{0, 10});
    visit("extra", self.extra, "Extra.");
    visit("train", self.train, "Sources.");
    visit("layers", self.layers, "Layers.", Range<std::int64_t>{.max = 9});
    visit("kinds", self.kinds, "Kinds.", OneOf{{"a", "b"}});
    visit("weights", self.weights, "Weights.", Range<double>{0, 1});
    visit("named", self.named, "Named.");
    visit("any", self.any, "Anything.");
    visit("valid", self.valid, "Validation.");
  }

  void validate(const ConfigNode& node) const {
    if (steps == 13) node.fail("steps", "13 brings bad luck");
    if (steps == 666) node.fail("", "out of hand");
    if (steps == 7) node.fail("absent", "is needed with 7 steps");
  }
};

TestConfig read(const std::string& text, const std::string& path = "") {
  const JsonDocument document =
      parse_json_document(text, "c.json", {.comments = true, .code = ErrorCode::kConfig});
  TestConfig config;
  read_config(ConfigNode(&document.value, path, &document), config);
  return config;
}

TEST(ReadConfig, KeepsDefaultsOfMissingKeys) {
  const TestConfig config = read("{}");
  EXPECT_EQ(config.steps, 100);
  EXPECT_EQ(config.lr, 3e-4);
  EXPECT_EQ(config.schedule, "cosine");
  EXPECT_EQ(config.clip, std::nullopt);
  EXPECT_EQ(config.layers, (std::vector<std::int64_t>{1, 2}));
}

TEST(ReadConfig, ReadsEveryType) {
  const TestConfig config = read(R"({
    "fast": true, "steps": 5, "seed": -3, "lr": 1, "schedule": "linear", "clip": 0.5,
    "extra": {"path": "e"},
    "train": [{"path": "a"}, {"path": "b", "weight": 2.5}],
    "layers": [], "kinds": ["b", "a"], "weights": {"x": 0.25, "y.z": 1},
    "named": {"n": {"path": "p"}}, "any": [1, {"two": null}], "valid": {"weight": 0}})");
  EXPECT_TRUE(config.fast);
  EXPECT_EQ(config.steps, 5);
  EXPECT_EQ(config.seed, -3);
  EXPECT_EQ(config.lr, 1.0);
  EXPECT_EQ(config.schedule, "linear");
  EXPECT_EQ(config.clip, 0.5);
  EXPECT_EQ(config.extra->path, "e");
  EXPECT_EQ(config.extra->weight, 1);
  ASSERT_EQ(config.train.size(), 2u);
  EXPECT_EQ(config.train[1].path, "b");
  EXPECT_EQ(config.train[1].weight, 2.5);
  EXPECT_TRUE(config.layers.empty());
  EXPECT_EQ(config.kinds, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(config.weights, (std::map<std::string, double>{{"x", 0.25}, {"y.z", 1}}));
  EXPECT_EQ(config.named.at("n").path, "p");
  EXPECT_EQ(dump_json(config.any), "[1,{\"two\":null}]");
  EXPECT_EQ(config.valid.weight, 0);
}

TEST(ReadConfig, ReplacesWhatWasThere) {
  const JsonDocument document =
      parse_json_document("{\"clip\": null, \"layers\": [3], \"weights\": {}}", "c.json");
  TestConfig config;
  config.clip = 1.5;
  config.weights["old"] = 1;
  config.steps = 77;
  read_config(ConfigNode(&document.value, "", &document), config);
  EXPECT_EQ(config.clip, std::nullopt);
  EXPECT_EQ(config.layers, (std::vector<std::int64_t>{3}));
  EXPECT_TRUE(config.weights.empty());
  EXPECT_EQ(config.steps, 77);
}

TEST(ReadConfig, PassesOverKeysOfOthers) {
  const JsonDocument document = parse_json_document("{\"type\": \"x\", \"path\": \"p\"}", "c.json");
  const ConfigNode node(&document.value, "task", &document);
  SourceConfig config;
  read_config(node, config, {"type"});
  EXPECT_EQ(config.path, "p");
  expect_error(ErrorCode::kConfig, "task.type: unknown key (c.json:1:1)",
               [&] { read_config(node, config); });
  const JsonDocument typo = parse_json_document("{\"typo\": 1}", "c.json");
  expect_error(ErrorCode::kConfig, "typo: unknown key, did you mean 'type'? (c.json:1:10)",
               [&] { read_config(ConfigNode(&typo.value, "", &typo), config, {"type"}); });
}

struct Wrong {
  std::string text, message;
};

void expect_refused(const std::vector<Wrong>& table) {
  for (const Wrong& wrong : table) {
    SCOPED_TRACE(wrong.text);
    expect_error(ErrorCode::kConfig, wrong.message, [&] { read(wrong.text); });
  }
}

TEST(WrongConfig, TypesAreRefusedWithPathAndPlace) {
  expect_refused(
      {Wrong{"[]", "expected an object, got a list (c.json:1:1)"},
       Wrong{"3", "expected an object, got 3 (c.json:1:1)"},
       Wrong{"{\"fast\": 1}", "fast: expected true or false, got 1 (c.json:1:10)"},
       Wrong{"{\"fast\": \"true\"}", "fast: expected true or false, got \"true\" (c.json:1:10)"},
       Wrong{"{\"steps\": \"x\"}", "steps: expected an integer, got \"x\" (c.json:1:11)"},
       Wrong{"{\"steps\": 1.5}", "steps: expected an integer, got 1.5 (c.json:1:11)"},
       Wrong{"{\"steps\": 3.0}", "steps: expected an integer, got 3.0 (c.json:1:11)"},
       Wrong{"{\"steps\": true}", "steps: expected an integer, got true (c.json:1:11)"},
       Wrong{"{\"steps\": null}", "steps: expected an integer, got null (c.json:1:11)"},
       Wrong{"{\"seed\": 9223372036854775808}",
             "seed: expected an integer below 2^63, got 9223372036854775808 (c.json:1:10)"},
       Wrong{"{\"seed\": 99999999999999999999}",
             "seed: expected an integer, got 1e+20 (c.json:1:10)"},
       Wrong{"{\"lr\": \"3e-4\"}", "lr: expected a number, got \"3e-4\" (c.json:1:8)"},
       Wrong{"{\"lr\": false}", "lr: expected a number, got false (c.json:1:8)"},
       Wrong{"{\"schedule\": 3}", "schedule: expected a string, got 3 (c.json:1:14)"},
       Wrong{"{\"schedule\": {}}", "schedule: expected a string, got an object (c.json:1:14)"},
       Wrong{"{\"clip\": []}", "clip: expected a number, got a list (c.json:1:10)"},
       Wrong{"{\"train\": {}}", "train: expected a list, got an object (c.json:1:11)"},
       Wrong{"{\"train\": \"a\"}",
             "train: expected a list, got \"a\"; of one element: [\"a\"] (c.json:1:11)"},
       Wrong{"{\"train\": [\n  3]}", "train.0: expected an object, got 3 (c.json:2:3)"},
       Wrong{"{\"train\": [{}, {\"path\": 3}]}",
             "train.1.path: expected a string, got 3 (c.json:1:25)"},
       Wrong{"{\"layers\": [1, 2.5]}", "layers.1: expected an integer, got 2.5 (c.json:1:16)"},
       Wrong{"{\"weights\": []}", "weights: expected an object, got a list (c.json:1:13)"},
       Wrong{"{\"weights\": {\"x\": \"y\"}}",
             "weights.x: expected a number, got \"y\" (c.json:1:19)"},
       Wrong{"{\"valid\": null}", "valid: expected an object, got null (c.json:1:11)"},
       Wrong{"{\"schedule\": [\"" + std::string(100, 'x') + "\"]}",
             "schedule: expected a string, got a list (c.json:1:14)"},
       Wrong{"{\"fast\": \"" + std::string(58, 'x') + "中文\"}",
             "fast: expected true or false, got \"" + std::string(58, 'x') + "… (c.json:1:10)"}});
}

TEST(WrongConfig, LimitsAreRefusedWithPathAndPlace) {
  expect_refused(
      {Wrong{"{\"steps\": 0}", "steps: must be from 1 to 1000, got 0 (c.json:1:11)"},
       Wrong{"{\"steps\": 4294967297}",
             "steps: must be from 1 to 1000, got 4294967297 (c.json:1:11)"},
       Wrong{"{\"lr\": -0.1}", "lr: must be from 0 to 1, got -0.1 (c.json:1:8)"},
       Wrong{"{\"lr\": 2}", "lr: must be from 0 to 1, got 2 (c.json:1:8)"},
       Wrong{"{\"scale\": 0.4}", "scale: must be at least 0.5, got 0.4 (c.json:1:11)"},
       Wrong{"{\"layers\": [10]}", "layers.0: must be at most 9, got 10 (c.json:1:13)"},
       Wrong{"{\"clip\": 11}", "clip: must be from 0 to 10, got 11 (c.json:1:10)"},
       Wrong{"{\"weights\": {\"x\": 2}}", "weights.x: must be from 0 to 1, got 2 (c.json:1:19)"},
       Wrong{"{\"schedule\": \"cosin\"}",
             "schedule: expected one of cosine, linear, constant, got \"cosin\", did you mean "
             "'cosine'? (c.json:1:14)"},
       Wrong{"{\"schedule\": \"zigzag\"}",
             "schedule: expected one of cosine, linear, constant, got \"zigzag\" (c.json:1:14)"},
       Wrong{"{\"kinds\": [\"a\", \"c\"]}",
             "kinds.1: expected one of a, b, got \"c\" (c.json:1:17)"}});
}

TEST(WrongConfig, KeysAndRulesAreRefusedWithPathAndPlace) {
  expect_refused(
      {Wrong{"{\"stepz\": 1}", "stepz: unknown key, did you mean 'steps'? (c.json:1:11)"},
       Wrong{"{\"valid\": {\"wieght\": 1}}",
             "valid.wieght: unknown key, did you mean 'weight'? (c.json:1:22)"},
       Wrong{"{\"something_else\": 1}", "something_else: unknown key (c.json:1:20)"},
       Wrong{"{\"steps\": 13}", "steps: 13 brings bad luck (c.json:1:11)"},
       Wrong{"{\n\"steps\": 666}", "out of hand (c.json:1:1)"},
       Wrong{"\n{\"steps\": 7}", "absent: is needed with 7 steps (c.json:2:1)"}});
}

TEST(ConfigNode, KnowsWhereItStands) {
  const JsonDocument document = parse_json_document("{\"a\": {\"b\": [1, 2]}}", "c.json");
  const ConfigNode root(&document.value, "", &document, ErrorCode::kData);
  EXPECT_EQ(root.path(), "");
  EXPECT_EQ(root.place(), " (c.json:1:1)");
  EXPECT_TRUE(root.has("a"));
  EXPECT_FALSE(root.has("b"));
  const ConfigNode b = root.child("a").child("b");
  EXPECT_EQ(b.path(), "a.b");
  EXPECT_EQ(b.place(), " (c.json:1:13)");
  EXPECT_FALSE(b.has("x"));
  EXPECT_EQ(b.child(1).value(), Json(2));
  EXPECT_EQ(b.child(1).path(), "a.b.1");
  expect_error(ErrorCode::kData, "a.b.1: bad (c.json:1:17)", [&] { b.child(1).fail("", "bad"); });
  const ConfigNode none = root.child("none").child("below");
  EXPECT_TRUE(none.value().is_null());
  EXPECT_EQ(none.path(), "none.below");
  EXPECT_EQ(none.place(), " (c.json:1:1)");
  const ConfigNode loose(&document.value, "x", nullptr);
  EXPECT_EQ(loose.place(), "");
  expect_error(ErrorCode::kConfig, "x.y: bad", [&] { loose.fail("y", "bad"); });
}

TEST(ConfigToJson, WritesEveryKeyButAbsentOptionals) {
  TestConfig config;
  config.train.push_back({"a", 2});
  config.weights["w"] = 1;
  config.named["n"] = {"p", 0.5};
  EXPECT_EQ(dump_json(config_to_json(config)),
            "{\"fast\":false,\"steps\":100,\"seed\":0,\"lr\":0.0003,\"scale\":1.0,"
            "\"schedule\":\"cosine\",\"train\":[{\"path\":\"a\",\"weight\":2.0}],"
            "\"layers\":[1,2],\"kinds\":[],\"weights\":{\"w\":1.0},"
            "\"named\":{\"n\":{\"path\":\"p\",\"weight\":0.5}},\"any\":{},"
            "\"valid\":{\"path\":\"\",\"weight\":1.0}}");
  config.clip = 0.5;
  config.extra = SourceConfig{"e", 3};
  const Json written = config_to_json(config);
  EXPECT_EQ(written["clip"], Json(0.5));
  EXPECT_EQ(written["extra"]["path"], Json("e"));
}

TEST(ConfigToJson, ReadsBackTheSame) {
  TestConfig config;
  config.clip = 0.1;
  config.lr = 1.0 / 3;
  config.extra = SourceConfig{"中文", 3};
  config.train = {{"a", 0}, {"b", 10}};
  config.any = Json::array({1, 2.5, nullptr});
  const Json written = config_to_json(config);
  EXPECT_EQ(config_to_json(read(dump_json(written, 2))), written);
}

TEST(ConfigSchema, SaysTypeHelpDefaultAndLimits) {
  const Json schema = config_schema<TestConfig>();
  EXPECT_EQ(schema["type"], "object");
  EXPECT_EQ(schema["additionalProperties"], false);
  const Json& properties = schema["properties"];
  EXPECT_EQ(properties["steps"], (Json{{"type", "integer"},
                                       {"minimum", 1},
                                       {"maximum", 1000},
                                       {"description", "Steps."},
                                       {"default", 100}}));
  EXPECT_EQ(properties["seed"], (Json{{"type", "integer"}, {"default", 0}}));
  EXPECT_EQ(properties["fast"],
            (Json{{"type", "boolean"}, {"description", "Fast."}, {"default", false}}));
  EXPECT_EQ(
      properties["scale"],
      (Json{{"type", "number"}, {"minimum", 0.5}, {"description", "Scale."}, {"default", 1.0}}));
  EXPECT_EQ(properties["schedule"], (Json{{"type", "string"},
                                          {"enum", {"cosine", "linear", "constant"}},
                                          {"description", "Shape."},
                                          {"default", "cosine"}}));
  EXPECT_EQ(properties["clip"],
            parse_json(R"({"anyOf": [{"type": "number", "minimum": 0.0, "maximum": 10.0},
                                     {"type": "null"}], "description": "Clip."})",
                       "t"));
  EXPECT_EQ(properties["kinds"], parse_json(R"({"type": "array",
                "items": {"type": "string", "enum": ["a", "b"]},
                "description": "Kinds.", "default": []})",
                                            "t"));
  EXPECT_EQ(properties["weights"]["additionalProperties"],
            (Json{{"type", "number"}, {"minimum", 0.0}, {"maximum", 1.0}}));
  EXPECT_EQ(properties["any"], (Json{{"description", "Anything."}, {"default", Json::object()}}));
  EXPECT_EQ(properties["train"]["items"], config_schema<SourceConfig>());
  EXPECT_EQ(properties["named"]["additionalProperties"], config_schema<SourceConfig>());
  Json valid = config_schema<SourceConfig>();
  valid["description"] = "Validation.";
  EXPECT_EQ(properties["valid"], valid);
  EXPECT_FALSE(schema.contains("required"));
}

TEST(ConfigSchema, StandsAloneAsADocument) {
  const Json document = schema_document(config_schema<SourceConfig>(), "llmctl source");
  EXPECT_EQ(document.begin().key(), "$schema");
  EXPECT_EQ(document["$schema"], "http://json-schema.org/draft-07/schema#");
  EXPECT_EQ(document["title"], "llmctl source");
  EXPECT_EQ(document["properties"]["path"]["type"], "string");
}

struct KindsConfig {
  Json id, ids, settings = Json::object();

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("id", self.id, "Id.", Kinds{"integer or null"});
    visit("ids", self.ids, "Ids.", Kinds{"integer or list of integer or null"});
    visit("settings", self.settings, "Settings.", Kinds{"object"});
  }
};

TEST(DescribeConfig, FieldsOfJsonSayTheirKinds) {
  std::vector<std::string> types;
  for (const FieldDoc& doc : describe_config<KindsConfig>()) types.push_back(doc.type);
  EXPECT_EQ(types, (std::vector<std::string>{"integer or null",
                                             "integer or list of integer or null", "object"}));
  const Json schema = config_schema<KindsConfig>()["properties"];
  EXPECT_EQ(schema["id"]["anyOf"], parse_json(R"([{"type": "integer"}, {"type": "null"}])", "t"));
  EXPECT_EQ(schema["ids"]["anyOf"],
            parse_json(R"([{"type": "integer"}, {"type": "array", "items": {"type": "integer"}},
                           {"type": "null"}])",
                       "t"));
  EXPECT_EQ(schema["settings"]["type"], "object");
}

TEST(DescribeConfig, ListsEveryKey) {
  std::vector<std::string> lines;
  for (const FieldDoc& doc : describe_config<TestConfig>("run")) {
    lines.push_back(concat(doc.path, " | ", doc.type, " | ", doc.default_value, " | ", doc.limits,
                           " | ", doc.help));
  }
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "run.fast | boolean | false |  | Fast.",
                       "run.steps | integer | 100 | 1 to 1000 | Steps.",
                       "run.seed | integer | 0 |  | ",
                       "run.lr | number | 0.0003 | 0 to 1 | Rate.",
                       "run.scale | number | 1.0 | at least 0.5 | Scale.",
                       "run.schedule | string | \"cosine\" | cosine, linear, constant | Shape.",
                       "run.clip | number or null |  | 0 to 10 | Clip.",
                       "run.extra | object or null |  |  | Extra.",
                       "run.extra.path | string | \"\" |  | A file.",
                       "run.extra.weight | number | 1.0 | 0 to 10 | Passes.",
                       "run.train | list of object | [] |  | Sources.",
                       "run.train[].path | string | \"\" |  | A file.",
                       "run.train[].weight | number | 1.0 | 0 to 10 | Passes.",
                       "run.layers | list of integer | [1,2] | at most 9 | Layers.",
                       "run.kinds | list of string | [] | a, b | Kinds.",
                       "run.weights | map of number | {} | 0 to 1 | Weights.",
                       "run.named | map of object | {} |  | Named.",
                       "run.named.NAME.path | string | \"\" |  | A file.",
                       "run.named.NAME.weight | number | 1.0 | 0 to 10 | Passes.",
                       "run.any | any | {} |  | Anything.",
                       "run.valid | object |  |  | Validation.",
                       "run.valid.path | string | \"\" |  | A file.",
                       "run.valid.weight | number | 1.0 | 0 to 10 | Passes.",
                   }));
  EXPECT_EQ(describe_config<SourceConfig>().front().path, "path");
}

TEST(DidYouMean, FindsSlipsOfTheHand) {
  const std::vector<std::string> names = {"steps",         "epochs", "warmup_steps",
                                          "learning_rate", "lr",     "batch_size"};
  const auto guess = [&](const char* name) { return did_you_mean(name, names); };
  EXPECT_EQ(guess("stepz"), ", did you mean 'steps'?");
  EXPECT_EQ(guess("step"), ", did you mean 'steps'?");
  EXPECT_EQ(guess("setps"), ", did you mean 'steps'?");  // neighbours exchanged
  EXPECT_EQ(guess("STEPS"), ", did you mean 'steps'?");
  EXPECT_EQ(guess("batch-size"), ", did you mean 'batch_size'?");
  EXPECT_EQ(guess("batchsize"), ", did you mean 'batch_size'?");
  EXPECT_EQ(guess("learnig_rat"), ", did you mean 'learning_rate'?");
  EXPECT_EQ(guess("warmup"), ", did you mean 'warmup_steps'?");
  EXPECT_EQ(guess("lrr"), ", did you mean 'lr'?");
  EXPECT_EQ(guess("xyz"), "");
  EXPECT_EQ(guess("x"), "");
  EXPECT_EQ(guess(""), "");
  EXPECT_EQ(guess("completely_different"), "");
  EXPECT_EQ(did_you_mean("steps", {}), "");
  EXPECT_EQ(did_you_mean(std::string(100'000, 'x'), names), "");
  EXPECT_EQ(did_you_mean("cat", {"bat", "cats"}), ", did you mean 'bat'?");  // the first of equals
}

/// A file with a weight, which may be written as its path alone.
struct FileConfig {
  static constexpr const char* kShorthand = "path";
  std::string path;
  double weight = 1;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("path", self.path, "A file.", PathKey{});
    visit("weight", self.weight, "Passes.", Range<double>{0, 10}, Change::kOnRequest);
  }
};

struct FilesConfig {
  std::vector<FileConfig> train;
  FileConfig valid;
  std::string cache;
  std::string base;
  std::int64_t steps = 5;
  std::int64_t width = 8;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("train", self.train, "Files.", OneOrMore{}, Change::kFree);
    visit("valid", self.valid, "File.");
    visit("cache", self.cache, "Place.", PathKey{}, Change::kFree);
    visit("base", self.base, "A model.", PathKey{.or_name = true});
    visit("steps", self.steps, "Steps.", Change::kOnRequest);
    visit("width", self.width, "Width.");
  }
};

FilesConfig read_files(const std::string& text) {
  const JsonDocument document{Json::parse(text), {}};
  FilesConfig config;
  read_config(ConfigNode(&document.value, "", &document), config);
  return config;
}

TEST(Shorthand, AnObjectMayBeWrittenAsOneMember) {
  const FilesConfig several =
      read_files(R"({"train": ["a", {"path": "b", "weight": 2}], "valid": "c"})");
  ASSERT_EQ(several.train.size(), 2u);
  EXPECT_EQ(several.train[0].path, "a");
  EXPECT_EQ(several.train[1].weight, 2);
  EXPECT_EQ(several.valid.path, "c");
  EXPECT_EQ(read_files(R"({"train": "a"})").train.at(0).path, "a") << "one stands for a list";
  EXPECT_EQ(read_files(R"({"train": {"path": "b", "weight": 3}})").train.at(0).weight, 3);
  EXPECT_TRUE(read_files(R"({"train": []})").train.empty());
  EXPECT_EQ(config_to_json(several)["train"][0], Json::parse(R"({"path": "a", "weight": 1.0})"));
  expect_error(ErrorCode::kConfig, {"train.0.path", "expected a string, got 3"},
               [] { read_files(R"({"train": [3]})"); });
  expect_error(ErrorCode::kConfig, {"train.0.wieght", "did you mean 'weight'"},
               [] { read_files(R"({"train": [{"wieght": 3}]})"); });
}

TEST(Shorthand, SchemaAndDocumentationSayBothForms) {
  const Json schema = config_schema<FilesConfig>();
  const Json& valid = schema["properties"]["valid"]["anyOf"];
  EXPECT_EQ(valid[0], Json::parse(R"({"type": "string"})"));
  EXPECT_TRUE(valid[1]["properties"].contains("weight"));
  const Json& train = schema["properties"]["train"]["anyOf"];
  EXPECT_EQ(train[0], (Json{{"anyOf", valid}}));
  EXPECT_EQ(train[1]["type"], "array");
  const auto docs = describe_config<FilesConfig>();
  EXPECT_EQ(docs[0].type, "string or object or list of string or object");
  EXPECT_EQ(docs[3].path, "valid");
  EXPECT_EQ(docs[3].type, "string or object");
}

TEST(ChangeOf, StandsBesideTheKeyAndIsInherited) {
  const auto docs = describe_config<FilesConfig>();
  EXPECT_EQ(change_of(docs, "train"), Change::kFree);
  EXPECT_EQ(change_of(docs, "train.0.path"), Change::kFree) << "of the list";
  EXPECT_EQ(change_of(docs, "train.3.weight"), Change::kOnRequest) << "its own";
  EXPECT_EQ(change_of(docs, "steps"), Change::kOnRequest);
  EXPECT_EQ(change_of(docs, "width"), Change::kNever);
  EXPECT_EQ(change_of(docs, "valid.path"), Change::kNever) << "nobody says anything";
  EXPECT_EQ(change_of(docs, "nowhere.at.all"), Change::kNever);
}

TEST(DifferingKeys, NamesLeavesInBothDirections) {
  const Json a =
      Json::parse(R"({"a": {"b": 1, "c": 2}, "only": [1], "list": [{"x": 1}, {"x": 2}]})");
  const Json b = Json::parse(R"({"a": {"b": 1, "c": 3, "d": 4}, "list": [{"x": 1}, {"x": 3}]})");
  EXPECT_EQ(differing_keys(a, b), (std::vector<std::string>{"a.c", "a.d", "list.1.x", "only"}));
  EXPECT_TRUE(differing_keys(a, a).empty());
  EXPECT_EQ(differing_keys(Json::parse(R"({"l": [1]})"), Json::parse(R"({"l": [1, 2]})")),
            std::vector<std::string>{"l"});
  ASSERT_NE(value_at(b, "list.1.x"), nullptr);
  EXPECT_EQ(*value_at(b, "list.1.x"), 3);
  EXPECT_EQ(value_at(b, "list.2.x"), nullptr);
  EXPECT_EQ(value_at(b, "a.b.c"), nullptr);
}

/// HOME set to a value, or unset, for a while.
class Home {
 public:
  explicit Home(const char* value) {
    if (const char* before = std::getenv("HOME")) before_ = before;
    value ? ::setenv("HOME", value, 1) : ::unsetenv("HOME");
  }
  ~Home() { before_ ? ::setenv("HOME", before_->c_str(), 1) : ::unsetenv("HOME"); }

 private:
  std::optional<std::string> before_;
};

TEST(Paths, TildeIsTheHomeDirectory) {
  const Home home("/home/ada");
  EXPECT_EQ(expand_home("~"), "/home/ada");
  EXPECT_EQ(expand_home("~/x/*.txt"), "/home/ada/x/*.txt");
  EXPECT_EQ(expand_home("a/~/b"), "a/~/b");
  EXPECT_EQ(expand_home("~notes.txt"), "~notes.txt") << "a name like others";
  EXPECT_EQ(expand_home(""), "");
  EXPECT_EQ(read_files(R"({"cache": "~/c", "train": "~/t"})").cache, "/home/ada/c");
  EXPECT_EQ(read_files(R"({"cache": "~/c", "train": "~/t"})").train.at(0).path, "/home/ada/t");
  expect_error(ErrorCode::kConfig, {"cache", "another user's home directory"},
               [] { read_files(R"({"cache": "~bob/x"})"); });
  const Home none(nullptr);
  expect_error(ErrorCode::kConfig, {"cache", "the variable HOME is not set"},
               [] { read_files(R"({"cache": "~/c"})"); });
}

TEST(Paths, RunsKeepAbsoluteOnes) {
  const Home home("/home/ada");
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(absolute_path("a/../b/*.txt"), here + "/b/*.txt");
  EXPECT_EQ(absolute_path("./b/"), here + "/b");
  EXPECT_EQ(absolute_path("/x/./y"), "/x/y");
  EXPECT_EQ(absolute_path("~/y"), "/home/ada/y");
  EXPECT_EQ(absolute_path(""), "");
  EXPECT_EQ(absolute_path("-"), "-") << "standard input";
  EXPECT_EQ(absolute_path("org/name", {.or_name = true}), "org/name");
  EXPECT_EQ(absolute_path("./org/name", {.or_name = true}), here + "/org/name");
  EXPECT_EQ(absolute_path("org/name"), here + "/org/name");

  Json config = Json::parse(
      R"({"train": [{"path": "t/*.txt", "weight": 2}, {"path": "/u"}], "valid": {"path": "v"},
          "cache": "", "base": "bert-base", "width": 3})");
  make_paths_absolute(config, describe_config<FilesConfig>());
  EXPECT_EQ(config["train"][0]["path"], here + "/t/*.txt");
  EXPECT_EQ(config["train"][1]["path"], "/u");
  EXPECT_EQ(config["valid"]["path"], here + "/v");
  EXPECT_EQ(config["cache"], "");
  EXPECT_EQ(config["base"], "bert-base");
}

}  // namespace
}  // namespace llmctl
