// variants: dynamic static
// System V message queues: types, full queues, waiting, removal while waited for, errors.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/random.h>
#include <sys/msg.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif

static int id;
static struct {
    long type;
    char text[8200];
} m;

static int put(long type, const char *text, int flags)
{
    m.type = type;
    strcpy(m.text, text);
    return msgsnd(id, &m, strlen(text) + 1, flags);
}

static void take(long type, size_t room, int flags)
{
    memset(&m, 0, sizeof(m));
    long n = msgrcv(id, &m, room, type, flags);
    if (n < 0)
        printf("type %ld: %s\n", type, error_name(errno));
    else
        printf("type %ld: %ld bytes, type %ld, %.20s\n", type, n, m.type, m.text);
}

static void wait_all(void)
{
    int status;
    while (wait(&status) > 0)
        show_status("child", status);
}

static void types(void)
{
    for (long t = 5; t > 0; t--)
        put(t, (char[]){(char)('a' + t), 0}, 0);
    put(3, "longer text", 0);
    take(0, 100, MSG_COPY | IPC_NOWAIT);
    take(5, 100, MSG_COPY | IPC_NOWAIT);
    take(6, 100, MSG_COPY | IPC_NOWAIT);
    take(0, 100, 0);
    take(2, 100, 0);
    take(-3, 100, 0);
    take(-3, 100, 0);
    take(4, 100, MSG_EXCEPT);
    take(0, 0, MSG_NOERROR);
    take(9, 100, IPC_NOWAIT);
    put(7, "too long", 0);
    take(0, 3, 0);
    take(0, 3, MSG_NOERROR);
    take(0, 3, IPC_NOWAIT);
}

static struct msqid_ds stat_now(void)
{
    struct msqid_ds ds;
    msgctl(id, IPC_STAT, &ds);
    return ds;
}

static void full(void)
{
    struct msqid_ds ds = stat_now();
    printf("empty: %lu messages, %lu bytes, may hold %lu\n", ds.msg_qnum, ds.__msg_cbytes, ds.msg_qbytes);
    ds.msg_qbytes = 100;
    SHOW(msgctl(id, IPC_SET, &ds));
    m.type = 1;
    SHOW(msgsnd(id, &m, 60, IPC_NOWAIT));
    SHOW(msgsnd(id, &m, 60, IPC_NOWAIT));
    SHOW(msgsnd(id, &m, 0, IPC_NOWAIT));
    if (fork() == 0) {
        m.type = 2;
        _exit(msgsnd(id, &m, 60, 0));
    }
    take(1, 100, 0);
    take(2, 100, 0);
    take(0, 100, 0);
    wait_all();
    ds.msg_qbytes = 16384;
    SHOW(msgctl(id, IPC_SET, &ds));
}

static void many(void)
{
    enum { N = 3000 };
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            for (int n = 0; n < N; n++) {
                m.type = 1 + n % 3;
                memcpy(m.text, &n, sizeof(n));
                if (msgsnd(id, &m, sizeof(n), 0))
                    _exit(1);
            }
            _exit(0);
        }
    }
    long sum = 0;
    for (int n = 0; n < 2 * N; n++) {
        int value;
        msgrcv(id, &m, sizeof(m.text), 1 + n % 3, 0);
        memcpy(&value, m.text, sizeof(value));
        sum += value;
    }
    wait_all();
    printf("sum %ld, left %lu\n", sum, stat_now().msg_qnum);
}

static void removed(void)
{
    int ready[2];
    char c;
    pipe(ready);
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            write(ready[1], "x", 1);
            _exit(msgrcv(id, &m, 100, 50, 0) == -1 && errno == EIDRM ? 7 : 1);
        }
    }
    read(ready[0], &c, 1);
    read(ready[0], &c, 1);
    sleep_ms(50);
    int gone = msgctl(id, IPC_RMID, NULL);
    wait_all();
    SHOW(gone);
    SHOW(put(1, "x", 0));
    take(0, 100, 0);
}

static void errors(key_t key)
{
    SHOW(msgget(key, 0600) == id);
    OK(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
    OK(msgget(key + 1, 0600));
    SHOW(put(0, "x", 0));
    SHOW(put(-1, "x", 0));
    m.type = 1;
    SHOW(msgsnd(id, &m, 8193, 0));
    SHOW(msgsnd(id, (void *)8, 10, 0));
    SHOW(msgsnd(-1, &m, 10, 0));
    SHOW(msgrcv(id, &m, (size_t)-1, 0, 0));
    SHOW(msgrcv(-1, &m, 10, 0, 0));
    take(0, 100, MSG_COPY);
    take(0, 100, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT);
    put(1, "lost", 0);
    SHOW(msgrcv(id, (void *)8, 10, 0, 0));
    take(0, 100, IPC_NOWAIT);
    SHOW(msgctl(id, 77, NULL));
    SHOW(msgctl(id, IPC_STAT, (void *)8));
    SHOW(msgctl(-1, IPC_RMID, NULL));
    struct msqid_ds ds = stat_now();
    printf("mode %o, last sender %d, last receiver %d\n", ds.msg_perm.mode, ds.msg_lspid == getpid(),
           ds.msg_lrpid == getpid());
    if (fork() == 0) {
        if (getuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(1);
        if (getuid() == 65534) {
            OK(msgget(key, 0600));
            SHOW(put(1, "x", 0));
            take(0, 100, IPC_NOWAIT);
            SHOW(msgctl(id, IPC_RMID, NULL));
            SHOW(msgctl(id, IPC_STAT, &ds));
        } else {
            printf("msgget(key, 0600): -1 EACCES\nput(1, \"x\", 0): -1 EACCES\ntype 0: EACCES\n"
                   "msgctl(id, IPC_RMID, NULL): -1 EPERM\nmsgctl(id, IPC_STAT, &ds): -1 EACCES\n");
        }
        exit(0);
    }
    wait_all();
}

// Native runs share the host's keys with whatever else runs there.
static key_t random_key(key_t base)
{
    unsigned low = 0;
    getrandom(&low, 3, 0);
    return base | (key_t)low;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    key_t key = random_key(0x55000000);
    id = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
    TRUTH(id >= 0);
    errors(key);
    types();
    full();
    many();
    removed();
    return 0;
}
