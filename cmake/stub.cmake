# The stub image is built freestanding at a fixed address and embedded as a byte array; once more for sandboxes inside a container
# (abi/stub/layout.h, STUB_NESTED_*).
set(STUB_DIR ${CMAKE_SOURCE_DIR}/sentry/stub/image)
set(STUB_FLAGS -std=gnu17 -O2 -Wall -Wextra -Werror -ffreestanding -fno-builtin -nostdlib -fpie -fno-stack-protector
  -mgeneral-regs-only -fcf-protection=none -fno-asynchronous-unwind-tables -mno-red-zone -fno-tree-loop-distribute-patterns
  -I${CMAKE_SOURCE_DIR})

function(add_stub_image name elf)
  set(elf ${CMAKE_BINARY_DIR}/${elf})
  add_custom_command(OUTPUT ${elf}
    COMMAND ${CMAKE_C_COMPILER} ${STUB_FLAGS} ${ARGN} -static -no-pie -Wl,-T,${STUB_DIR}/stub.lds -Wl,--build-id=none
            -Wl,-z,max-page-size=4096 -o ${elf} ${STUB_DIR}/entry.S ${STUB_DIR}/stub.c
    COMMAND ${CMAKE_STRIP} ${elf}
    DEPENDS ${STUB_DIR}/entry.S ${STUB_DIR}/stub.c ${STUB_DIR}/stub.lds ${CMAKE_SOURCE_DIR}/abi/stub/layout.h VERBATIM)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}.c
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/embed.py ${name} ${elf} ${CMAKE_BINARY_DIR}/generated/${name}.c
    DEPENDS ${elf} ${CMAKE_SOURCE_DIR}/tools/embed.py VERBATIM)
endfunction()

add_stub_image(stub_image stub.elf)
add_stub_image(stub_image_nested stub-nested.elf -DSTUB_NESTED)
add_library(stub_image OBJECT ${CMAKE_BINARY_DIR}/generated/stub_image.c ${CMAKE_BINARY_DIR}/generated/stub_image_nested.c)
target_link_libraries(stub_image PRIVATE sentry_flags)
