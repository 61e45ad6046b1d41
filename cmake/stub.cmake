# The stub image is built freestanding at a fixed address and embedded as a byte array.
set(STUB_DIR ${CMAKE_SOURCE_DIR}/sentry/stub/image)
set(STUB_ELF ${CMAKE_BINARY_DIR}/stub.elf)
set(STUB_FLAGS -std=gnu17 -O2 -Wall -Wextra -Werror -ffreestanding -fno-builtin -nostdlib -fpie -fno-stack-protector
  -mgeneral-regs-only -fcf-protection=none -fno-asynchronous-unwind-tables -mno-red-zone -fno-tree-loop-distribute-patterns
  -I${CMAKE_SOURCE_DIR})
add_custom_command(OUTPUT ${STUB_ELF}
  COMMAND ${CMAKE_C_COMPILER} ${STUB_FLAGS} -static -no-pie -Wl,-T,${STUB_DIR}/stub.lds -Wl,--build-id=none
          -Wl,-z,max-page-size=4096 -o ${STUB_ELF} ${STUB_DIR}/entry.S ${STUB_DIR}/stub.c
  COMMAND ${CMAKE_STRIP} ${STUB_ELF}
  DEPENDS ${STUB_DIR}/entry.S ${STUB_DIR}/stub.c ${STUB_DIR}/stub.lds ${CMAKE_SOURCE_DIR}/abi/stub/layout.h VERBATIM)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/generated/stub_image.c
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/embed.py stub_image ${STUB_ELF}
          ${CMAKE_BINARY_DIR}/generated/stub_image.c
  DEPENDS ${STUB_ELF} ${CMAKE_SOURCE_DIR}/tools/embed.py VERBATIM)
add_library(stub_image OBJECT ${CMAKE_BINARY_DIR}/generated/stub_image.c)
target_link_libraries(stub_image PRIVATE sentry_flags)
