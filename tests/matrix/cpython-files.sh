#!/bin/bash
# optional
# packages: libpython3.11-testsuite util-linux
# parts: cpython_modules.sh
# timeout: 1800
# Debian's tests of CPython that are about files: the outcome of every single one, and why those that are skipped are.
. ./cpython_modules.sh
# /usr cannot be written in the sandbox, so these four of test_zipfile are skipped: as an ordinary user they are natively.
run_modules 'PyZipFileTests\.test_write_(filtered_python_package|pyfile|python_package|with_optimization)$' \
    test_os test_posix test_posixpath test_shutil test_tempfile test_mmap test_fcntl test_glob test_pathlib test_stat test_file \
    test_fileio test_io test_tarfile test_zipfile test_largefile test_fileinput test_dbm test_mailbox test_ioctl test_pipes
