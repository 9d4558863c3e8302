#include "cli/commands.h"

namespace llmctl {

void add_commands(CommandContext context) {
  add_tokenizer_command(context);
  add_data_command(context);
  add_pretrain_command(context);
  add_finetune_command(context);
  add_generate_command(context);
  add_eval_command(context);
  add_inspect_command(context);
  add_config_command(context);
  add_export_command(context);
  add_doctor_command(context);
  add_bench_command(context);
  add_help_command(context);
  add_version_command(context);
  add_completion_command(context);
}

}  // namespace llmctl
