# `cmake --install` gives the library, its headers, the command line and find_package(lowtide).
include(CMakePackageConfigHelpers)

install(TARGETS lowtide EXPORT lowtide-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
# The parts that need no other library to include: all but what only lowtide itself uses.
install(DIRECTORY src/lowtide DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h"
  PATTERN "cli" EXCLUDE PATTERN "json_fields.h" EXCLUDE PATTERN "json_stream.h" EXCLUDE
  PATTERN "assets" EXCLUDE)
install(EXPORT lowtide-targets NAMESPACE lowtide:: COMPONENT development
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lowtide)
if(TARGET lowtide_cli AND NOT SKBUILD)
  install(TARGETS lowtide_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT development)
endif()

configure_package_config_file(cmake/lowtide-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/lowtide-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lowtide)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/lowtide-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/lowtide-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/lowtide-config-version.cmake
              cmake/Highs.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/lowtide COMPONENT development)
