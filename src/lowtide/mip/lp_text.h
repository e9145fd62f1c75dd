// A program as text in the LP format (CPLEX's, which every solver reads), with the names of its
// variables and rows. Written here and not by HiGHS: it is a page of code, the same whatever HiGHS
// is linked, and there without HiGHS.
#pragma once

#include <string>

#include "lowtide/mip/model.h"

namespace lowtide::mip {

// `title` becomes a comment. Names may hold anything: what the format does not allow becomes '_',
// and of two names that are then the same the second gets a number.
std::string lp_text(const Model& model, const std::string& title);

}  // namespace lowtide::mip
