#include "core/keys/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "core/keys/chrony_keys.h"
#include "core/keys/key_text.h"

namespace ntsd {
namespace {

constexpr std::string_view kMagic = "ntsd-keys ";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kRemark = "# Master keys of NTS cookies: keep secret. Written by ntsd; do not edit.";
constexpr std::string_view kSinceExpected = "\"current-since YYYY-MM-DDTHH:MM:SSZ\"";
constexpr std::string_view kKeyExpected =
    "\"key ID future|current|past AEAD CREATED KEY\" with 8 digits of id, AEAD 15 or 30 and a key of its size";
constexpr std::string_view kRevokedExpected = "\"revoked ID\" with 8 digits of id";
constexpr std::string_view kChecksumWord = "checksum ";
constexpr std::string_view kDigestExpected = "a checksum that fits the lines above: the file was cut or edited";

auto Error(KeyFileProblem problem, std::size_t line, std::string_view expected) {
  return Unexpected(KeyFileError{problem, line, std::string(expected)});
}

std::string_view StateWord(std::size_t index) {
  if (index < StoredRing::kFutureCount) return "future";
  return index == StoredRing::kFutureCount ? "current" : "past";
}

void AppendChecksum(SecretText& text) {
  Digest digest;
  digest.Add(ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  text += kChecksumWord;
  AppendHex(text, digest.Finish(), HexCase::kLower);
  text += '\n';
}

std::optional<MasterKey> ParseKeyLine(const Words& words, std::size_t index) {
  if (words.count != 6 || words.word[2] != StateWord(index)) return std::nullopt;
  const std::optional<KeyId> id = ParseKeyId(words.word[1]);
  const std::optional<AeadId> aead = ParseMasterAead(words.word[3]);
  const std::optional<UnixTime> created = ParseTime(words.word[4]);
  if (!id || !aead || !created) return std::nullopt;
  const auto key = ParseKeyOctets(words.word[5], *aead);
  if (!key) return std::nullopt;
  return MasterKey{*id, *aead, *key, *created};
}

// The lines between the first and the checksum, whose digest is right already.
Expected<StoredRing, KeyFileError> ParseLines(LineWalker& lines) {
  StoredRing ring;
  ring.keys.reserve(kKeysPerRingMax);
  lines.Next();  // the remark
  const Words since = SplitWords(lines.Next(), " ");
  const std::optional<UnixTime> current_since = ParseTime(since.word[1]);
  if (since.count != 2 || since.word[0] != "current-since" || !current_since) {
    return Error(KeyFileProblem::kBadLine, lines.number(), kSinceExpected);
  }
  ring.current_since = *current_since;
  // Ends: every turn takes a line.
  while (!lines.AtEnd()) {
    const Words words = SplitWords(lines.Next(), " ");
    if (words.word[0] == "key" && ring.revoked.empty()) {
      const std::optional<MasterKey> key = ParseKeyLine(words, ring.keys.size());
      if (!key) return Error(KeyFileProblem::kBadLine, lines.number(), kKeyExpected);
      if (ring.keys.size() == kKeysPerRingMax)
        return Error(KeyFileProblem::kBadRing, lines.number(), "at most 32 keys");
      ring.keys.push_back(*key);
    } else {
      const std::optional<KeyId> id = ParseKeyId(words.word[1]);
      if (words.count != 2 || words.word[0] != "revoked" || !id) {
        return Error(KeyFileProblem::kBadLine, lines.number(), kRevokedExpected);
      }
      ring.revoked.push_back(*id);
    }
  }
  if (const auto rule = BrokenRingRule(ring)) return Error(KeyFileProblem::kBadRing, 0, *rule);
  return ring;
}

std::size_t CountLines(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// The text in front of the checksum, when the checksum fits it.
Expected<std::string_view, KeyFileError> CheckDigest(std::string_view text) {
  constexpr std::size_t kLastLineSize = kChecksumWord.size() + 2 * Digest::kSize + 1;
  const std::string_view body = text.substr(0, text.size() - std::min(text.size(), kLastLineSize));
  SecretText expected(body);
  AppendChecksum(expected);
  if (body.empty() || body.back() != '\n' || std::string_view(expected) != text) {
    return Error(KeyFileProblem::kTorn, CountLines(body) + 1, kDigestExpected);
  }
  return body;
}

Expected<StoredRing, KeyFileError> ParseOwnFormat(std::string_view text) {
  LineWalker lines(text);
  const std::string_view version = lines.Next().substr(kMagic.size());
  // A newer version keeps the first line, and may change all that follows, the checksum included.
  if (!lines.AtEnd() && version != kVersion) {
    return Error(KeyFileProblem::kNewer, 1, "\"ntsd-keys 1\": this version of ntsd knows no other");
  }
  const Expected<std::string_view, KeyFileError> body = CheckDigest(text);
  if (!body) return Unexpected(body.error());
  LineWalker body_lines(*body);
  body_lines.Next();
  Expected<StoredRing, KeyFileError> ring = ParseLines(body_lines);
  // One ring has one text, so whatever else was let through, like other white space, is told here.
  if (ring && std::string_view(WriteKeyFile(*ring)) != text) {
    return Error(KeyFileProblem::kBadLine, 0, "the text that ntsd itself writes: single spaces, small letters");
  }
  return ring;
}

}  // namespace

std::string DescribeKeyFileError(const KeyFileError& error) {
  if (error.line == 0) return fmt::format("expected {}", error.expected);
  return fmt::format("line {}: expected {}", error.line, error.expected);
}

Expected<ParsedKeyFile, KeyFileError> ParseKeyFile(std::string_view text, UnixTime written) {
  if (text.size() > kKeyFileSizeMax) return Error(KeyFileProblem::kTooLarge, 0, "at most 128 KiB");
  if (text.empty()) return Error(KeyFileProblem::kTorn, 0, "keys, but the file is empty");
  if (text.starts_with(kMagic)) {
    Expected<StoredRing, KeyFileError> ring = ParseOwnFormat(text);
    if (!ring) return Unexpected(ring.error());
    return ParsedKeyFile{std::move(*ring), KeyFileFormat::kNtsd};
  }
  if (const std::optional<ChronyVersion> version = ChronyVersionOf(text)) {
    Expected<StoredRing, KeyFileError> ring = ParseChronyKeys(text, *version, written);
    if (!ring) return Unexpected(ring.error());
    return ParsedKeyFile{std::move(*ring), KeyFileFormat::kChrony};
  }
  return Error(KeyFileProblem::kForeign, 1, "\"ntsd-keys 1\", \"NKS0\" or \"NKS1\": this is no key file");
}

SecretText WriteKeyFile(const StoredRing& ring) {
  SecretText text;
  // At once, since growing would leave mappings behind it to be made and wiped. limits.h relates the sizes of lines.
  text.reserve(1024 + ring.keys.size() * 160 + ring.revoked.size() * 18);
  text.append(kMagic).append(kVersion).append("\n").append(kRemark).append("\ncurrent-since ");
  AppendTime(text, ring.current_since);
  text += '\n';
  for (std::size_t i = 0; i < ring.keys.size(); ++i) {
    const MasterKey& key = ring.keys[i];
    text += "key ";
    AppendKeyId(text, key.id, HexCase::kLower);
    text.append(" ").append(StateWord(i)).append(" ");
    fmt::format_to(std::back_inserter(text), "{} ", AeadNumber(key.aead));
    AppendTime(text, key.created);
    text += ' ';
    AppendHex(text, key.key.view(), HexCase::kLower);
    text += '\n';
  }
  for (const KeyId id : ring.revoked) {
    text += "revoked ";
    AppendKeyId(text, id, HexCase::kLower);
    text += '\n';
  }
  AppendChecksum(text);
  return text;
}

}  // namespace ntsd
