#include "config/load.h"

#include "config/fields.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::expect_error;
using testing::EndsWith;
using testing::HasSubstr;

std::string text_of(const JsonDocument& document) {
  return dump_json(document.value);
}

JsonDocument merged(const std::string& base, const std::string& over) {
  JsonDocument document = parse_json_document(base, "a.json");
  merge_config(document, parse_json_document(over, "b.json"));
  return document;
}

TEST(MergeConfig, LaterWinsKeyByKey) {
  EXPECT_EQ(text_of(merged(R"({"a": 1, "b": {"x": 1, "y": 2}, "c": [1, 2]})",
                           R"({"b": {"y": 3, "z": 4}, "c": [9], "d": null})")),
            R"({"a":1,"b":{"x":1,"y":3,"z":4},"c":[9],"d":null})");
  EXPECT_EQ(text_of(merged(R"({"a": {"x": 1}})", R"({"a": 2})")), R"({"a":2})");
  EXPECT_EQ(text_of(merged(R"({"a": 2})", R"({"a": {"x": 1}})")), R"({"a":{"x":1}})");
  EXPECT_EQ(text_of(merged(R"({"a": 1})", "{}")), R"({"a":1})");
}

TEST(MergeConfig, KeepsPlaces) {
  const JsonDocument document =
      merged("{\"a\": 1, \"b\": {\"x\": 1, \"y\": 2}, \"c\": [[5], 2], \"cc\": 1}",
             "{\"b\": {\"y\": 3}, \"c\": [9]}");
  EXPECT_EQ(document.places, (std::map<std::string, std::string>{{"", "b.json:1:1"},
                                                                 {"a", "a.json:1:7"},
                                                                 {"b", "b.json:1:7"},
                                                                 {"b.x", "a.json:1:21"},
                                                                 {"b.y", "b.json:1:13"},
                                                                 {"c", "b.json:1:22"},
                                                                 {"c.0", "b.json:1:23"},
                                                                 {"cc", "a.json:1:54"}}));
}

TEST(MergeConfig, ASectionOfAnotherTypeStartsAfresh) {
  EXPECT_EQ(text_of(merged(R"({"optim": {"type": "adamw", "beta1": 0.9}})",
                           R"({"optim": {"type": "sgd", "momentum": 0.9}})")),
            R"({"optim":{"type":"sgd","momentum":0.9}})");
  EXPECT_EQ(text_of(merged(R"({"model": {"model_type": "llama", "hidden_size": 8}})",
                           R"({"model": {"model_type": "bert"}})")),
            R"({"model":{"model_type":"bert"}})");
  // Deeper ones too, and only those.
  EXPECT_EQ(text_of(merged(R"({"a": {"keep": 1, "task": {"type": "qa", "stride": 8}}})",
                           R"({"a": {"task": {"type": "classification"}}})")),
            R"({"a":{"keep":1,"task":{"type":"classification"}}})");
  // A model read from a directory is none that is built from keys.
  EXPECT_EQ(text_of(merged(R"({"model": {"model_type": "llama", "hidden_size": 8}})",
                           R"({"model": {"init_from": "DIR"}})")),
            R"({"model":{"init_from":"DIR"}})");
  EXPECT_EQ(text_of(merged(R"({"model": {"init_from": "DIR", "dropout": 0}})",
                           R"({"model": {"model_type": "llama"}})")),
            R"({"model":{"model_type":"llama"}})");
}

TEST(MergeConfig, ASectionOfTheSameTypeIsMerged) {
  EXPECT_EQ(text_of(merged(R"({"optim": {"type": "adamw", "lr": 1}})",
                           R"({"optim": {"type": "adamw", "lr": 2}})")),
            R"({"optim":{"type":"adamw","lr":2}})");
  EXPECT_EQ(text_of(merged(R"({"optim": {"type": "adamw"}})", R"({"optim": {"lr": 2}})")),
            R"({"optim":{"type":"adamw","lr":2}})");
  EXPECT_EQ(text_of(merged(R"({"optim": {"lr": 2}})", R"({"optim": {"type": "adamw"}})")),
            R"({"optim":{"lr":2,"type":"adamw"}})");
  EXPECT_EQ(text_of(merged(R"({"model": {"init_from": "A", "dropout": 0}})",
                           R"({"model": {"init_from": "B"}})")),
            R"({"model":{"init_from":"B","dropout":0}})");
  EXPECT_EQ(text_of(merged(R"({"model": {"dropout": 0}})", R"({"model": {"init_from": "B"}})")),
            R"({"model":{"dropout":0,"init_from":"B"}})");
}

