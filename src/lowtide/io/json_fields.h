// Typed access to one JSON object, with errors that name the element and the field.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lowtide/base/bytes.h"
#include "lowtide/graph/error.h"

namespace lowtide {

// For reading: objects are sorted maps, so that one of a million keys (a plan's offsets) costs n
// log n.
using Json = nlohmann::json;
// For writing: keys stay in the order they were set.
using OrderedJson = nlohmann::ordered_json;

class JsonFields {
 public:
  // `label`: what the object is, for errors, such as "tensor 'x'".
  JsonFields(const Json& object, std::string label);

  // A field that is absent or null gives the default; one of the wrong type throws InputError.
  bool has(const char* field) const { return find(field) != nullptr; }
  std::string text(const char* field, const std::string& fallback = "") const;
  bool flag(const char* field, bool fallback = false) const;
  double number(const char* field, double fallback = 0) const;
  Bytes bytes(const char* field, Bytes fallback = 0) const;
  std::vector<std::string> texts(const char* field) const;
  std::vector<std::pair<std::string, std::string>> text_pairs(const char* field) const;
  // null if it is absent or null.
  const Json* find(const char* field) const;
  // These must be there.
  const Json& required(const char* field) const;
  Bytes required_bytes(const char* field) const;
  std::string required_text(const char* field) const;
  const Json& required_list(const char* field) const;
  const Json& required_object(const char* field) const;

  const std::string& label() const { return label_; }

 private:
  [[noreturn]] void fail(const char* field, const std::string& wanted, const Json& found) const;

  const Json& object_;
  std::string label_;
};

// A whole number of bytes in [-2^63, 2^63) or InputError; the sign is the builder's to judge.
Bytes json_bytes(const Json& value, const std::string& where);

// A whole number outside of [-2^63, 2^63).
bool is_beyond_bytes(const Json& value);

// Throws InputError unless the document says `format` and version 1.
void check_format(const JsonFields& document, const std::string& format);

// `value` as JSON text, in ASCII: a terminal that it is printed to only shows it. Bytes that are
// not UTF-8 are replaced, never thrown at.
template <class AnyJson>
std::string json_text(const AnyJson& value) {
  return value.dump(-1, ' ', true, AnyJson::error_handler_t::replace);
}

// `text` in quotes, appended to `json`; as json_text of it, but made for millions of names.
void append_json_string(std::string_view text, std::string* json);

// As json_text, cut short for an error message.
std::string shown(const Json& value);

}  // namespace lowtide
