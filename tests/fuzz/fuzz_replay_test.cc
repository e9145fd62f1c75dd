// Every file of tests/fuzz/corpus through its target, and some random changes of each.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "fuzz/targets.h"
#include "support/long_tests.h"

namespace lowtide {
namespace {

std::vector<std::string> corpus_of(const std::string& target) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(LOWTIDE_FUZZ_CORPUS "/" + target))
    paths.push_back(entry.path());
  std::ranges::sort(paths);
  std::vector<std::string> texts;
  for (const auto& path : paths) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    texts.push_back(text.str());
  }
  return texts;
}

// A few bytes replaced, doubled, dropped, or digits put in their place.
std::string changed(std::string text, std::mt19937_64* random) {
  const auto below = [&](std::size_t end) { return (*random)() % end; };
  for (std::size_t changes = 1 + below(4); changes > 0 && !text.empty(); --changes) {
    const std::size_t at = below(text.size()), count = std::min(1 + below(12), text.size() - at);
    switch (below(4)) {
      case 0: text[at] = static_cast<char>(below(256)); break;
      case 1: text.insert(at, text.substr(at, count)); break;
      case 2: text.erase(at, count); break;
      case 3: text.replace(at, 1, std::to_string((*random)() >> below(64))); break;
    }
  }
  return text;
}

class FuzzReplay : public ::testing::TestWithParam<fuzz::Target> {};

TEST_P(FuzzReplay, KeepsEveryPromise) {
  const std::vector<std::string> corpus = corpus_of(GetParam().name);
  ASSERT_FALSE(corpus.empty());
  std::mt19937_64 random(1);
  for (const std::string& text : corpus) GetParam().run(text);
  for (std::uint64_t i = 0; i < testing::cases(3000, 300'000); ++i)
    GetParam().run(changed(corpus[random() % corpus.size()], &random));
}

INSTANTIATE_TEST_SUITE_P(All, FuzzReplay,
                         ::testing::ValuesIn(fuzz::targets().begin(), fuzz::targets().end()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lowtide
