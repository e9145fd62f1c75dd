// lowtide._core: translation between Python and the C++ library, nothing else.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"

NB_MODULE(_core, module) {
  module.doc() =
      "lowtide's C++ core. Sizes are in bytes, times in seconds unless a name says otherwise.";
  module.attr("VERSION") = LOWTIDE_VERSION;
  nanobind::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const lowtide::InputError& error) {
      PyErr_SetString(PyExc_ValueError, error.what());
    }
  });
  module.def(
      "escaped",
      [](nanobind::bytes text) {
        return lowtide::escaped({text.c_str(), text.size()});
      },
      nanobind::arg("text"), "`text` as a terminal only shows it: what it would act on, escaped.");
  lowtide::python::bind_graph(module);
  lowtide::python::bind_plan(module);
  lowtide::python::bind_layout(module);
  lowtide::python::bind_report(module);
}
