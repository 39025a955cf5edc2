#include "core/keys/chrony_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "core/keys/key_text.h"

namespace ntsd {
namespace {

constexpr std::size_t kChronyKeyCount = 4;
constexpr std::size_t kChronyPastCount = 2;
// chrony splits at what isspace() knows.
constexpr std::string_view kWhiteSpace = " \t\r\v\f";
// Thirty years: older than any key, and far from where times overflow.
constexpr double kAgeMax_s = 1e9;

auto Error(KeyFileProblem problem, std::size_t line, std::string_view expected) {
  return Unexpected(KeyFileError{problem, line, std::string(expected)});
}

// A decimal number with or without a fraction; a negative age is none.
std::optional<Duration> ParseAge(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point < text.size() ? text.substr(point + 1) : std::string_view("0");
  const std::optional<std::uint32_t> seconds = ParseDecimal(whole);
  // chrony writes one decimal; more than nine do not fit the number.
  const std::optional<std::uint32_t> decimals = fraction.size() > 9 ? std::nullopt : ParseDecimal(fraction);
  if (!seconds || !decimals || *seconds > kAgeMax_s) return std::nullopt;
  return negative ? Duration::zero() : std::chrono::seconds(*seconds);
}

struct Header {
  Duration age{};
  std::optional<AeadId> aead;  // NKS0: of all keys
};

std::optional<Header> ParseHeader(const Words& words, ChronyVersion version) {
  const bool one_aead = version == ChronyVersion::kNks0;
  if (words.count != (one_aead ? 2U : 1U)) return std::nullopt;
  Header header;
  if (one_aead) {
    header.aead = ParseMasterAead(words.word[0]);
    if (!header.aead) return std::nullopt;
  }
  const std::optional<Duration> age = ParseAge(words.word[one_aead ? 1 : 0]);
  if (!age) return std::nullopt;
  header.age = *age;
  return header;
}

std::optional<MasterKey> ParseKeyLine(const Words& words, const Header& header, UnixTime created) {
  if (words.count != (header.aead ? 2U : 3U)) return std::nullopt;
  const std::optional<KeyId> id = ParseKeyId(words.word[0]);
  const std::optional<AeadId> aead = header.aead ? header.aead : ParseMasterAead(words.word[2]);
  if (!id || !aead) return std::nullopt;
  const auto key = ParseKeyOctets(words.word[1], *aead);
  if (!key) return std::nullopt;
  return MasterKey{*id, *aead, *key, created};
}

std::string_view HeaderExpected(ChronyVersion version) {
  return version == ChronyVersion::kNks0 ? "AEAD 15 or 30 and the current key's age in seconds"
                                         : "the current key's age in seconds";
}

std::string_view KeyExpected(ChronyVersion version) {
  return version == ChronyVersion::kNks0 ? "\"ID KEY\" in hexadecimal digits, the key of the AEAD's size"
                                         : "\"ID KEY AEAD\" with AEAD 15 or 30 and a key of its size";
}

// The four keys as chrony stores them, oldest first, each found by the low bits of its id: two past ones, current,
// future.
struct ChronyPlaces {
  std::array<const MasterKey*, kChronyPastCount> past{};  // nullptr: no key of ours belongs there
  std::vector<KeyId> left_out;
};

ChronyPlaces PlacePastKeys(const StoredRing& ring) {
  ChronyPlaces places;
  const KeyId current = ring.current().id;
  for (const MasterKey& key : ring.past()) {
    // One before the current key is the younger of both places. Newest first, so the first that fits is the newest.
    const KeyId before = (current - key.id) % kChronySlotCount;
    const bool has_place = before == 1 || before == 2;
    if (has_place && places.past[kChronyPastCount - before] == nullptr) {
      places.past[kChronyPastCount - before] = &key;
    } else {
      places.left_out.push_back(key.id);
    }
  }
  return places;
}

MasterKey MakeFiller(const StoredRing& ring, std::size_t place, AeadId aead, Random& random) {
  const auto before = static_cast<KeyId>(kChronyPastCount - place);
  MasterKey filler;
  filler.aead = aead;
  // Somewhere among all ids with the right low bits. Ends: few ids are taken.
  auto id = static_cast<KeyId>(random.NextU64()) / kChronySlotCount * kChronySlotCount +
            (ring.current().id - before) % kChronySlotCount;
  while (ring.Find(id) != nullptr || ring.IsRevoked(id)) id += kChronySlotCount;
  filler.id = id;
  random.Fill(filler.key.Resize(AeadKeySize(aead)));
  return filler;
}

}  // namespace

std::optional<ChronyVersion> ChronyVersionOf(std::string_view text) {
  const std::string_view first = LineWalker(text).Next();
  if (first == "NKS0") return ChronyVersion::kNks0;
  if (first == "NKS1") return ChronyVersion::kNks1;
  return std::nullopt;
}

Expected<StoredRing, KeyFileError> ParseChronyKeys(std::string_view text, ChronyVersion version, UnixTime written) {
  LineWalker lines(text);
  lines.Next();
  if (lines.AtEnd()) return Error(KeyFileProblem::kTorn, 2, HeaderExpected(version));
  const std::optional<Header> header = ParseHeader(SplitWords(lines.Next(), kWhiteSpace), version);
  if (!header) return Error(KeyFileProblem::kBadLine, lines.number(), HeaderExpected(version));

  StoredRing ring;
  ring.keys.reserve(kKeysPerRingMax);
  ring.current_since = std::chrono::floor<std::chrono::seconds>(written - header->age);
  for (std::size_t i = 0; i < kChronyKeyCount; ++i) {
    if (lines.AtEnd()) return Error(KeyFileProblem::kTorn, lines.number() + 1, KeyExpected(version));
    const std::optional<MasterKey> key =
        ParseKeyLine(SplitWords(lines.Next(), kWhiteSpace), *header, ring.current_since);
    if (!key) return Error(KeyFileProblem::kBadLine, lines.number(), KeyExpected(version));
    if (i > 0 && !FollowsInChrony(ring.keys.front().id, key->id)) {
      return Error(KeyFileProblem::kBadRing, lines.number(), "an id that follows the one above modulo 4");
    }
    ring.keys.insert(ring.keys.begin(), *key);
  }
  while (!lines.AtEnd()) {
    if (SplitWords(lines.Next(), kWhiteSpace).count != 0) {
      return Error(KeyFileProblem::kBadLine, lines.number(), "the end of the file after four keys");
    }
  }
  return ring;
}

ChronyExport WriteChronyKeys(const StoredRing& ring, Duration age, Random& random) {
  ChronyPlaces places = PlacePastKeys(ring);
  const AeadId filler_aead = ring.current().aead;
  ChronyExport result;
  result.left_out = std::move(places.left_out);

  MasterKeys keys;
  keys.reserve(kChronyKeyCount);
  for (std::size_t place = 0; place < kChronyPastCount; ++place) {
    const MasterKey* const key = places.past[place];
    keys.push_back(key != nullptr ? *key : MakeFiller(ring, place, filler_aead, random));
    if (key == nullptr) ++result.filled_up;
  }
  keys.push_back(ring.current());
  keys.push_back(ring.future());

  const auto has_aead_15 = [](const MasterKey& key) { return key.aead == AeadId::kAesSivCmac256; };
  const bool nks0 = std::all_of(keys.begin(), keys.end(), has_aead_15);
  result.needs_chrony_4_6 = !nks0;
  const auto tenths = std::max<std::int64_t>(0, age / std::chrono::milliseconds(100));

  result.text.reserve(1024);
  fmt::format_to(std::back_inserter(result.text), "{}{}.{}\n", nks0 ? "NKS0\n15 " : "NKS1\n", tenths / 10, tenths % 10);
  for (const MasterKey& key : keys) {
    AppendKeyId(result.text, key.id, HexCase::kUpper);
    result.text += ' ';
    AppendHex(result.text, key.key.view(), HexCase::kUpper);
    if (!nks0) fmt::format_to(std::back_inserter(result.text), " {}", AeadNumber(key.aead));
    result.text += '\n';
  }
  return result;
}

}  // namespace ntsd
