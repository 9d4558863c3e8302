#include "cli/input_options.h"

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "io/text_source.h"

namespace llmctl {

void add_input_options(CLI::App& command, InputOptions& options) {
  command
      .add_option("--fields", options.fields,
                  "Fields of records that are their text, with commas between (input.fields)")
      ->option_text("NAME,…");
  command
      .add_option("--split", options.split,
                  "Documents of text files: blank_line, line or file (input.split)")
      ->option_text("HOW")
      ->check(one_of(kDocumentSplits));
  command
      .add_option("--format", options.format,
                  "text, jsonl, json, csv, tsv, html, mediawiki; else by content and name "
                  "(input.format)")
      ->option_text("NAME")
      ->check(
          one_of({"auto", "text", "jsonl", "json", "csv", "tsv", "html", "mediawiki", "tokens"}));
}

}  // namespace llmctl
