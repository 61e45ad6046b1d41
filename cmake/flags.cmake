# Compiler and linker flags shared by every target.
add_library(sentry_flags INTERFACE)
target_include_directories(sentry_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(sentry_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64
  SENTRY_VERSION="${PROJECT_VERSION}")
target_compile_options(sentry_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wcast-qual -Wwrite-strings -Wformat=2 -Wvla -Wno-unused-parameter
  -fno-strict-aliasing -fno-common -fstack-protector-strong -fstack-clash-protection
  -fcf-protection=full -fPIE)
add_library(sentry_exe_flags INTERFACE)
if(SENTRY_SANITIZE)
  string(REPLACE "," "_" SENTRY_SANITIZE_ID "${SENTRY_SANITIZE}")
  target_compile_definitions(sentry_flags INTERFACE SENTRY_SANITIZED=1)
  target_compile_options(sentry_flags INTERFACE -fsanitize=${SENTRY_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(sentry_flags INTERFACE -fsanitize=${SENTRY_SANITIZE})
  target_link_options(sentry_exe_flags INTERFACE -pie)
  target_sources(sentry_exe_flags INTERFACE ${CMAKE_SOURCE_DIR}/cmake/sanitizer.c)
else()
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(sentry_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
  target_link_options(sentry_exe_flags INTERFACE -static-pie)
endif()
target_link_options(sentry_exe_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g3")
