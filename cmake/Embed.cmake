# cmake -DINPUT=page.html -DOUTPUT=page.cc -DNAME=kReportPage -P Embed.cmake
# Writes a C++ file that holds the input as a string.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" lines "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${lines}")
file(WRITE ${OUTPUT} "// Generated from ${NAME}'s source file; do not edit.
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
