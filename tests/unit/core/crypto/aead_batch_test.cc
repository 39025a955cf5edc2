// Batches of mixed jobs: every backend against the portable one, message by message.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/crypto/aead.h"
#include "core/crypto/prepared_key.h"
#include "tests/support/fakes.h"
#include "tests/unit/core/crypto/guarded_memory.h"

namespace ntsd {
namespace {

using testing::FakeRandom;
using testing::GuardedMemory;
using Octets = std::vector<std::uint8_t>;

constexpr AeadId kAllAeads[] = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};
constexpr std::size_t kBatchSizeMax = 70;  // more than is sorted together
constexpr std::size_t kSegmentsPerCase = 7;

// How many random batches to try: few in an ordinary run, as many as NTSD_AEAD_BATCHES says in a long one.
std::uint64_t BatchCount() {
  const char* const wanted = std::getenv("NTSD_AEAD_BATCHES");
  return wanted == nullptr ? 150 : std::strtoull(wanted, nullptr, 10);
}

// One message, what it seals to, and the memory that its jobs work in.
struct Case {
  AeadId aead{};
  const PreparedKey* prepared = nullptr;
  ByteSpan key, associated_data, nonce;
  Octets plaintext, expected;
  ByteSpan text, sealed;  // in place: one inside the other

  AeadKey Key() const { return prepared == nullptr ? AeadKey{.raw = key.data()} : AeadKey{.prepared = prepared}; }
  SealJob Seal() const {
    return {.aead = aead,
            .key = Key(),
            .associated_data = associated_data,
            .nonce = nonce,
            .plaintext = text,
            .sealed = sealed.data()};
  }
  OpenJob Open() const {
    return {.aead = aead,
            .key = Key(),
            .associated_data = associated_data,
            .nonce = nonce,
            .sealed = sealed,
            .plaintext = text.data()};
  }
};

struct Shape {
  AeadId aead{};
  bool is_prepared;
  std::size_t data_size, nonce_size, text_size;
};

// What servers see, and everything else.
Shape RandomShape(FakeRandom& random) {
  static constexpr std::size_t kDataSizes[] = {0, 84, 152, 188, 292, 916};
  static constexpr std::size_t kTextSizes[] = {0, 32, 64, 104, 128, 208, 832};
  Shape shape{.aead = kAllAeads[random.Below(3)],
              .is_prepared = random.Below(3) == 0,
              .data_size = kDataSizes[random.Below(std::size(kDataSizes))],
              .nonce_size = 16,
              .text_size = kTextSizes[random.Below(std::size(kTextSizes))]};
  if (random.Below(4) == 0) shape.data_size = random.Below(100);
  if (random.Below(4) == 0) shape.text_size = random.Below(100);
  if (random.Below(6) == 0) shape.nonce_size = 1 + random.Below(50);
  if (shape.aead == AeadId::kAes128GcmSiv) shape.nonce_size = 12;
  return shape;
}

class AeadBatchTest : public ::testing::TestWithParam<const Aead*> {
 protected:
  AeadBatchTest() : memory_(kBatchSizeMax * kSegmentsPerCase) {
    FakeRandom random(99);
    for (const AeadId aead : kAllAeads) {
      for (int i = 0; i < 3; ++i) {
        Octets key(AeadKeySize(aead));
        random.Fill(key);
        prepared_.push_back(std::make_unique<PreparedKey>(aead, key));
      }
    }
  }

  ByteSpan RandomOctets(FakeRandom& random, std::size_t size) {
    const ByteSpan octets = memory_.Take(size, random.Below(4) != 0);
    random.Fill(octets);
    return octets;
  }

  Case MakeCase(FakeRandom& random, const Shape& shape) {
    Case c;
    c.aead = shape.aead;
    if (shape.is_prepared) {
      do {
        c.prepared = prepared_[random.Below(prepared_.size())].get();
      } while (c.prepared->aead() != shape.aead);
    } else {
      c.key = RandomOctets(random, AeadKeySize(shape.aead));
    }
    c.associated_data = RandomOctets(random, shape.data_size);
    c.nonce = RandomOctets(random, shape.nonce_size);
    const bool in_place = random.Below(2) == 0;
    c.sealed = RandomOctets(random, shape.text_size + kAeadTagSize);
    c.text = in_place ? c.sealed.subspan(AeadPlaintextOffset(shape.aead), shape.text_size)
                      : RandomOctets(random, shape.text_size);
    c.plaintext.assign(c.text.begin(), c.text.end());
    c.expected.resize(shape.text_size + kAeadTagSize);
    SealJob job = c.Seal();
    job.sealed = c.expected.data();
    SelectAead("portable")->Seal({&job, 1});
    return c;
  }

