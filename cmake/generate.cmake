# Files generated at build time from syscall-tables/: dispatch and trace tables, and the seccomp programs.
# `generated` gives its users the include directory, the order of the build and the programs they name.
set(GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)
file(GLOB GENERATOR_INPUTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/syscall-tables/*.tbl
  ${CMAKE_SOURCE_DIR}/tools/gen-syscalls.py ${CMAKE_SOURCE_DIR}/tools/syscalls/*.py)
set(GENERATOR ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/gen-syscalls.py)
execute_process(COMMAND ${GENERATOR} --list-programs OUTPUT_VARIABLE SECCOMP_PROGRAMS COMMAND_ERROR_IS_FATAL ANY)
# The names of the programs come from here, so configure again when they may have changed.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/syscalls/filters.py)
set(SECCOMP_SOURCES)
foreach(tag ${SECCOMP_PROGRAMS})
  list(APPEND SECCOMP_SOURCES ${GENERATED_DIR}/filter_${tag}.c)
endforeach()
set(GENERATED_HEADERS ${GENERATED_DIR}/syscall_handlers.h ${GENERATED_DIR}/syscall_dispatch.inc
  ${GENERATED_DIR}/trace_table.inc ${GENERATED_DIR}/trace_types.h ${GENERATED_DIR}/seccomp_programs.h)
add_custom_command(OUTPUT ${GENERATED_DIR}/stamp
  BYPRODUCTS ${SECCOMP_SOURCES} ${GENERATED_HEADERS}
  COMMAND ${GENERATOR} --out ${GENERATED_DIR}
  DEPENDS ${GENERATOR_INPUTS}
  COMMENT "Generating system call tables and seccomp programs" VERBATIM)
add_custom_target(generate_tables DEPENDS ${GENERATED_DIR}/stamp)
set_source_files_properties(${SECCOMP_SOURCES} ${GENERATED_HEADERS} PROPERTIES GENERATED TRUE)

add_library(seccomp_programs STATIC ${SECCOMP_SOURCES})
target_link_libraries(seccomp_programs PUBLIC sentry_flags)
add_dependencies(seccomp_programs generate_tables)

add_library(generated INTERFACE)
target_link_libraries(generated INTERFACE seccomp_programs)
add_dependencies(generated generate_tables)
