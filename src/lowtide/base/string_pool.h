// Many strings in one buffer: 8 bytes each beside their characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lowtide {

class StringPool {
 public:
  // Returns the index of the new string.
  std::uint32_t push_back(std::string_view text) {
    characters_.append(text);
    begin_.push_back(characters_.size());
    return static_cast<std::uint32_t>(begin_.size() - 2);
  }
  std::string_view operator[](std::size_t index) const {
    return std::string_view(characters_).substr(begin_[index], begin_[index + 1] - begin_[index]);
  }
  std::size_t size() const { return begin_.size() - 1; }

 private:
  std::string characters_;
  std::vector<std::uint64_t> begin_{0};
};

}  // namespace lowtide
