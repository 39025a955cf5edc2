// The parts of a report: one section for each result, and what several results have in common.
//
// Threads: functions of their arguments. Errors: a field that is missing reads as zero or as nothing; a result made by
// another version still gives a page.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ntsd::load {

struct NamedResult {
  std::string name;
  const nlohmann::ordered_json* result = nullptr;
};

// Several results of a kind in one plot; empty when there are fewer than two.
std::string CompareSweeps(const std::vector<NamedResult>& results);
std::string CompareLatencies(const std::vector<NamedResult>& results);

std::string SectionOf(const NamedResult& result);

}  // namespace ntsd::load
