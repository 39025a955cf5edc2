// Makes one self-contained HTML file with plots from JSON results.
//
// Threads: main's. Errors: one line that names the file.
#pragma once

#include <string>
#include <vector>

#include "bench/load/command_line.h"
#include "core/base/expected.h"

namespace ntsd::load {

// A result as it stands in a file.
struct ReportInput {
  std::string name;  // what it is called on the page
  std::string json;
};

// The page; the error says what is wrong with which input.
Expected<std::string, std::string> MakeReport(const std::string& title, const std::vector<ReportInput>& inputs);

// Reads the inputs, writes the page. An empty text: done.
std::string WriteReport(const ReportTask& task);

}  // namespace ntsd::load
