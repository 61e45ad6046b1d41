#pragma once
// /dev: device nodes and the links programs expect.
#include "sentry/vfs/vfs.h"
int devtmpfs_init(void);
