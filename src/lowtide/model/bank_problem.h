// Buffers in several memories: which goes where, and at which offset? Say a little SRAM and a lot
// of PSRAM: every bank has a size and a cost per byte, every buffer a set of banks it may live in,
// and the sum of size x cost over the buffers is to be least. Plain data; layout/banks solves it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lowtide/model/layout_request.h"

namespace lowtide {

struct Bank {
  static constexpr Bytes kMaxSize = kMaxBytes / 4;
  std::string name;
  Bytes size = kMaxSize;  // the default is as good as none
  Bytes cost_per_byte = 0;
};

using BankSet = std::uint64_t;  // bit k: bank k

struct BankProblem {
  static constexpr std::size_t kMaxBanks = 64;

  LayoutRequest request;  // its capacity means nothing; tied buffers go to one bank
  std::vector<Bank> banks;
  IdVector<BufferId, BankSet> allowed;

  BankSet all_banks() const {
    return banks.size() == kMaxBanks ? ~BankSet{0} : (BankSet{1} << banks.size()) - 1;
  }

  // Of one buffer in a bank. Aliases are charged each.
  Bytes cost(BufferId b, std::size_t bank) const {
    const Buffer& buffer = request.problem.buffers[b];
    return buffer.takes_room() ? buffer.size * banks[bank].cost_per_byte : 0;
  }
};

struct BankLayout {
  IdVector<BufferId, int> bank;
  IdVector<BufferId, Bytes> offsets;
  std::vector<Bytes> heights;  // by bank
  Bytes cost = 0;
};

}  // namespace lowtide
