#include "lowtide/base/text.h"

#include <gtest/gtest.h>

#include <random>

#include "lowtide/graph/error.h"

namespace lowtide {
namespace {

TEST(Text, EscapesWhatATerminalActsOn) {
  EXPECT_EQ(escaped("plain, \"quoted\", back\\slash"), "plain, \"quoted\", back\\slash");
  EXPECT_EQ(escaped("é 漢 😀 ▁┤…"), "é 漢 😀 ▁┤…");
  EXPECT_EQ(escaped("\x1b[31m\x07\r\n\t\x7f"), "\\x1b[31m\\x07\\x0d\\x0a\\x09\\x7f");
  EXPECT_EQ(escaped(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(escaped("\u0080\u009b\u009f\u00a0"), "\\u0080\\u009b\\u009f\u00a0");
  EXPECT_EQ(escaped("\u061c\u200e\u200f\u2010"), "\\u061c\\u200e\\u200f\u2010");
  EXPECT_EQ(escaped("\u2027\u2028\u2029\u202a\u202e\u202f"),
            "\u2027\\u2028\\u2029\\u202a\\u202e\u202f");
  EXPECT_EQ(escaped("\u2065\u2066\u2069\u206a"), "\u2065\\u2066\\u2069\u206a");
  EXPECT_EQ(escaped("a\nb\x1b", LineBreaks::kKept), "a\nb\\x1b");
}

TEST(Text, EscapesWhatIsNoUtf8) {
  EXPECT_EQ(escaped("\x9b\xff"), "\\x9b\\xff");
  EXPECT_EQ(escaped("\xc2"), "\\xc2");
  EXPECT_EQ(escaped("\xc0\x9b"), "\\xc0\\x9b") << "overlong";
  EXPECT_EQ(escaped("\xe0\x82\x9b"), "\\xe0\\x82\\x9b") << "overlong";
  EXPECT_EQ(escaped("\xf0\x80\x82\x9b"), "\\xf0\\x80\\x82\\x9b") << "overlong";
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "above U+10FFFF";
}

TEST(Text, ASecondTimeChangesNothingAndNothingHarmfulIsLeft) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::uint64_t k = random() % 12; k > 0; --k) text += static_cast<char>(random() % 256);
    if (i % 2 == 0) text += "\u202e\xe2\x80";
    const std::string shown = escaped(text);
    EXPECT_EQ(escaped(shown), shown);
    for (const char c : shown) EXPECT_TRUE((c < 0 || c >= 0x20) && c != 0x7f);
    EXPECT_EQ(shown.find("\xe2\x80\xae"), std::string::npos);
  }
}

TEST(Text, QuotesShortenLongNames) {
  EXPECT_EQ(quote("a\x1b"), "'a\\x1b'");
  const std::string name = std::string(100, 'a') + "é" + std::string(100, 'b');
  EXPECT_EQ(quote(name), "'" + std::string(60, 'a') + "…" + std::string(60, 'b') + "'");
}

TEST(Text, AnErrorIsOneLineThatATerminalOnlyShows) {
  EXPECT_STREQ(InputError("a\nb\x1b", "is \u202e bad\xff").what(),
               "a\\x0ab\\x1b: is \\u202e bad\\xff");
}

}  // namespace
}  // namespace lowtide
