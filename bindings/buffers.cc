#include "buffers.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>

#include "convert.h"
#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"
#include "lowtide/model/request_faults.h"

namespace nb = nanobind;

namespace lowtide::python {
namespace {

// Numbers of an array are copied out of it: those of a packed record or of a buffer need not be
// aligned.
using Rows = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Column = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::device::cpu>;

std::string name_of(std::size_t index) { return "buffer " + std::to_string(index); }

bool is_sequence(nb::handle value) {
  return PySequence_Check(value.ptr()) != 0 && !PyUnicode_Check(value.ptr());
}

// The items of a sequence; `what` says what it should have been.
std::vector<nb::object> items_of(nb::handle value, const std::string& where, const char* what) {
  std::vector<nb::object> items;
  if (!is_sequence(value)) throw InputError(where, what);
  for (nb::handle item : value) items.push_back(nb::borrow(item));
  return items;
}

Buffer buffer_of_row(nb::handle row, std::size_t index, Bytes alignment) {
  const char* what = "must be (lower, upper, size) or (lower, upper, size, alignment)";
  const std::string where = name_of(index);
  const auto items = items_of(row, where, what);
  if (items.size() != 3 && items.size() != 4) throw InputError(where, what);
  Buffer buffer{
      .lifetime = {to_bytes(items[0], where + ": lower"), to_bytes(items[1], where + ": upper")},
      .size = to_bytes(items[2], where + ": size"),
      .alignment = alignment};
  if (items.size() == 4) buffer.alignment = to_bytes(items[3], where + ": alignment");
  return buffer;
}

void read_rows(nb::handle rows, Bytes alignment, Buffers* buffers) {
  for (nb::handle row : rows) {
    auto& of_problem = buffers->request.problem.buffers;
    of_problem.push_back(buffer_of_row(row, of_problem.size(), alignment));
  }
}

void read_array(const Rows& rows, Bytes alignment, Buffers* buffers) {
  const std::size_t width = rows.shape(1);
  buffers->request.problem.buffers.reserve(rows.shape(0));
  for (std::size_t i = 0; i < rows.shape(0); ++i) {
    std::array<Bytes, 4> row{};
    std::memcpy(row.data(), rows.data() + i * width, width * sizeof(Bytes));
    buffers->request.problem.buffers.push_back({.lifetime = {row[0], row[1]},
                                                .size = row[2],
                                                .alignment = width == 4 ? row[3] : alignment});
  }
}

// Columns by name, of equal lengths.
class ColumnReader {
 public:
  ColumnReader(nb::handle columns, const std::vector<std::string>& names, Bytes alignment)
      : columns_(columns), names_(names), alignment_(alignment) {}

  Buffers read() {
    for (const char* needed : {"lower", "upper", "size"})
      if (!has(needed)) throw InputError("buffers", "there is no column " + quote(needed));
    const nb::object lower = column("lower");
    const std::size_t count = nb::len(lower);
    Buffer plain;
    plain.alignment = alignment_;
    buffers().resize(count, plain);
    for (const std::string& name : names_) read_column(name, count);
    return std::move(result_);
  }

 private:
  using Set = std::function<void(BufferId, Bytes)>;

  IdVector<BufferId, Buffer>& buffers() { return result_.request.problem.buffers; }
  bool has(const std::string& name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }
  nb::object column(const std::string& name) const { return columns_[nb::str(name.c_str())]; }

  void read_column(const std::string& name, std::size_t count) {
    const nb::object cells = column(name);
    if (nb::len(cells) != count)
      throw InputError("buffers", "column " + quote(name) + " has " +
                                      std::to_string(nb::len(cells)) + " entries, lower " +
                                      std::to_string(count));
    if (name == "lower")
      numbers(name, cells, [&](BufferId b, Bytes v) { buffers()[b].lifetime.lower = v; });
    if (name == "upper")
      numbers(name, cells, [&](BufferId b, Bytes v) { buffers()[b].lifetime.upper = v; });
    if (name == "size") numbers(name, cells, [&](BufferId b, Bytes v) { buffers()[b].size = v; });
    if (name == "alignment")
      numbers(name, cells, [&](BufferId b, Bytes v) { buffers()[b].alignment = v; });
    if (name == "offset")
      numbers(name, cells, [&](BufferId b, Bytes v) { buffers()[b].fixed_offset = v; });
    if (name == "hint")
      numbers(name, cells, [&](BufferId b, Bytes v) {
        if (v >= 0) result_.request.hints.push_back({b, v});
      });
    if (name == "gaps") each(cells, [&](BufferId b, nb::handle cell) { read_gaps(b, cell); });
    if (name == "banks") {
      result_.banks.resize(count);
      each(cells, [&](BufferId b, nb::handle cell) { read_banks(b, cell); });
    }
    if (name == "alias") read_ties(cells, Tie::kAlias);
    if (name == "may_reuse")
      each(cells, [&](BufferId b, nb::handle cell) { read_permissions(b, cell, count); });
    if (name == "adjacent") read_ties(cells, Tie::kAdjacent);
  }

  // None: as if there were no column.
  template <class Visit>
  void each(const nb::object& cells, const Visit& visit) {
    std::size_t i = 0;
    for (nb::handle cell : cells) {
      if (!cell.is_none()) visit(BufferId(i), cell);
      ++i;
    }
  }

