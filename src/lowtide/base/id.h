// Strong 32-bit ids: a NodeId cannot be passed where a TensorId is meant, and a vector indexed by
// one cannot be indexed by the other (id_vector.h).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace lowtide {

template <class Tag>
class Id {
 public:
  static constexpr std::uint32_t kNoneValue = std::numeric_limits<std::uint32_t>::max();

  constexpr Id() = default;  // none()
  constexpr explicit Id(std::size_t index) : value_(static_cast<std::uint32_t>(index)) {}

  static constexpr Id none() { return Id(); }
  constexpr bool is_none() const { return value_ == kNoneValue; }
  constexpr std::size_t index() const { return value_; }
  constexpr std::uint32_t value() const { return value_; }

  constexpr Id& operator++() {
    ++value_;
    return *this;
  }
  friend constexpr auto operator<=>(Id, Id) = default;

 private:
  std::uint32_t value_ = kNoneValue;
};

using NodeId = Id<struct NodeTag>;
using TensorId = Id<struct TensorTag>;
using BufferId = Id<struct BufferTag>;

// A position in a schedule, and a point in time of a lifetime.
using Step = std::int64_t;

// The ids 0 .. size-1, for range-based for.
template <class IdType>
class IdRange {
 public:
  class iterator {
   public:
    explicit iterator(IdType id) : id_(id) {}
    IdType operator*() const { return id_; }
    iterator& operator++() {
      ++id_;
      return *this;
    }
    bool operator!=(const iterator& other) const { return id_ != other.id_; }

   private:
    IdType id_;
  };

  explicit IdRange(std::size_t size) : size_(size) {}
  iterator begin() const { return iterator(IdType(0)); }
  iterator end() const { return iterator(IdType(size_)); }

 private:
  std::size_t size_;
};

}  // namespace lowtide

template <class Tag>
struct std::hash<lowtide::Id<Tag>> {
  std::size_t operator()(lowtide::Id<Tag> id) const noexcept { return id.value(); }
};