TEST(LoadConfig, ReadsAFileWithComments) {
  const test::TempDir dir;
  const auto path =
      dir.write("c.json", "// run\n{\"$schema\": \"x\", \"a\": {\"$schema\": \"kept\"}}");
  const JsonDocument document = load_config_file(path);
  EXPECT_EQ(text_of(document), R"({"a":{"$schema":"kept"}})");
  EXPECT_EQ(document.places.at("a"), concat(path, ":2:23"));
  EXPECT_FALSE(document.places.contains("$schema"));
}

TEST(LoadConfig, ExtendsOneOrSeveral) {
  const test::TempDir dir;
  dir.write("base/a.json", R"({"extends": "deep/root.json", "x": "a", "y": "a"})");
  dir.write("base/deep/root.json", R"({"x": "root", "r": "root", "s": {"k": 1}})");
  dir.write("b.json", R"({"y": "b", "z": "b", "s": {"l": 2}})");
  const auto one = dir.write("one.json", R"({"extends": "base/a.json", "y": "one"})");
  EXPECT_EQ(text_of(load_config_file(one)), R"({"x":"a","r":"root","s":{"k":1},"y":"one"})");
  const auto two =
      dir.write("two.json", R"({"z": "two", "extends": ["base/a.json", "./b.json"], "s": {}})");
  const JsonDocument document = load_config_file(two);
  EXPECT_EQ(text_of(document), R"({"x":"a","r":"root","s":{"k":1,"l":2},"y":"b","z":"two"})");
  EXPECT_THAT(document.places.at("r"), EndsWith("root.json:1:20"));
  EXPECT_THAT(document.places.at("s.l"), EndsWith("b.json:1:33"));
  EXPECT_THAT(document.places.at("z"), EndsWith("two.json:1:7"));
  EXPECT_FALSE(document.places.contains("extends"));
  EXPECT_FALSE(document.places.contains("extends.0"));
}

TEST(LoadConfig, TheSameBaseTwiceIsNoCycle) {
  const test::TempDir dir;
  dir.write("root.json", R"({"r": 1})");
  dir.write("a.json", R"({"extends": "root.json"})");
  dir.write("b.json", R"({"extends": "root.json"})");
  EXPECT_EQ(text_of(load_config_file(
                dir.write("c.json", R"({"extends": ["a.json", "b.json", "b.json"]})"))),
            R"({"r":1})");
}

TEST(LoadConfig, AbsolutePathsAreTakenAsTheyAre) {
  const test::TempDir dir;
  const auto root = dir.write("root.json", R"({"r": 1})");
  EXPECT_EQ(
      text_of(load_config_file(dir.write("sub/c.json", concat("{\"extends\": \"", root, "\"}")))),
      R"({"r":1})");
}

TEST(LoadConfig, CyclesAreErrors) {
  const test::TempDir dir;
  dir.write("a.json", R"({"extends": "sub/b.json"})");
  dir.write("sub/b.json", R"({"extends": "../sub/../a.json"})");
  expect_error(ErrorCode::kConfig,
               HasSubstr("a.json: \"extends\" leads back to this file by way of"),
               [&] { load_config_file(dir / "a.json"); });
  const auto self = dir.write("self.json", R"({"extends": "self.json"})");
  expect_error(ErrorCode::kConfig, HasSubstr("leads back to this file"),
               [&] { load_config_file(self); });
}

