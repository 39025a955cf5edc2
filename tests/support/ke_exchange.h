// Requests and answers of NTS-KE in hexadecimal, as tables of tests write them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/nts/exchange.h"
#include "tests/support/hex.h"

namespace ntsd::testing {

inline constexpr char kToken[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

inline KePolicy FullPolicy() {
  KePolicy policy;
  policy.aeads = {AeadId::kAes128GcmSiv, AeadId::kAesSivCmac256, AeadId::kAesSivCmac512};
  return policy;
}

inline KePolicy PoolPolicy() {
  KePolicy policy = FullPolicy();
  policy.pool_tokens = {"another", kToken};
  policy.pool_server_names = {"a.example", "b.example"};
  return policy;
}

inline KeDecision Evaluate(const std::string& request_hex, const KePolicy& policy = FullPolicy(),
                           const KeConnection& connection = {}) {
  KeMessage message;
  message.Append(FromHex(request_hex));
  return EvaluateKeRequest(message, policy, connection);
}

// The response in hexadecimal, with cookies of four octets: 00000000, 01010101 …
inline std::string Respond(const KeDecision& decision, const KePolicy& policy = FullPolicy()) {
  std::vector<std::uint8_t> cookies;
  for (std::uint8_t i = 0; i < kKeCookieCount; ++i) cookies.insert(cookies.end(), 4, i);
  std::array<std::uint8_t, kKeResponseSizeMax> memory;
  ByteWriter writer(memory);
  EXPECT_TRUE(WriteKeResponse(decision, policy, cookies, writer));
  return ToHex(writer.written());
}

inline constexpr char kCookies[] =
    "0005000400000000"
    "0005000401010101"
    "0005000402020202"
    "0005000403030303"
    "0005000404040404"
    "0005000405050505"
    "0005000406060606"
    "0005000407070707";

inline std::string Answer(const std::string& request_hex, const KePolicy& policy = FullPolicy(),
                          const KeConnection& connection = {}) {
  return Respond(Evaluate(request_hex, policy, connection), policy);
}

inline const KeConnection kKeptAlive{{}, true, true};
inline const KeConnection kNoRoom{{}, false, false};

struct Row {
  const char* id;  // the requirement, and what is special about the request
  std::string request;
  std::string response;
};

inline void ExpectRows(const std::vector<Row>& rows, const KePolicy& policy = FullPolicy()) {
  for (const Row& row : rows) EXPECT_EQ(Answer(row.request, policy), row.response) << row.id;
}

inline const std::string kEnd = "80000000";
inline const std::string kNtpv4 = "800100020000";
inline const std::string kOffer15 = "80040002000f";
inline const std::string kError0 =
    "8002000200008000"
    "0000";
inline const std::string kError1 =
    "8002000200018000"
    "0000";
inline const std::string kError2 =
    "8002000200028000"
    "0000";
inline const std::string kGranted15 = kNtpv4 + kOffer15 + kCookies + kEnd;

}  // namespace ntsd::testing
