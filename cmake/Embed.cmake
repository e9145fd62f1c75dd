# cmake -DINPUTS=a.js;b.js -DOUTPUT=script.cc -DNAME=kScript -P Embed.cmake
# Writes a C++ file that holds the inputs, one after the other, as a string.
set(hex "")
foreach(input IN LISTS INPUTS)
  file(READ ${input} part HEX)
  string(APPEND hex "${part}")
endforeach()
string(REGEX REPLACE "(................................)" "\\1\n" lines "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${lines}")
file(WRITE ${OUTPUT} "// Generated from ${NAME}'s source files; do not edit.
#include \"lowtide/report/assets.h\"

namespace lowtide::assets {
namespace {
constexpr unsigned char kBytes[] = {
${bytes}
};
}  // namespace
const std::string_view ${NAME}(reinterpret_cast<const char*>(kBytes), sizeof kBytes);
}  // namespace lowtide::assets
")