TEST(LoadConfig, SaysWhatIsWrong) {
  const test::TempDir dir;
  expect_error(ErrorCode::kMissing, concat(dir / "none.json", ": no such file"),
               [&] { load_config_file(dir / "none.json"); });
  const auto orphan = dir.write("orphan.json", "{\n \"extends\": [\"none.json\"]}");
  expect_error(ErrorCode::kMissing,
               concat(dir / "none.json", ": no such file (extended by ", orphan, ":2:14)"),
               [&] { load_config_file(orphan); });
  const auto number = dir.write("number.json", R"({"extends": 3})");
  expect_error(ErrorCode::kConfig,
               concat("extends: expected a path or a list of paths, got 3 (", number, ":1:13)"),
               [&] { load_config_file(number); });
  const auto list = dir.write("list.json", R"({"extends": ["number.json", {}]})");
  expect_error(ErrorCode::kConfig, EndsWith(concat("got {} (", list, ":1:29)")),
               [&] { load_config_file(list); });
  const auto array = dir.write("array.json", "\n[]");
  expect_error(ErrorCode::kConfig, concat(array, ":2:1: expected an object"),
               [&] { load_config_file(array); });
  const auto broken = dir.write("broken.json", "{\"a\": 1,}");
  expect_error(ErrorCode::kConfig, concat(broken, ":1:9: expected a member after ',', got '}'"),
               [&] { load_config_file(broken); });
  const auto twice = dir.write("twice.json", "{\"a\": 1, \"a\": 2}");
  expect_error(ErrorCode::kConfig, concat(twice, ":1:10: duplicate key 'a'"),
               [&] { load_config_file(twice); });
}

struct Assignment {
  std::string before, assignment, after;
};

