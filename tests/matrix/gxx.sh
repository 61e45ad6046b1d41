#!/bin/bash
# timeout: 180
# A C++ program compiled and run inside.
export LC_ALL=C
cat >hello.cc <<'END'
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
int main()
{
    std::map<std::string, int> counts;
    for (auto word : {"one", "two", "one", "three"})
        counts[word]++;
    for (auto &[word, count] : counts)
        std::cout << word << ' ' << count << '\n';
    std::vector<std::thread> threads;
    std::vector<long> sums(8);
    for (int i = 0; i < 8; i++)
        threads.emplace_back([&sums, i] {
            for (long j = 0; j < 100000; j++)
                sums[i] += j * i;
        });
    for (auto &t : threads)
        t.join();
    for (auto s : sums)
        std::cout << s << '\n';
    try {
        throw std::runtime_error("thrown");
    } catch (const std::exception &e) {
        std::cout << "caught " << e.what() << std::endl;
    }
}
END
g++ -O1 -std=c++17 -pthread -o hello hello.cc && ./hello
echo "status $?"
