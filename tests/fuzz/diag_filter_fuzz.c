// Programs that choose sockets, of any bytes: what is valid ends, and inside of itself.
#include "tests/fuzz/fuzz.h"
#include "sentry/net/netlink/diag.h"

static void try_one(const uint8_t *bytes, size_t size)
{
    const struct lx_inet_diag_msg m = {
        .family = LX_AF_INET, .state = 1, .id = {.sport = 80, .dport = 443, .src = {127}}};
    uint8_t *exact = malloc(size ? size : 1); // so that a sanitizer sees the end
    memcpy(exact, bytes, size);
    if (diag_filter_valid(exact, size))
        (void)diag_filter_matches(exact, size, &m, size & 1);
    free(exact);
}

static void smoke(unsigned long rounds)
{
    uint8_t bytes[96];
    for (unsigned long i = 0; i < rounds; i++) {
        size_t size = next() % sizeof(bytes) & ~(next() % 8 ? 3ull : 0ull);
        for (size_t k = 0; k < size; k++) {
            uint64_t luck = next();
            bool head = k % 4 == 0;
            bytes[k] = luck & 15 ? (head         ? (uint8_t)(luck >> 8 & 15)
                                    : k % 4 == 3 ? 0
                                                 : (uint8_t)(luck >> 8 & 28))
                                 : (uint8_t)(luck >> 8);
        }
        try_one(bytes, size);
    }
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, smoke, try_one);
}
