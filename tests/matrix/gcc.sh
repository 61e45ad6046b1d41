#!/bin/bash
# core
# timeout: 120
# A C program compiled and run inside.
export LC_ALL=C
cat >hello.c <<'END'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct node { int key; struct node *left, *right; };
static struct node *insert(struct node *n, int key)
{
    if (!n) {
        n = calloc(1, sizeof(*n));
        n->key = key;
    } else if (key < n->key)
        n->left = insert(n->left, key);
    else
        n->right = insert(n->right, key);
    return n;
}
static int depth(const struct node *n) { return n ? 1 + (int)fmax(depth(n->left), depth(n->right)) : 0; }
int main(int argc, char **argv)
{
    struct node *root = NULL;
    unsigned x = 1;
    for (int i = 0; i < 10000; i++)
        root = insert(root, (int)((x = x * 1103515245 + 12345) >> 8));
    printf("%d arguments, depth %d, sqrt 2 = %.6f\n", argc, depth(root), sqrt(2));
    return argc;
}
END
gcc -O2 -Wall -o hello hello.c -lm && ./hello a b
echo "status $?"
gcc -g -O0 -static -o hello-static hello.c -lm && ./hello-static
echo "status $?"
gcc -c hello.c && nm hello.o | grep ' T '
gcc -fPIC -shared -o libhello.so hello.c && file=$(readelf -h libhello.so | grep Type) && echo $file
echo 'int main(void) { return undefined; }' >bad.c
gcc bad.c
echo "status $?"
gcc -E -dM - </dev/null | wc -l
objdump -d hello.o | wc -l
