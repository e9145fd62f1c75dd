# Every outside library, with one clear line where one is missing.
find_package(Threads REQUIRED)

find_package(nlohmann_json 3.11 QUIET)
if(NOT nlohmann_json_FOUND)
  message(FATAL_ERROR "lowtide needs nlohmann-json 3.11 or newer (Debian: apt-get install nlohmann-json3-dev)")
endif()

if(LOWTIDE_BUILD_CLI)
  find_package(CLI11 2.1 QUIET)
  if(NOT CLI11_FOUND)
    message(FATAL_ERROR "lowtide's command line needs CLI11 2.1 or newer (Debian: apt-get install libcli11-dev)")
  endif()
endif()

if(LOWTIDE_WITH_HIGHS)
  include(cmake/Highs.cmake)
endif()
