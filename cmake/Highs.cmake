# HiGHS for the integer programs: an installed one, else built once into LOWTIDE_DEPS_DIR, which is
# ignored by git and survives `make clean`. Sets the target highs::highs.
set(LOWTIDE_DEPS_DIR ${PROJECT_SOURCE_DIR}/.deps CACHE PATH "Where dependencies are built once")
set(highs_prefix ${LOWTIDE_DEPS_DIR}/highs-1.16.0)

find_package(HIGHS 1.10 QUIET)
if(NOT HIGHS_FOUND)
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/tools/build_highs.sh ${highs_prefix} COMMAND_ERROR_IS_FATAL ANY)
  find_package(HIGHS REQUIRED PATHS ${highs_prefix} NO_DEFAULT_PATH)
endif()
message(STATUS "HiGHS: ${HIGHS_DIR}")
