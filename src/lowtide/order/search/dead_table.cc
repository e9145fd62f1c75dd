#include "lowtide/order/search/dead_table.h"

#include <algorithm>
#include <bit>

namespace lowtide {
namespace {

// What == of arrays does by a call of memcmp, a sixth of a search's time.
bool same(const SetHash& a, const SetHash& b) { return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0; }
bool is_empty(const SetHash& a) { return (a[0] | a[1]) == 0; }

}  // namespace

DeadTable::DeadTable(std::int64_t max_bytes)
    : max_slots_(std::bit_floor(static_cast<std::size_t>(std::max<std::int64_t>(
          max_bytes / static_cast<std::int64_t>(sizeof(SetHash)), kFirstSlots)))) {}

bool DeadTable::contains(SetHash hash) const {
  for (std::size_t i = 0; i < kProbes && !slots_.empty(); ++i)
    if (same(slots_[slot(hash, i)], hash)) return true;
  return false;
}

void DeadTable::insert(SetHash hash) {
  // Growing holds the old slots as well: stop at half the memory.
  if (used_ * 2 >= slots_.size() && slots_.size() * 2 <= max_slots_) grow();
  for (std::size_t i = 0; i < kProbes; ++i) {
    SetHash& at = slots_[slot(hash, i)];
    if (same(at, hash)) return;
    if (!is_empty(at)) continue;
    at = hash;
    ++used_;
    return;
  }
  slots_[slot(hash, hash[1] % kProbes)] = hash;
}

void DeadTable::grow() {
  std::vector<SetHash> old(std::max(kFirstSlots, slots_.size() * 2));
  old.swap(slots_);
  used_ = 0;
  for (const SetHash& hash : old)
    if (!is_empty(hash)) insert(hash);
}

}  // namespace lowtide
