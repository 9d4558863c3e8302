#include <unistd.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "report/table.h"
#include "runs/doctor.h"

namespace llmctl {

void add_doctor_command(CommandContext context) {
  CLI::App* command =
      add_command(context.root, context.common, "doctor",
                  "Report the build, LibTorch, devices and the CPU, and test that they work",
                  "  llmctl doctor\n  llmctl doctor --json");
  command->callback([context] {
    context.action = [context] {
      const DoctorReport report = run_doctor();
      std::string text = render_facts(STDOUT_FILENO, "llmctl doctor", report.facts) + "\n" +
                         text_table({"test", "result"}, report.tests);
      print_result(context.common, report.to_json(), text);
      return report.healthy ? 0 : static_cast<int>(ErrorCode::kInternal);
    };
  });
}

}  // namespace llmctl
