// The list of subcommands; a new one is a file that defines its add_… function, and a line here and
// in commands.cpp.
#pragma once

#include "cli/command.h"

namespace llmctl {

void add_tokenizer_command(CommandContext context);
void add_data_command(CommandContext context);
void add_pretrain_command(CommandContext context);
void add_finetune_command(CommandContext context);
void add_generate_command(CommandContext context);
void add_eval_command(CommandContext context);
void add_inspect_command(CommandContext context);
void add_config_command(CommandContext context);
void add_export_command(CommandContext context);
void add_doctor_command(CommandContext context);
void add_bench_command(CommandContext context);
void add_help_command(CommandContext context);
void add_version_command(CommandContext context);
void add_completion_command(CommandContext context);

/// All of them, in the order of the help.
void add_commands(CommandContext context);

}  // namespace llmctl
