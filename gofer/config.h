// Reading the record of abi/gofer_config.h.
#pragma once

#include "abi/gofer_config.h"

// Reads it whole from `fd` and checks it. 0 and *exports (malloc'ed, export_count of them), or -errno after a
// message on standard error.
int gofer_config_read(int fd, struct gofer_config *config, struct gofer_export **exports);
