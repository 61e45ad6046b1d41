# The stub image is built freestanding and embedded as a byte array.
