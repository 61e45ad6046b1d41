// Session, user, limits, Landlock, capabilities, filter.
#include "gofer/jail.h"
#include "abi/mutate.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "gofer/landlock.h"
#include "seccomp_programs.h"

static int fail(const char *what)
{
    int error = errno;
    fprintf(stderr, "gofer: cannot %s: %s\n", what, strerror(error));
    return -error;
}

static uint64_t kept_capabilities(uint32_t wanted)
{
    static const unsigned char number[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
                                           CAP_FSETID};
    uint64_t mask = 0;
    for (unsigned int i = 0; i < sizeof(number); i++) {
        if (wanted & 1u << i)
            mask |= 1ull << number[i];
    }
    return mask;
}

static int set_capabilities(uint64_t mask)
{
    if (mutated("capabilities"))
        return 0;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)mask, .permitted = (uint32_t)mask},
        {.effective = (uint32_t)(mask >> 32), .permitted = (uint32_t)(mask >> 32)},
    };
    return syscall(SYS_capset, &header, data) < 0 ? fail("set capabilities") : 0;
}

// Needs CAP_SETPCAP, so it comes before the change of user.
static int drop_bounding(uint64_t mask)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return fail("clear ambient capabilities");
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
        // Without CAP_SETPCAP the bounding set stays; no_new_privs makes it void.
        if (!(mask >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
            return fail("drop the bounding set");
    }
    return 0;
}

static int become_user(const struct gofer_config *config)
{
    if (config->run_uid == UINT32_MAX && config->run_gid == UINT32_MAX)
        return 0;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0)
        return fail("drop supplementary groups");
    if (config->run_gid != UINT32_MAX && setresgid(config->run_gid, config->run_gid, config->run_gid) < 0)
        return fail("change the group");
    if (config->run_uid != UINT32_MAX && setresuid(config->run_uid, config->run_uid, config->run_uid) < 0)
        return fail("change the user");
    return 0;
}

static int set_limits(void)
{
    struct rlimit files, core = {0, 0};
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return fail("read the descriptor limit");
    files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_CORE, &core) < 0)
        return fail("set limits");
    return 0;
}

int jail_confine(const struct gofer_config *config, const struct host *host, int readable)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    // A leader of a process group cannot start a session: it then is one already, or has none to leave.
    if (!mutated("session") && setsid() < 0 && errno != EPERM)
        return fail("start a session");
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    umask(0);
    uint64_t kept = config ? kept_capabilities(config->capabilities) : 0;
    int error = set_limits();
    if (!error)
        error = drop_bounding(kept);
    if (!error && config)
        error = become_user(config);
    if (error)
        return error;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail("set no_new_privs");
    if (!mutated("landlock") && (!config || !(config->waive & GOFER_WAIVE_LANDLOCK))) {
        error = landlock_restrict(host, readable);
        if (error) {
            errno = -error;
            return fail("enter a Landlock domain (needs Linux 5.13 with CONFIG_SECURITY_LANDLOCK, or "
                        "--disable-feature landlock)");
        }
    }
    error = set_capabilities(kept);
    if (error)
        return error;
    if (!mutated("dumpable") && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fail("become not dumpable");
    if (config && config->parent_death && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return fail("tie the process to its parent");
    return 0;
}

static void report_violation(int signal, siginfo_t *info, void *context)
{
    const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
    fprintf(stderr, "gofer: killed: call %d(%#llx, %#llx, %#llx, %#llx) is not in the filter\n",
            info->si_syscall, (unsigned long long)registers[REG_RDI], (unsigned long long)registers[REG_RSI],
            (unsigned long long)registers[REG_RDX], (unsigned long long)registers[REG_R10]);
    _exit(125);
}

int jail_filter(const struct seccomp_program *program)
{
    struct sigaction action = {.sa_sigaction = report_violation, .sa_flags = SA_SIGINFO | SA_RESETHAND};
    if (sigaction(SIGSYS, &action, NULL) < 0)
        return fail("handle SIGSYS");
    if (mutated("gofer-filter"))
        return 0;
    struct sock_fprog filter = {.len = program->length,
                                .filter = (struct sock_filter *)(uintptr_t)program->code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
        return fail("install the filter");
    return 0;
}