  void numbers(const std::string& name, const nb::object& cells, const Set& set) {
    Column array;
    if (nb::try_cast(cells, array, false)) {
      for (std::size_t i = 0; i < array.shape(0); ++i) {
        Bytes value;
        std::memcpy(&value, array.data() + static_cast<std::int64_t>(i) * array.stride(0),
                    sizeof value);
        set(BufferId(i), value);
      }
      return;
    }
    const bool is_needed = name == "lower" || name == "upper" || name == "size";
    std::size_t i = 0;
    for (nb::handle cell : cells) {
      if (is_needed || !cell.is_none()) set(BufferId(i), to_bytes(cell, name_of(i) + ": " + name));
      ++i;
    }
  }

  void read_gaps(BufferId b, nb::handle cell) {
    const char* what = "gaps must be (lower, upper) or (lower, upper, window_lower, window_upper)";
    const std::string where = name_of(b.index());
    for (const nb::object& item : items_of(cell, where, what)) {
      std::vector<Bytes> numbers;
      for (const nb::object& number : items_of(item, where, what))
        numbers.push_back(to_bytes(number, where + ": gap"));
      if (numbers.size() != 2 && numbers.size() != 4) throw InputError(where, what);
      Gap gap{.buffer = b, .lifetime = {numbers[0], numbers[1]}};
      if (numbers.size() == 4) gap.window = Window{numbers[2], numbers[3]};
      result_.request.gaps.push_back(gap);
    }
  }

  // An index, or a list of them.
  void read_permissions(BufferId b, nb::handle cell, std::size_t count) {
    const std::string where = name_of(b.index()) + ": may_reuse";
    std::vector<nb::object> items = {nb::borrow(cell)};
    if (is_sequence(cell)) items = items_of(cell, where, "must be an index or a list of them");
    for (const nb::object& item : items) {
      const Bytes index = to_bytes(item, where);
      if (index < 0 || index >= static_cast<Bytes>(count))
        throw InputError(where, "there is no buffer " + std::to_string(index));
      result_.request.may_reuse.push_back({b, BufferId(static_cast<std::size_t>(index))});
    }
  }

  // Names, or one text of them as in the CSV.
  void read_banks(BufferId b, nb::handle cell) {
    const char* what = "banks must be a list of names, or names separated by spaces";
    nb::object names = nb::borrow(cell);
    if (PyUnicode_Check(cell.ptr())) names = names.attr("split")();
    for (const nb::object& item : items_of(names, name_of(b.index()), what)) {
      if (!PyUnicode_Check(item.ptr())) throw InputError(name_of(b.index()), what);
      result_.banks[b.index()].push_back(nb::cast<std::string>(item));
    }
  }

  // Each to the one before it in its group; a group is any name or number.
  void read_ties(const nb::object& cells, Tie::Kind kind) {
    std::map<std::string, BufferId> last;
    each(cells, [&](BufferId b, nb::handle cell) {
      const std::string group = nb::cast<std::string>(nb::str(cell));
      if (group.empty()) return;
      const auto [found, is_new] = last.try_emplace(group, b);
      if (!is_new) result_.request.ties.push_back({kind, found->second, b});
      found->second = b;
    });
  }

  nb::handle columns_;
  std::vector<std::string> names_;
  Bytes alignment_;
  Buffers result_;
};

// The names of columns; nothing if these are rows.
std::vector<std::string> column_names(nb::handle buffers) {
  nb::object names = nb::none();
  if (nb::hasattr(buffers, "dtype"))
    names = nb::getattr(buffers.attr("dtype"), "names", nb::none());
  else if (nb::hasattr(buffers, "keys"))
    names = buffers.attr("keys")();
  std::vector<std::string> columns;
  if (names.is_none()) return columns;
  for (nb::handle name : names) columns.push_back(nb::cast<std::string>(nb::str(name)));
  return columns;
}

void remark(const std::vector<std::string>& names, const Reading& reading) {
  static constexpr std::string_view kKnown[] = {"id",    "buffer",    "buffer_id", "lower", "upper",
                                                "size",  "alignment", "offset",    "hint",  "gaps",
                                                "alias", "adjacent",  "may_reuse", "banks"};
  Remarks remarks("buffers", reading);
  for (const std::string& name : names)
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown))
      remarks.unknown("", "column", name, kKnown);
  remarks.tell();
}

}  // namespace

Buffers to_buffers(nb::handle buffers, Bytes alignment, const Reading& reading) {
  Buffers result;
  Rows array;
  if (const auto names = column_names(buffers); !names.empty()) {
    remark(names, reading);
    result = ColumnReader(buffers, names, alignment).read();
  } else if (nb::try_cast(buffers, array, false) && (array.shape(1) == 3 || array.shape(1) == 4)) {
    read_array(array, alignment, &result);
  } else if (PyIter_Check(buffers.ptr()) || is_sequence(buffers)) {
    read_rows(buffers, alignment, &result);
  } else {
    throw InputError("buffers", "must be rows, an array of shape (n, 3) or (n, 4), or columns");
  }
  if (const auto fault = find_fault(result.request))
    throw InputError(name_of(fault->buffer.index()), fault->reason);
  return result;
}

}  // namespace lowtide::python
