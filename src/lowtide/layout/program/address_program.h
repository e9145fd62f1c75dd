// The paper's second program (its equations 9, for lifetimes that are known): addresses as
// integers, and for each pair of buffers that live together a binary that says which one is below.
//
//   minimise H    A_i + s_i <= H                                  (i)     H >= load
//                 A_i + s_i <= A_j + M (1 - below_ij)             (ij)    i below j ...
//                 A_j + s_j <= A_i + M below_ij                   (ji)    ... or j below i
//
// The paper has two binaries a pair, which may both be 0 where the lifetimes do not meet; here they
// do meet, so one is the other's complement. What makes it scale, each exact:
//
//   units        all numbers divided by their greatest common divisor; A_i need not be integral, as
//                with the binaries fixed the lowest solution is a sum of sizes (not where an
//                alignment is larger than the unit: then A_i = alignment x an integer)
//   parts        time is cut where no buffer lives; each part is a program of its own
//   tight M      from A_i <= C - s_i, where C is the height that is still of interest
//   sections     the buffers of a section are stacked: A_i >= the sizes of all that are below i in
//                it, and H >= A_i + s_i + the sizes of all above. Implied for binaries, but cuts
//                off most of what the relaxation of the big M allows
//   symmetry     of equal buffers the first is below; turning the arena over swaps below and above,
//                so one pair's binary is fixed
//
// Guarantee: the optimum of the model is the least height of the part, raised to the target, if
// that is at most C; otherwise the model is infeasible. Size: a binary a pair, two rows a pair, two
// rows for each section a buffer lives in.
//
// What pays (HiGHS, 3 s each, 8 random problems of 14 and of 18 buffers whose first fit leaves a
// gap): plain big M proves 5 and 5, with symmetry 7 and 5, with sections 8 and 8 in a third of the
// time. As a minimum none of them improves on first fit from 68 buffers on: layout/program/ilp asks
// instead.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lowtide/layout/search/instance.h"
#include "lowtide/mip/model.h"
#include "lowtide/model/shape_problem.h"

namespace lowtide {

struct AddressProgram {
  struct Pair {
    int below;  // buffers of the instance
    int above;
    mip::Column column;  // 1: `below` is below `above`; 0: the other way round
  };
  mip::Model model;
  mip::Column height;
  std::vector<mip::Column> offset;  // by buffer
  std::vector<Pair> pairs;
};

struct AddressOptions {
  bool section_rows = true;
  bool break_symmetry = true;
  // Pairs of buffers of which the first shall be below the second; they share a section.
  std::vector<std::pair<int, int>> known_below = {};
  // How variables and rows call a buffer, for who reads them.
  std::function<std::string(BufferId)> buffer_name = [](BufferId b) {
    return std::to_string(b.index());
  };
};

// Heights that matter, in units: none above `capacity`, and no difference below `target`.
struct Interest {
  Bytes target = 0;
  Bytes capacity = 0;
};

AddressProgram build_address_program(const Instance& instance, Interest heights,
                                     const AddressOptions& options = {});

// All parts under one height, for other solvers: the optimum is the problem's, in `unit` bytes, if
// it is at most `capacity` bytes. A shape of several parts is several buffers whose distance is
// fixed; options.buffer_name then names the parts, in the order of separate_parts.
struct WholeAddressProgram {
  mip::Model model;
  Bytes unit = 1;
};
WholeAddressProgram build_whole_address_program(const ShapeProblem& problem, Bytes capacity,
                                                AddressOptions options = {});

// The point of the model that a layout stands for, to start the solver from; empty if symmetry
// breaking excludes it.
std::vector<double> encode(const AddressProgram& program, const Instance& instance,
                           const std::vector<Bytes>& offsets);

// Offsets in units: each buffer as low as those that the solution puts below it allow. Exact
// integers, whatever the solver's tolerances did to the offsets. Empty if they let small buffers
// lie below themselves in a circle: 10^-6 of a large M is more than a unit.
std::vector<Bytes> decode(const AddressProgram& program, const Instance& instance,
                          const std::vector<double>& values);

}  // namespace lowtide
