// Graphs as JSON, "format": "lowtide-graph", version 1 (docs/formats.md).
//
// Reading streams: each tensor and node is handed to the GraphBuilder as soon as its braces close
// and then forgotten (io/json_stream.h), so that a file of 100 MB costs itself plus the Graph, not
// a document tree.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/io/reading.h"

namespace lowtide {

// Throws InputError with the file, the element and the reason.
Graph load_graph(const std::string& path, const Reading& reading = {});

// `where` stands for the file in errors.
Graph parse_graph(const std::string& text, const std::string& where, const Reading& reading = {});

// JSON text, one tensor or node a line; parse_graph gives an equal Graph back.
std::string format_graph(const Graph& graph);

// Written to a temporary file and renamed.
void save_graph(const Graph& graph, const std::string& path);

}  // namespace lowtide
