#include "sentry/oci/network.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int raise_loopback(struct oci_error *error)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return oci_fail_errno(error, errno, "cannot make a socket");
    int failed = 0;
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        failed = -errno;
    request.ifr_flags |= IFF_UP;
    if (!failed && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        failed = -errno;
    close(fd);
    return failed ? oci_fail_errno(error, -failed, "cannot bring up the loopback interface") : 0;
}

static int join(const char *path, struct oci_error *error)
{
    struct stat there, here;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return oci_fail_errno(error, errno, "linux.namespaces: cannot open the network namespace %s", path);
    int failed = 0;
    if (fstat(fd, &there) < 0 || stat("/proc/self/ns/net", &here) < 0)
        failed = oci_fail_errno(error, errno, "linux.namespaces: cannot look at %s", path);
    else if ((there.st_ino != here.st_ino || there.st_dev != here.st_dev) && setns(fd, CLONE_NEWNET) < 0)
        failed = oci_fail_errno(error, errno, "linux.namespaces: cannot join %s", path);
    close(fd);
    return failed;
}

int network_enter(const struct oci_config *config, bool *own, struct oci_error *error)
{
    const struct oci_namespace *ns = &config->namespaces[OCI_NS_NETWORK];
    *own = false;
    if (!ns->listed)
        return 0;
    if (ns->path)
        return join(ns->path, error);
    if (geteuid() != 0)
        return 0; // the loopback inside the Sentry is all that there would be
    if (unshare(CLONE_NEWNET) < 0)
        return oci_fail_errno(error, errno, "cannot make a network namespace");
    *own = true;
    return raise_loopback(error);
}

int network_sysctls(const struct oci_config *config, struct oci_error *error)
{
    const struct oci_namespace *ns = &config->namespaces[OCI_NS_NETWORK];
    for (size_t i = 0; i < config->nr_sysctls; i++) {
        const struct oci_pair *pair = &config->sysctls[i];
        char path[300];
        if (strncmp(pair->name, "net.", 4) != 0)
            continue;
        if (!ns->listed)
            return oci_fail(error, EINVAL, "sysctl \"%s\" not allowed in host network namespace", pair->name);
        if (geteuid() != 0)
            continue;
        int n = snprintf(path, sizeof(path), "/proc/sys/%s", pair->name);
        if (n < 0 || n >= (int)sizeof(path))
            return oci_fail(error, EINVAL, "sysctl name %s is too long", pair->name);
        for (char *dot = path; (dot = strchr(dot, '.')); dot++)
            *dot = '/';
        int fd = strstr(path, "//") ? -1 : open(path, O_WRONLY | O_CLOEXEC);
        bool written = fd >= 0 && write(fd, pair->value, strlen(pair->value)) >= 0;
        int code = errno;
        if (fd >= 0)
            close(fd);
        if (!written)
            return oci_fail_errno(error, code ? code : EINVAL, "cannot set sysctl %s", pair->name);
    }
    return 0;
}

static bool has_interface(void)
{
    struct if_nameindex *list = if_nameindex();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool found = false;
    for (struct if_nameindex *i = list; i && i->if_name && fd >= 0 && !found; i++) {
        struct ifreq request = {0};
        strncpy(request.ifr_name, i->if_name, IFNAMSIZ - 1);
        found = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP &&
                !(request.ifr_flags & IFF_LOOPBACK);
    }
    if (fd >= 0)
        close(fd);
    if_freenameindex(list);
    return found;
}

bool network_is_brokered(const struct oci_config *config, const char *option, bool untouched)
{
    const struct oci_namespace *ns = &config->namespaces[OCI_NS_NETWORK];
    if (option)
        return strcmp(option, "host") == 0;
    if (!ns->listed || ns->path)
        return true;
    return geteuid() == 0 && !untouched && has_interface();
}
