#include "lowtide/io/json_stream.h"

#include <algorithm>

#include "lowtide/base/text.h"

namespace lowtide {
namespace {

// Deeper nesting than any real file: keeps the recursion of whoever reads meta off the stack's end.
constexpr std::size_t kMaxDepth = 500;

// "[json.exception.parse_error.101] parse error at ...": the tag says nothing to a user.
std::string without_tag(const std::string& message) {
  const std::size_t end = message.find("] ");
  return message.rfind("[json", 0) == 0 && end != std::string::npos ? message.substr(end + 2)
                                                                    : message;
}

bool holds(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// JSON text from the events of a parser, without blanks.
class JsonText {
 public:
  void open(char bracket) {
    separate();
    text_ += bracket;
    after_value_ = false;
  }
  void close(char bracket) {
    text_ += bracket;
    after_value_ = true;
  }
  void key(const std::string& name) {
    separate();
    text_ += json_text(Json(name)) + ":";
    after_value_ = false;
  }
  void value(const std::string& text) {
    separate();
    text_ += text;
    after_value_ = true;
  }
  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (after_value_) text_ += ',';
  }

  std::string text_;
  bool after_value_ = false;
};

// The parser's listener. `open_` are the structures that are being built: the document, in a list
// the element, and a field.
class DocumentReader : public nlohmann::json_sax<Json> {
 public:
  DocumentReader(const JsonSchema& schema, Remarks* remarks) : schema_(schema), remarks_(remarks) {
    known_.assign(schema.fields.begin(), schema.fields.end());
    if (!schema.text_field.empty()) known_.push_back(schema.text_field);
    for (const JsonList& list : schema.lists) known_.push_back(list.name);
  }

  Json take() { return std::move(document_); }

