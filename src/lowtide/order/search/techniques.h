// Which of its techniques the exact order uses: all of them, unless somebody wants to know what one
// is worth. bench/order switches off each in turn; the tests hold the rest right without it.
#pragma once

#include <array>

namespace lowtide {

struct Techniques {
  bool contraction = true;  // order/search/contract
  bool sets = true;         // analysis/set_bound
  bool follow = true;       // order/search/follow: better incumbents from both ends
  bool free_moves = true;   // order/search/budget_search
  bool commits = true;
  bool dead_table = true;
  bool backward = true;     // search from the end as well
  bool division = true;     // order/search/fits
  bool propagation = true;  // order/search/propagate
  bool symmetry = true;     // order/search/symmetry
  bool branching = true;    // order/search/branch
  bool windows = true;      // order/search/windows
};

struct Technique {
  const char* name;
  bool Techniques::*used;
};

inline constexpr std::array kTechniques = {
    Technique{"contraction", &Techniques::contraction},
    Technique{"sets", &Techniques::sets},
    Technique{"follow", &Techniques::follow},
    Technique{"free moves", &Techniques::free_moves},
    Technique{"commits", &Techniques::commits},
    Technique{"dead table", &Techniques::dead_table},
    Technique{"backward", &Techniques::backward},
    Technique{"division", &Techniques::division},
    Technique{"propagation", &Techniques::propagation},
    Technique{"symmetry", &Techniques::symmetry},
    Technique{"branching", &Techniques::branching},
    Technique{"windows", &Techniques::windows},
};

inline Techniques all_but(const Technique& technique) {
  Techniques use;
  use.*technique.used = false;
  return use;
}

}  // namespace lowtide
