#include "sentry/fs/pipefs/pipe.h"
#include "sentry/vfs/internal.h"
#include "sentry/fs/devtmpfs/devtmpfs.h"
#include "sentry/fs/inotify/inotify.h"
#include "sentry/fs/mqueue/mqueuefs.h"
#include "sentry/fs/overlay/overlay.h"
#include "sentry/fs/tmpfs/tmpfs.h"

int vfs_init(void)
{
    dentry_cache_init();
    anon_init();
    inotify_init();
    pipe_init();
    tmpfs_init();
    overlay_init();
    mqueuefs_init();
    return devtmpfs_init();
}
