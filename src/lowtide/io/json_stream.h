// JSON documents read as they stream by, by a schema. Linear in the length of the text, whatever
// it holds: of fields that nobody knows nothing is kept, and what is deeper than any field has is
// refused at once. A field that stands twice is an error: which of the two is meant?
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lowtide/io/json_fields.h"
#include "lowtide/io/reading.h"

namespace lowtide {

// A field of the document that lists elements (objects): each is handed over once its braces close,
// and forgotten.
struct JsonList {
  std::string_view name;  // "tensors"
  const char* element;    // "tensor"
  std::span<const std::string_view> fields;
  std::function<void(const Json& element, std::size_t index)> add;
};

struct JsonSchema {
  const char* document;  // "graph"
  const char* format;    // "lowtide-graph"
  // Kept: plain values, and lists and objects of plain values.
  std::span<const std::string_view> fields;
  // Any value at all, kept as the JSON text of it, in ASCII; "": there is none.
  std::string_view text_field;
  std::span<const JsonList> lists;
};

// "tensor 'x'", or "tensor 7" where the name is missing.
std::string label_of(const char* what, const Json& object, std::size_t index);

// The document without the elements of its lists (which are empty in it) and without what the
// schema does not know. `where` stands for the file in every error.
Json read_json(const std::string& text, const std::string& where, const JsonSchema& schema,
               Remarks* remarks);

}  // namespace lowtide
