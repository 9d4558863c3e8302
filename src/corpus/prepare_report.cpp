#include "corpus/prepare_report.h"

#include <algorithm>

#include "base/error.h"
#include "base/output.h"
#include "base/terminal.h"
#include "corpus/cleaner.h"
#include "corpus/prepare.h"
#include "corpus/readers.h"
#include "io/shard_writer.h"
#include "report/html_page.h"
#include "text/tokenizer.h"

namespace llmctl {
namespace {

std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string whole(const Json& count) {
  return format_whole(count.get<std::uint64_t>());
}

void add_examples(HtmlPage& page, const std::string& title, const Json& examples) {
  if (examples.empty()) return;
  page.heading(title);
  std::vector<std::vector<std::string>> rows;
  const bool changes = examples[0].contains("before");
  for (const Json& example : examples) {
    std::vector<std::string> row = {example.at("source").get<std::string>()};
    for (const char* part : {"before", "after", "text"}) {
      if (example.contains(part)) row.push_back(escape_control(example[part].get<std::string>()));
    }
    rows.push_back(std::move(row));
  }
  page.table(changes ? std::vector<std::string>{"document", "before", "after"}
                     : std::vector<std::string>{"document", "text"},
             rows);
}

}  // namespace

std::string prepare_page(const Json& manifest) {
  HtmlPage page(concat("Preparation of ", whole(manifest["documents_read"]), " documents"));
  std::vector<std::pair<std::string, std::string>> facts = {
      {"files", format_whole(manifest["sources"].size())},
      {"text read", format_bytes(manifest["bytes_read"].get<std::uint64_t>())}};
  for (const auto& [name, split] : manifest["splits"].items()) {
    facts.emplace_back(name + ", documents", whole(split["documents"]));
    if (split.contains("tokens")) facts.emplace_back(name + ", tokens", whole(split["tokens"]));
  }
  for (const auto& [name, examples] : manifest["examples"].items()) {
    facts.emplace_back(spaced(name), whole(manifest[name]));
  }
  page.facts(facts);
  page.heading("Steps");
  std::vector<std::vector<std::string>> rows;
  for (const Json& step : manifest["steps"]) {
    rows.push_back({step["step"].get<std::string>(), whole(step["documents"]),
                    whole(step["changed"]), whole(step["dropped"]), whole(step["matches"]),
                    format_bytes(step["bytes_out"].get<std::uint64_t>())});
  }
  page.table({"step", "documents", "changed", "dropped", "matches", "left"}, rows);
  for (const Json& step : manifest["steps"]) {
    const std::string name = step["step"].get<std::string>();
    add_examples(page, name + ": examples of what was changed", step["examples"]["changed"]);
    add_examples(page, name + ": examples of what was dropped", step["examples"]["dropped"]);
  }
  for (const auto& [name, examples] : manifest["examples"].items()) {
    add_examples(page, spaced(name) + ": examples", examples);
  }
  return page.text();
}

void check_preparation_output(const std::filesystem::path& output, bool overwrite,
                              const std::vector<SourceFile>& files) {
  namespace fs = std::filesystem;
  require(!output.empty(), ErrorCode::kUsage, "no output directory: use -o DIR or the key output");
  if (!overwrite || !fs::exists(output / kShardManifest)) {
    check_output_directory(output, overwrite ? "it is no prepared data, which --overwrite replaces"
                                             : "--overwrite replaces prepared data");
  }
  if (overwrite) {
    std::vector<fs::path> inputs;
    for (const SourceFile& file : files) inputs.push_back(file.path);
    check_replaced_directory(output, inputs);
  }
  const fs::path work = output.string() + ".partial";
  require(!fs::exists(work) || fs::exists(work / kPrepareKey) || fs::is_empty(work),
          ErrorCode::kCannotCreate, work, ": is in the way; remove it");
}

Json plan_preparation(const PrepareConfig& config, bool overwrite) {
  const std::vector<SourceFile> sources = source_files(config.input);
  check_preparation_output(config.output, overwrite, sources);
  Json files = Json::array();
  for (const SourceFile& file : sources) {
    files.push_back({{"path", file.path.string()},
                     {"format", file.how.format},
                     {"bytes", std::filesystem::file_size(file.path)}});
  }
  require(!files.empty(), ErrorCode::kUsage, "no input: name files or the key input");
  Json steps = Json::array();
  const CleanCounts counts = Cleaner(config.clean).new_counts();
  for (const std::string& name : counts.names()) steps.push_back(name);
  if (!config.contamination.against.empty()) steps.push_back("contamination");
  if (config.deduplicate.exact) steps.push_back("exact duplicates");
  if (config.deduplicate.near) steps.push_back("near duplicates");
  if (config.deduplicate.paragraphs) steps.push_back("repeated paragraphs");
  std::string tokenizer = "none: text only";
  if (!config.tokenizer.empty()) tokenizer = load_tokenizer(config.tokenizer)->description();
  return {{"files", std::move(files)}, {"steps", std::move(steps)}, {"tokenizer", tokenizer}};
}

}  // namespace llmctl
