"""Reads the tables in syscall-tables/ and writes what is built from them."""
