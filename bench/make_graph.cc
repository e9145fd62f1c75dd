// build/test/bench/make_graph FAMILY FILE.json: a graph of bench/families.h, for the command line.
// Without arguments: the families.
#include <cstdio>

#include "families.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"

int main(int argc, char** argv) {
  using namespace lowtide;
  if (argc != 3) {
    std::fprintf(stderr, "usage: make_graph FAMILY:NODES[:VARIANT] FILE.json\n");
    for (const bench::Family& family : bench::families())
      std::fprintf(stderr, "  %-14s %s\n", family.name, family.summary);
    return 2;
  }
  try {
    save_graph(bench::make_family(argv[1]), argv[2]);
    return 0;
  } catch (const InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
