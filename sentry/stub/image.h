#pragma once
// The stub's ELF image, built from sentry/stub/image/ and embedded. Boot puts it into a sealed memfd.
extern const unsigned char stub_image[];
extern const unsigned long stub_image_size;
extern const unsigned char stub_image_nested[]; // with the hypercalls of --nested
extern const unsigned long stub_image_nested_size;
