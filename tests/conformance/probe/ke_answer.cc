#include "tests/conformance/probe/ke_answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/conformance/probe/text.h"

namespace ntsd::conformance {
namespace {

std::vector<std::uint16_t> NumbersOf(ByteView body) {
  std::vector<std::uint16_t> numbers;
  ByteReader reader(body);
  // Ends: two octets are used up each turn.
  while (reader.remaining() >= 2) numbers.push_back(reader.ReadU16());
  return numbers;
}

std::string NumberList(ByteView body) { return fmt::format("[{}]", fmt::join(NumbersOf(body), ", ")); }

std::string DescribeRecord(const KeAnswerRecord& record) {
  switch (record.type) {
    case KeRecordType::kEndOfMessage:
      return "End of Message";
    case KeRecordType::kNextProtocol:
      return "Next Protocol " + NumberList(record.body);
    case KeRecordType::kError:
      return "Error " + NumberList(record.body);
    case KeRecordType::kWarning:
      return "Warning " + NumberList(record.body);
    case KeRecordType::kAeadAlgorithm:
      return "AEAD " + NumberList(record.body);
    case KeRecordType::kNewCookie:
      return "a cookie";
    case KeRecordType::kServer:
      return "Server \"" + Printable(record.body) + "\"";
    case KeRecordType::kPort:
      return "Port " + NumberList(record.body);
    case KeRecordType::kCompliantGcmSivContext:
      return "record 1024";
    default:
      return fmt::format("record {} of {} octets", static_cast<unsigned>(record.type), record.body.size());
  }
}

}  // namespace

KeAnswerView KeAnswerView::Parse(ByteView octets) {
  KeAnswerView view;
  KeRecordReader reader(octets);
  std::size_t whole_size = 0;
  // Ends: every record uses up at least four octets.
  while (const std::optional<KeRecord> record = reader.Next()) {
    view.records.push_back({record->critical, record->type, {record->body.begin(), record->body.end()}});
    whole_size += kKeRecordHeaderSize + record->body.size();
  }
  view.rest_size = octets.size() - whole_size;
  return view;
}

std::size_t KeAnswerView::Count(KeRecordType type) const {
  return static_cast<std::size_t>(
      std::count_if(records.begin(), records.end(), [&](const auto& record) { return record.type == type; }));
}

const KeAnswerRecord* KeAnswerView::Find(KeRecordType type) const {
  const auto found =
      std::find_if(records.begin(), records.end(), [&](const auto& record) { return record.type == type; });
  return found == records.end() ? nullptr : &*found;
}

std::vector<Octets> KeAnswerView::Cookies() const {
  std::vector<Octets> cookies;
  for (const KeAnswerRecord& record : records) {
    if (record.type == KeRecordType::kNewCookie) cookies.push_back(record.body);
  }
  return cookies;
}

std::vector<std::uint16_t> KeAnswerView::Numbers(KeRecordType type) const {
  const KeAnswerRecord* const record = Find(type);
  return record == nullptr ? std::vector<std::uint16_t>() : NumbersOf(record->body);
}

bool KeAnswerView::IsFramed() const {
  if (rest_size != 0 || records.empty() || Count(KeRecordType::kEndOfMessage) != 1) return false;
  const KeAnswerRecord& last = records.back();
  return last.type == KeRecordType::kEndOfMessage && last.critical && last.body.empty();
}

bool KeAnswerView::IsAnyError() const {
  return IsFramed() && records.size() == 2 && records.front().type == KeRecordType::kError &&
         records.front().critical && records.front().body.size() == 2;
}

bool KeAnswerView::IsError(KeErrorCode code) const {
  return IsAnyError() && Numbers(KeRecordType::kError).front() == static_cast<std::uint16_t>(code);
}

bool KeAnswerView::IsGrant(std::optional<std::uint16_t> aead) const {
  const std::vector<std::uint16_t> aeads = Numbers(KeRecordType::kAeadAlgorithm);
  return IsFramed() && Count(KeRecordType::kError) == 0 &&
         Numbers(KeRecordType::kNextProtocol) == std::vector<std::uint16_t>{kKeProtocolNtpv4} && aeads.size() == 1 &&
         (!aead || aeads.front() == *aead) && Count(KeRecordType::kNewCookie) > 0;
}

std::string Describe(const KeAnswerView& answer) {
  std::vector<std::string> words;
  std::size_t cookie_count = 0;
  std::size_t cookie_size = 0;
  for (const KeAnswerRecord& record : answer.records) {
    if (record.type == KeRecordType::kNewCookie) {
      ++cookie_count;
      cookie_size = std::max(cookie_size, record.body.size());
    } else if (words.size() < 16) {
      words.push_back(DescribeRecord(record));
    }
  }
  if (cookie_count > 0)
    words.push_back(fmt::format("{} of up to {} octets", Count(cookie_count, "cookie"), cookie_size));
  if (answer.rest_size > 0) words.push_back(Count(answer.rest_size, "octet") + " that are no whole record");
  return words.empty() ? "no records" : fmt::format("{}", fmt::join(words, ", "));
}

KeRequest& KeRequest::Record(bool critical, std::uint16_t type, ByteView body) {
  const std::size_t size = octets_.size();
  octets_.resize(size + kKeRecordHeaderSize + body.size());
  ByteWriter writer(ByteSpan(octets_).subspan(size));
  WriteKeRecord(writer, critical, static_cast<KeRecordType>(type), body);
  return *this;
}

KeRequest& KeRequest::Numbers(bool critical, KeRecordType type, const std::vector<std::uint16_t>& numbers) {
  Octets body(2 * numbers.size());
  ByteWriter writer(body);
  for (const std::uint16_t number : numbers) writer.WriteU16(number);
  return Record(critical, static_cast<std::uint16_t>(type), body);
}

KeRequest& KeRequest::Text(bool critical, KeRecordType type, std::string_view text) {
  return Record(critical, static_cast<std::uint16_t>(type),
                ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

Octets KeRequest::End() const {
  KeRequest whole = *this;
  whole.Flag(true, KeRecordType::kEndOfMessage);
  return whole.octets_;
}

KeRequest Offer(const std::vector<std::uint16_t>& aeads) {
  return KeRequest().Protocols({kKeProtocolNtpv4}).Aeads(aeads);
}

}  // namespace ntsd::conformance
