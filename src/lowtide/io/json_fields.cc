#include "lowtide/io/json_fields.h"

#include <algorithm>
#include <cmath>

#include "lowtide/base/text.h"

namespace lowtide {

JsonFields::JsonFields(const Json& object, std::string label)
    : object_(object), label_(std::move(label)) {
  if (!object.is_object()) throw InputError(label_, "must be an object, not " + shown(object));
}

const Json* JsonFields::find(const char* field) const {
  const auto found = object_.find(field);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonFields::required(const char* field) const {
  const Json* value = find(field);
  if (value == nullptr) throw InputError(label_, std::string("has no ") + field);
  return *value;
}

void JsonFields::fail(const char* field, const std::string& wanted, const Json& found) const {
  throw InputError(label_, std::string(field) + " must be " + wanted + ", not " + shown(found));
}

std::string JsonFields::text(const char* field, const std::string& fallback) const {
  const Json* value = find(field);
  if (value == nullptr) return fallback;
  if (!value->is_string()) fail(field, "a string", *value);
  return value->get<std::string>();
}

bool JsonFields::flag(const char* field, bool fallback) const {
  const Json* value = find(field);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) fail(field, "true or false", *value);
  return value->get<bool>();
}

double JsonFields::number(const char* field, double fallback) const {
  const Json* value = find(field);
  if (value == nullptr) return fallback;
  if (!value->is_number()) fail(field, "a number", *value);
  return value->get<double>();
}

Bytes JsonFields::bytes(const char* field, Bytes fallback) const {
  const Json* value = find(field);
  return value == nullptr ? fallback : json_bytes(*value, label_ + ": " + field);
}

std::vector<std::string> JsonFields::texts(const char* field) const {
  std::vector<std::string> result;
  const Json* value = find(field);
  if (value == nullptr) return result;
  if (!value->is_array()) fail(field, "a list of names", *value);
  result.reserve(value->size());
  for (const Json& item : *value) {
    if (!item.is_string()) fail(field, "a list of names", item);
    result.push_back(item.get<std::string>());
  }
  return result;
}

std::vector<std::pair<std::string, std::string>> JsonFields::text_pairs(const char* field) const {
  std::vector<std::pair<std::string, std::string>> result;
  const Json* value = find(field);
  if (value == nullptr) return result;
  if (!value->is_object()) fail(field, "an object of names", *value);
  for (const auto& [key, item] : value->items()) {
    if (!item.is_string()) fail(field, "an object of names", item);
    result.emplace_back(key, item.get<std::string>());
  }
  return result;
}

Bytes JsonFields::required_bytes(const char* field) const {
  return json_bytes(required(field), label_ + ": " + field);
}

std::string JsonFields::required_text(const char* field) const {
  required(field);
  return text(field);
}

const Json& JsonFields::required_list(const char* field) const {
  const Json& value = required(field);
  if (!value.is_array()) fail(field, "a list", value);
  return value;
}

const Json& JsonFields::required_object(const char* field) const {
  const Json& value = required(field);
  if (!value.is_object()) fail(field, "an object", value);
  return value;
}

Bytes json_bytes(const Json& value, const std::string& where) {
  if (is_beyond_bytes(value) || !value.is_number_integer())
    throw InputError(where, "must be a whole number below 2^63, not " + shown(value));
  return value.get<Bytes>();
}

bool is_beyond_bytes(const Json& value) {
  constexpr double kBeyond = 0x1p63;
  if (value.is_number_unsigned())
    return value.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxBytes);
  // The parser reads whole numbers beyond 64 bits as floating point.
  return value.is_number_float() && std::abs(value.get<double>()) >= kBeyond;
}

void check_format(const JsonFields& document, const std::string& format) {
  const std::string found = document.required_text("format");
  if (found != format)
    throw InputError(document.label(), "format must be '" + format + "', not " + quote(found));
  const Bytes version = document.required_bytes("version");
  if (version != 1)
    throw InputError(document.label(), "version must be 1, not " + std::to_string(version));
}

void append_json_string(std::string_view text, std::string* json) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
  });
  if (is_plain)
    json->append(1, '"').append(text).append(1, '"');
  else
    *json += json_text(OrderedJson(text));
}

std::string shown(const Json& value) {
  constexpr std::size_t kLongest = 60;
  std::string text = json_text(value);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

}  // namespace lowtide
