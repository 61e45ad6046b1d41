#!/bin/bash
# timeout: 180
# make -j4 of a C project of 30 files.
export LC_ALL=C
{
    echo 'CFLAGS = -O1 -Wall'
    printf 'OBJS = main.o'
    for i in $(seq 1 29); do printf ' unit%d.o' "$i"; done
    printf '\nprogram: $(OBJS)\n\t@$(CC) -o $@ $(OBJS)\n%%.o: %%.c project.h\n\t@$(CC) $(CFLAGS) -c -o $@ $<\n'
    printf 'clean:\n\t@rm -f program $(OBJS)\n.PHONY: clean\n'
} >Makefile
echo '#include <stdio.h>' >project.h
echo '#include "project.h"' >main.c
echo 'int main(void) { long sum = 0;' >main-body
for i in $(seq 1 29); do
    echo "long unit$i(long x);" >>project.h
    cat >"unit$i.c" <<END
#include "project.h"
#include <stdlib.h>
#include <string.h>
long unit$i(long x)
{
    char text[64];
    snprintf(text, sizeof(text), "%ld", x * $i);
    return strtol(text, NULL, 10) + (long)strlen(text);
}
END
    echo "sum += unit$i(sum + $i);" >>main-body
done
echo 'printf("%ld\n", sum); return 0; }' >>main-body
cat main-body >>main.c
make -j4 && ./program
echo "status $?"
make -q && echo up to date
sleep 1.1 && touch unit7.c
make -n -j1 | wc -l
make -j4 && ./program
make clean && ls ./*.o 2>/dev/null | wc -l
