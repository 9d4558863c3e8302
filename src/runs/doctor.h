// A report of what the program runs on, with small tests of the parts that installations break.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/json.h"

namespace llmctl {

struct DoctorReport {
  bool healthy = true;
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<std::vector<std::string>> tests;  ///< name and "ok" or what is wrong
  Json to_json() const;
};

DoctorReport run_doctor();

}  // namespace llmctl
