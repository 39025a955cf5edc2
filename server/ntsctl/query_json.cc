#include <nlohmann/json.hpp>

#include "server/ntsctl/query_report.h"

namespace ntsd {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const KeQueryReport& ke) {
  return {{"peer", ke.peer},
          {"tls_version", ke.tls_version},
          {"cipher_suite", ke.cipher_suite},
          {"certificate",
           {{"subject", ke.certificate_subject},
            {"names", ke.certificate_names},
            {"issuer", ke.certificate_issuer},
            {"key", ke.certificate_key},
            {"ends_at", ke.certificate_ends_at},
            {"verified", ke.is_verified}}},
          {"aead", ke.aead},
          {"compliant_context", ke.has_compliant_context},
          {"cookies", ke.cookie_count},
          {"cookie_size", ke.cookie_size},
          {"ntp_server", ke.ntp_server},
          {"ntp_port", ke.ntp_port}};
}

Json ToJson(const SampleReport& sample) {
  Json json = {{"address", sample.address}, {"good", sample.problem.empty()}};
  if (!sample.problem.empty()) json["problem"] = sample.problem;
  json["authenticated"] = sample.is_authenticated;
  if (!sample.has_header) return json;
  json.update(Json{{"offset_s", sample.offset_s},
                   {"delay_s", sample.delay_s},
                   {"stratum", sample.stratum},
                   {"leap", LeapText(sample.leap)},
                   {"reference_id", ReferenceIdText(sample.stratum, sample.reference_id)},
                   {"root_delay_s", sample.root_delay_s},
                   {"root_dispersion_s", sample.root_dispersion_s},
                   {"root_distance_s", sample.RootDistance_s()},
                   {"new_cookies", sample.new_cookie_count}});
  return json;
}

}  // namespace

std::string QueryJson(const QueryReport& report) {
  Json json = {{"host", report.host}, {"good", report.IsGood()}, {"plain", report.is_plain}};
  if (!report.problem.empty()) json["problem"] = report.problem;
  if (report.ke) json["ke"] = ToJson(*report.ke);
  if (!report.notes.empty()) json["notes"] = report.notes;
  json["samples"] = Json::array();
  for (const SampleReport& sample : report.samples) json["samples"].push_back(ToJson(sample));
  // What a server sent may be no UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ntsd
