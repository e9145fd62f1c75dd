#include "convert.h"

#include "lowtide/graph/error.h"

namespace nb = nanobind;

namespace lowtide::python {

Bytes to_bytes(nb::handle value, const std::string& where) {
  const auto fail = [&](const char* reason) -> Bytes {
    PyErr_Clear();
    throw InputError(where, std::string(reason) + ", not " + nb::repr(value).c_str());
  };
  if (!PyIndex_Check(value.ptr())) return fail("must be a whole number");
  const nb::object index = nb::steal(PyNumber_Index(value.ptr()));
  if (!index.is_valid()) return fail("must be a whole number");
  int overflow = 0;
  const long long bytes = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  if (overflow != 0) return fail("must be below 2^63");
  return bytes;
}

std::string to_path(nb::handle value) {
  const nb::object encoded = nb::module_::import_("os").attr("fsencode")(value);
  const nb::bytes bytes = nb::cast<nb::bytes>(encoded);
  return {bytes.c_str(), bytes.size()};
}

void Warnings::issue() const {
  for (const std::string& line : lines_)
    if (PyErr_WarnEx(PyExc_UserWarning, line.c_str(), 1) != 0) throw nb::python_error();
}

}  // namespace lowtide::python
