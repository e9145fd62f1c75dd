// One function a group of bound names; module.cc calls them in order of dependence.
#pragma once

#include <nanobind/nanobind.h>

namespace lowtide::python {

void bind_graph(nanobind::module_& module);
void bind_plan(nanobind::module_& module);
void bind_layout(nanobind::module_& module);
void bind_report(nanobind::module_& module);

}  // namespace lowtide::python