  // Seals and opens all cases as one batch, some of them with one bit flipped in between.
  void Expect(std::vector<Case>& cases, FakeRandom& random, std::uint64_t seed) {
    std::vector<SealJob> seals;
    for (const Case& c : cases) seals.push_back(c.Seal());
    GetParam()->Seal(seals);
    std::vector<OpenJob> opens;
    std::vector<bool> is_forged;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      Case& c = cases[i];
      ASSERT_EQ(Octets(c.sealed.begin(), c.sealed.end()), c.expected)
          << "seed " << seed << " case " << i << " of " << cases.size() << ": " << AeadName(c.aead)
          << (c.prepared ? " prepared" : " raw") << " data " << c.associated_data.size() << " nonce " << c.nonce.size()
          << " text " << c.plaintext.size();
      is_forged.push_back(random.Below(3) == 0);
      if (is_forged.back()) Flip(random, c);
      opens.push_back(c.Open());
    }
    GetParam()->Open(opens);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const Case& c = cases[i];
      ASSERT_EQ(opens[i].ok, !is_forged[i]) << "seed " << seed << " case " << i << " of " << cases.size();
      ASSERT_EQ(Octets(c.text.begin(), c.text.end()), is_forged[i] ? Octets(c.plaintext.size()) : c.plaintext)
          << "seed " << seed << " case " << i;
    }
  }

  static void Flip(FakeRandom& random, Case& c) {
    const ByteSpan fields[] = {c.sealed, c.nonce, c.associated_data};
    ByteSpan field = fields[random.Below(3)];
    if (field.empty()) field = c.sealed;
    field[random.Below(field.size())] ^= static_cast<std::uint8_t>(1U << random.Below(8));
  }

  GuardedMemory memory_;
  std::vector<std::unique_ptr<PreparedKey>> prepared_;
};

INSTANTIATE_TEST_SUITE_P(Backends, AeadBatchTest, ::testing::ValuesIn(AvailableAeads()),
                         [](const auto& backend) { return std::string(backend.param->Name()); });

// Batches of every size of one shape: groups of every width, with every number of idle lanes.
TEST_P(AeadBatchTest, FillsAnyNumberOfLanes) {
  FakeRandom random(11);
  for (const AeadId aead : kAllAeads) {
    const std::size_t nonce_size = AeadNonceSize(aead);
    for (const Shape& shape : {Shape{aead, true, 0, nonce_size, 64}, Shape{aead, false, 188, nonce_size, 0},
                               Shape{aead, false, 84, nonce_size, 104}}) {
      for (std::size_t size = 1; size <= 20; ++size) {
        memory_.Reset();
        std::vector<Case> cases;
        for (std::size_t i = 0; i < size; ++i) cases.push_back(MakeCase(random, shape));
        Expect(cases, random, 11);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Lanes of different lengths side by side, around every border of blocks.
TEST_P(AeadBatchTest, KeepsLanesOfDifferentSizesApart) {
  FakeRandom random(12);
  for (const AeadId aead : kAllAeads) {
    for (const bool is_prepared : {false, true}) {
      for (std::size_t base = 0; base <= 68; ++base) {
        memory_.Reset();
        std::vector<Case> cases;
        for (std::size_t i = 0; i < 19; ++i) {
          cases.push_back(MakeCase(
              random, {aead, is_prepared, random.Below(2) * (base + i), AeadNonceSize(aead), base + random.Below(20)}));
        }
        Expect(cases, random, 12);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(AeadBatchTest, TakesRandomMixtures) {
  const std::uint64_t batch_count = BatchCount();
  for (std::uint64_t seed = 1; seed <= batch_count; ++seed) {
    FakeRandom random(seed);
    memory_.Reset();
    const std::size_t size = 1 + random.Below(random.Below(4) == 0 ? kBatchSizeMax : 20);
    // A few shapes that repeat, as real traffic has it, or no two alike.
    std::vector<Shape> shapes;
    for (std::uint64_t i = 1 + random.Below(5); i > 0; --i) shapes.push_back(RandomShape(random));
    const bool is_wild = random.Below(3) == 0;
    std::vector<Case> cases;
    for (std::size_t i = 0; i < size; ++i) {
      cases.push_back(MakeCase(random, is_wild ? RandomShape(random) : shapes[random.Below(shapes.size())]));
    }
    Expect(cases, random, seed);
    if (HasFatalFailure()) return;
  }
}

// Jobs that can only fail do not disturb their neighbours.
TEST_P(AeadBatchTest, FailsMalformedJobsAmongOthers) {
  FakeRandom random(13);
  for (int round = 0; round < 50; ++round) {
    memory_.Reset();
    std::vector<Case> cases;
    std::vector<OpenJob> jobs;
    for (std::size_t i = 0; i < 20; ++i) {
      cases.push_back(MakeCase(random, RandomShape(random)));
      std::copy(cases[i].expected.begin(), cases[i].expected.end(), cases[i].sealed.begin());
      jobs.push_back(cases[i].Open());
      if (i % 5 == 1) jobs[i].nonce = {};
      if (i % 5 == 3) jobs[i].sealed = jobs[i].sealed.first(random.Below(kAeadTagSize));
    }
    GetParam()->Open(jobs);
    for (std::size_t i = 0; i < jobs.size(); ++i) EXPECT_EQ(jobs[i].ok, i % 5 != 1 && i % 5 != 3) << i;
  }
}

}  // namespace
}  // namespace ntsd