TEST(SetConfigValue, ChangesOneValue) {
  const std::vector<Assignment> table = {
      Assignment{"{}", "train.steps=10", R"({"train":{"steps":10}})"},
      Assignment{R"({"train":{"steps":1,"x":2}})", "train.steps=10",
                 R"({"train":{"steps":10,"x":2}})"},
      Assignment{"{}", "a=3e-4", R"({"a":0.0003})"},
      Assignment{"{}", "a=true", R"({"a":true})"},
      Assignment{"{}", "a=null", R"({"a":null})"},
      Assignment{"{}", "a=cuda:0", R"({"a":"cuda:0"})"},
      Assignment{"{}", "a=", R"({"a":""})"},
      Assignment{"{}", "a=x=y", R"({"a":"x=y"})"},
      Assignment{"{}", "a=\"12\"", R"({"a":"12"})"},
      Assignment{"{}", "a=corpus/*.txt", R"({"a":"corpus/*.txt"})"},
      Assignment{"{}", "a=中文", R"({"a":"中文"})"},
      Assignment{"{}", "a=1e999", R"({"a":"1e999"})"},
      Assignment{"{}", "a=[1,{\"b\":2}]", R"({"a":[1,{"b":2}]})"},
      Assignment{R"({"a":{"b":1}})", "a={\"c\":2}", R"({"a":{"c":2}})"},
      Assignment{R"({"a":[{"b":1},{"b":2}]})", "a.1.b=9", R"({"a":[{"b":1},{"b":9}]})"},
      Assignment{R"({"a":[1,2]})", "a.2=3", R"({"a":[1,2,3]})"},
      Assignment{R"({"a":[]})", "a.0.path=x", R"({"a":[{"path":"x"}]})"},
      Assignment{"{}", "a.0=x", R"({"a":{"0":"x"}})"},
      Assignment{R"({"a":null})", "a.b=1", R"({"a":{"b":1}})"},
      Assignment{"null", "a.b=1", R"({"a":{"b":1}})"},
      Assignment{R"({"optim":{"type":"adamw","lr":1}})", "optim.type=adam",
                 R"({"optim":{"type":"adam","lr":1}})"}};
  for (const auto& [before, assignment, after] : table) {
    JsonDocument document = parse_json_document(before, "c.json");
    set_config_value(document, assignment);
    EXPECT_EQ(text_of(document), after) << assignment;
  }
}

TEST(SetConfigValue, ItsPlaceIsTheOption) {
  JsonDocument document = parse_json_document(
      R"({"train": {"steps": 1, "epochs": {"deep": 1}}, "trainer": 1})", "c.json");
  set_config_value(document, "train.steps=10");
  set_config_value(document, "train.epochs=x");
  EXPECT_EQ(document.places.at("train.steps"), "--set train.steps");
  EXPECT_EQ(document.places.at("train"), "c.json:1:11");
  EXPECT_EQ(document.places.at("trainer"), "c.json:1:59");
  EXPECT_FALSE(document.places.contains("train.epochs.deep"));
  set_config_value(document, "new.key={\"a\":{\"b\":1}}");
  const ConfigNode root(&document.value, "", &document);
  expect_error(ErrorCode::kConfig, "new.key.a.b: bad (--set new.key)",
               [&] { root.child("new").child("key").child("a").child("b").fail("", "bad"); });
  set_config_value(document, "train={}");
  EXPECT_FALSE(document.places.contains("train.steps"));
  EXPECT_EQ(document.places.at("trainer"), "c.json:1:59");
}

TEST(SetConfigValue, SaysWhatIsWrong) {
  JsonDocument document = parse_json_document(R"({"a": 1, "l": [1, 2], "s": "x"})", "c.json");
  const auto set = [&](const char* assignment) {
    return [&document, assignment] { set_config_value(document, assignment); };
  };
  expect_error(ErrorCode::kUsage, "--set train.steps: expected key.path=value", set("train.steps"));
  const std::string no_path =
      " is no path of a key: expected names between dots, as in train.steps";
  expect_error(ErrorCode::kUsage, "''" + no_path, set("=1"));
  expect_error(ErrorCode::kUsage, "'a..b'" + no_path, set("a..b=1"));
  expect_error(ErrorCode::kUsage, "'a.'" + no_path, set("a.=1"));
  expect_error(ErrorCode::kConfig, "--set a.b: a is 1, which holds no key 'b'", set("a.b=1"));
  expect_error(ErrorCode::kConfig, "--set s.b: s is \"x\", which holds no key 'b'", set("s.b=1"));
  const std::string list = " must be a number from 0 to 2";
  expect_error(ErrorCode::kConfig, "--set l.3: l is a list of 2, so '3'" + list, set("l.3=1"));
  expect_error(ErrorCode::kConfig, "--set l.x: l is a list of 2, so 'x'" + list, set("l.x=1"));
  expect_error(ErrorCode::kConfig, "--set l.-1: l is a list of 2, so '-1'" + list, set("l.-1=1"));
  expect_error(ErrorCode::kConfig,
               "--set l.99999999999999999999: l is a list of 2, so '99999999999999999999'" + list,
               set("l.99999999999999999999=1"));
  EXPECT_EQ(text_of(document), R"({"a":1,"l":[1,2],"s":"x"})");
}

TEST(UnsetConfigValue, RemovesWhatIsThere) {
  JsonDocument document =
      parse_json_document(R"({"a": {"b": 1, "c": 2}, "l": [1, {"x": 1}, 3], "n": 1})", "c.json");
  unset_config_value(document, "a.b");
  EXPECT_EQ(text_of(document), R"({"a":{"c":2},"l":[1,{"x":1},3],"n":1})");
  EXPECT_FALSE(document.places.contains("a.b"));
  unset_config_value(document, "l.1.x");
  EXPECT_EQ(text_of(document), R"({"a":{"c":2},"l":[1,{},3],"n":1})");
  unset_config_value(document, "l.0");
  EXPECT_EQ(text_of(document), R"({"a":{"c":2},"l":[{},3],"n":1})");
  EXPECT_FALSE(document.places.contains("l.0"));  // it would be another element's
  EXPECT_EQ(document.places.at("l"), "c.json:1:30");
  unset_config_value(document, "a");
  for (const char* absent : {"a", "a.b", "x.y.z", "n.deep", "l.7", "l.x", "l.7.x"}) {
    unset_config_value(document, absent);
  }
  EXPECT_EQ(text_of(document), R"({"l":[{},3],"n":1})");
  expect_error(ErrorCode::kUsage, HasSubstr("is no path of a key"),
               [&] { unset_config_value(document, "a..b"); });
}

}  // namespace
}  // namespace llmctl
