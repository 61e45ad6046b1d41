#!/bin/bash
# optional
# packages: libpython3.11-testsuite
# parts: cpython_modules.sh
# timeout: 900
# Debian's tests of CPython that are about networks: the outcome of every single one, and why those that are skipped are.
. ./cpython_modules.sh
run_modules '^$' \
    test_asyncio test_ssl test_httplib test_urllib2_localnet test_smtplib test_ftplib test_multiprocessing_main_handling