  bool null() override { return plain(nullptr, "null"); }
  bool boolean(bool value) override { return plain(value, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    return plain(value, std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return plain(value, std::to_string(value));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    return plain(value, text);
  }
  bool string(string_t& value) override {
    if (passing_ == Passing::kCopied) return plain(nullptr, json_text(Json(value)));
    return plain(std::move(value), "");
  }
  bool binary(binary_t&) override { return false; }  // not in JSON
  bool start_object(std::size_t) override { return start(Json::object(), '{'); }
  bool end_object() override { return end('}'); }
  bool start_array(std::size_t) override { return start(Json::array(), '['); }
  bool end_array() override { return end(']'); }

  bool key(string_t& name) override {
    if (passing_ == Passing::kCopied) copy_.key(name);
    if (passing_ != Passing::kNot) return true;
    if (open_.back()->contains(name)) fail(quote(name) + " stands twice");
    const bool is_field = open_.size() == record_depth();
    if (is_field) field_ = name;
    key_ = std::move(name);
    if (is_field && !holds(fields(), key_)) {
      remarks_->unknown(in_list_ ? label() : "", "field", key_, fields());
      passing_ = Passing::kSkipped;
    } else if (is_field && !in_list_ && key_ == schema_.text_field) {
      passing_ = Passing::kCopied;
    }
    return true;
  }

  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    constexpr int kFirstOutOfRange = 401;  // a number beyond double's range
    throw InputError("", (error.id >= kFirstOutOfRange ? "is not usable JSON: " : "is not JSON: ") +
                             without_tag(error.what()));
  }

 private:
  enum class Passing { kNot, kSkipped, kCopied };

  // How many structures are open within the object whose fields the schema names.
  std::size_t record_depth() const { return in_list_ ? 2 : 1; }
  std::span<const std::string_view> fields() const {
    return in_list_ ? list_->fields : std::span<const std::string_view>(known_);
  }
  std::string label() const {
    return in_list_ ? label_of(list_->element, element_, index_) : schema_.document;
  }
  [[noreturn]] void fail(const std::string& reason) const {
    const bool in_field = open_.size() > record_depth();
    throw InputError(label(), (in_field ? field_ + ": " : "") + reason);
  }
  bool at_document() const { return open_.size() == 1 && !in_list_; }

  bool plain(Json value, const std::string& text) {
    if (passing_ != Passing::kNot) {
      if (passing_ == Passing::kCopied) copy_.value(text);
      if (passed_depth_ == 0) stop_passing();
      return true;
    }
    if (at_document() && key_ == "format" && value != schema_.format)
      fail("format must be '" + std::string(schema_.format) + "', not " + shown(value));
    const Json& added = add(std::move(value));
    if (&added == &element_) finish_element();
    return true;
  }

  bool start(Json empty, char bracket) {
    if (open_.empty() && bracket != '{') fail("must be an object, not a list");
    if (++depth_ > kMaxDepth) throw InputError(schema_.document, "is nested too deeply");
    if (passing_ != Passing::kNot) {
      if (passing_ == Passing::kCopied) copy_.open(bracket);
      ++passed_depth_;
      return true;
    }
    const bool is_list = at_document() && find_list(key_) != nullptr;
    if (is_list && bracket != '[') fail(key_ + " must be a list");
    if (open_.size() > record_depth()) fail("must hold no lists and objects");
    Json* const added = &add(std::move(empty));
    if (!is_list) return open_.push_back(added), true;
    list_ = find_list(key_);
    in_list_ = true;
    index_ = 0;
    return true;
  }

  bool end(char bracket) {
    --depth_;
    if (passing_ != Passing::kNot) {
      if (passing_ == Passing::kCopied) copy_.close(bracket);
      if (--passed_depth_ == 0) stop_passing();
      return true;
    }
    if (in_list_ && open_.size() == 1) return in_list_ = false, true;
    const bool is_element = open_.back() == &element_;
    open_.pop_back();
    if (is_element) finish_element();
    return true;
  }

  void finish_element() { list_->add(element_, index_++); }

  void stop_passing() {
    if (passing_ == Passing::kCopied) (*open_.back())[key_] = copy_.take();
    passing_ = Passing::kNot;
  }

  const JsonList* find_list(std::string_view name) const {
    const auto found = std::find_if(schema_.lists.begin(), schema_.lists.end(),
                                    [&](const JsonList& list) { return list.name == name; });
    return found == schema_.lists.end() ? nullptr : &*found;
  }

  // Into the structure that is open.
  Json& add(Json value) {
    if (open_.empty()) return document_ = std::move(value);
    if (in_list_ && open_.size() == 1) return element_ = std::move(value);
    Json& parent = *open_.back();
    if (!parent.is_array()) return parent[key_] = std::move(value);
    parent.push_back(std::move(value));
    return parent.back();
  }

  const JsonSchema& schema_;
  Remarks* remarks_;
  std::vector<std::string_view> known_;
  Json document_;
  Json element_;
  std::vector<Json*> open_;
  std::size_t depth_ = 0;
  std::string key_;
  std::string field_;
  const JsonList* list_ = nullptr;
  bool in_list_ = false;
  std::size_t index_ = 0;
  Passing passing_ = Passing::kNot;
  std::size_t passed_depth_ = 0;
  JsonText copy_;
};

}  // namespace

std::string label_of(const char* what, const Json& object, std::size_t index) {
  if (object.is_object()) {
    const auto name = object.find("name");
    if (name != object.end() && name->is_string())
      return std::string(what) + " " + quote(name->get_ref<const std::string&>());
  }
  return std::string(what) + " " + std::to_string(index);
}

Json read_json(const std::string& text, const std::string& where, const JsonSchema& schema,
               Remarks* remarks) {
  DocumentReader reader(schema, remarks);
  try {
    Json::sax_parse(text, &reader);
  } catch (const InputError& error) {
    const std::string what = error.what();
    throw what.rfind(where + ": ", 0) == 0 ? error : InputError(where, what);
  }
  return reader.take();
}

}  // namespace lowtide
