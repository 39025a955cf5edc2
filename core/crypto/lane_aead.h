// An Aead that sorts the jobs of a batch into groups of one kind and like sizes for the kernels of an instruction set.
#pragma once

#include "core/crypto/backend.h"

namespace ntsd {

class LaneAead final : public Aead {
 public:
  explicit LaneAead(const LaneKernels& kernels) : kernels_(kernels) {}

  std::string_view Name() const override { return kernels_.name; }
  void Seal(std::span<SealJob> jobs) const override;
  void Open(std::span<OpenJob> jobs) const override;

 private:
  const LaneKernels& kernels_;
};

}  // namespace ntsd
