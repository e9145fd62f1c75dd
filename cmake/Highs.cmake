# HiGHS for the integer programs, as the target highs::highs. The package `highsbox` holds it ready-made
# for every platform (pyproject.toml pins it); without it an installed HiGHS is looked for. Only the C
# interface is used, so that a HiGHS of any compiler and any std::string links.
if(NOT DEFINED LOWTIDE_HIGHS_DIR)
  find_package(Python 3.10 COMPONENTS Interpreter QUIET)
  execute_process(COMMAND "${Python_EXECUTABLE}" -c "import highsbox; print(highsbox.highs_dist_dir(), end='')"
    OUTPUT_VARIABLE highs_dist ERROR_QUIET)
  set(LOWTIDE_HIGHS_DIR "${highs_dist}" CACHE PATH "The folder highs_dist of highsbox; empty for an installed HiGHS")
endif()

if(LOWTIDE_HIGHS_DIR)
  # Its own CMake files name a folder lib64 that is not there.
  find_library(LOWTIDE_HIGHS_LIBRARY highs PATHS ${LOWTIDE_HIGHS_DIR}/lib NO_DEFAULT_PATH REQUIRED)
  add_library(highs::highs SHARED IMPORTED)
  set_target_properties(highs::highs PROPERTIES
    IMPORTED_LOCATION ${LOWTIDE_HIGHS_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${LOWTIDE_HIGHS_DIR}/include/highs)
else()
  find_package(HIGHS 1.10 QUIET)
  if(NOT HIGHS_FOUND)
    message(FATAL_ERROR "lowtide's integer programs need HiGHS: pip install highsbox, or an installed HiGHS 1.10 "
      "or newer, or -DLOWTIDE_WITH_HIGHS=OFF")
  endif()
endif()
