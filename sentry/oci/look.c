// state and list: what is known of containers.
#include "sentry/oci/command.h"
#include "sentry/oci/container.h"
#include "sentry/oci/json_write.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The name in /etc/passwd; a static program has no other source.
static const char *owner_name(uint32_t uid)
{
    static char line[512];
    FILE *file = uid == 0 ? NULL : fopen("/etc/passwd", "re");
    const char *name = uid == 0 ? "root" : "";
    while (file && fgets(line, sizeof(line), file)) {
        char *number = strchr(line, ':');
        number = number ? strchr(number + 1, ':') : NULL;
        if (!number || strtoul(number + 1, NULL, 10) != uid)
            continue;
        *strchr(line, ':') = 0;
        name = line;
        break;
    }
    if (file)
        fclose(file);
    return name;
}

static void put_container(struct json_writer *w, const struct container *c)
{
    enum container_status status = container_status_now(c);
    json_put_object(w, NULL);
    json_put_string(w, "ociVersion", OCI_VERSION);
    json_put_string(w, "id", c->id);
    json_put_u64(w, "pid", status == CONTAINER_STOPPED ? 0 : (uint64_t)c->pid);
    json_put_string(w, "status", container_status_name(status));
    json_put_string(w, "bundle", c->bundle);
    json_put_string(w, "rootfs", c->rootfs);
    json_put_string(w, "created", c->created);
    if (c->nr_annotations) {
        json_put_object(w, "annotations");
        for (size_t i = 0; i < c->nr_annotations; i++)
            json_put_string(w, c->annotations[i].name, c->annotations[i].value);
        json_put_end(w, '}');
    }
    json_put_string(w, "owner", owner_name(c->owner));
    json_put_end(w, '}');
}

static int print_json(struct json_writer *w)
{
    struct oci_error error;
    int status = 0;
    if (w->error) {
        (void)oci_fail(&error, ENOMEM, "out of memory");
        status = oci_fail_command(&error);
    } else if (puts(w->text) < 0 || fflush(stdout) != 0) {
        status = 1;
    }
    free(w->text);
    return status;
}

int oci_state_command(const struct oci_globals *globals, int argc, char **argv)
{
    struct oci_error error = {""};
    struct container c;
    char root[PATH_MAX];
    const struct oci_option options[] = {OCI_OPTIONS_END};
    int used = oci_options(argc - 1, argv + 1, options, &error);
    if (used < 0 || oci_arguments(argc - 1, used, 1, 1, "state", &error) ||
        container_root(globals->root, root, sizeof(root), &error) ||
        container_open(root, argv[1 + used], false, &c, &error))
        return oci_fail_command(&error);
    struct json_writer w = {.indent = 2};
    put_container(&w, &c);
    return print_json(&w);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Names of the state root, sorted. None where there is no root yet.
static char **names_of(const char *root, size_t *count)
{
    DIR *dir = opendir(root);
    char **names = NULL;
    *count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char **more = realloc(names, (*count + 1) * sizeof(*names));
        if (entry->d_name[0] == '.' || !more) {
            names = more ? more : names;
            continue;
        }
        names = more;
        names[*count] = strdup(entry->d_name);
        *count += names[*count] != NULL;
    }
    if (dir)
        closedir(dir);
    if (*count)
        qsort(names, *count, sizeof(*names), compare_names);
    return names;
}

int oci_list_command(const struct oci_globals *globals, int argc, char **argv)
{
    struct oci_error error = {""};
    char root[PATH_MAX];
    const char *format = "table";
    bool quiet = false;
    const struct oci_option options[] = {
        {"format", 'f', OCI_TEXT, &format, "FORMAT", "table (default) or json"},
        {"quiet", 'q', OCI_FLAG, &quiet, NULL, "print names only"},
        OCI_OPTIONS_END};
    int used = oci_options(argc - 1, argv + 1, options, &error);
    if (used < 0 || oci_arguments(argc - 1, used, 0, 0, "list", &error) ||
        container_root(globals->root, root, sizeof(root), &error))
        return oci_fail_command(&error);
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "table") != 0) {
        (void)oci_fail(&error, EINVAL, "--format takes table or json");
        return oci_fail_command(&error);
    }
    size_t count;
    char **names = names_of(root, &count);
    struct json_writer w = {0};
    if (json)
        json_put_array(&w, NULL);
    else if (!quiet)
        printf("%-24s %-8s %-10s %-32s %-24s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
    for (size_t i = 0; i < count; i++) {
        struct container c;
        if (container_open(root, names[i], false, &c, NULL) || !c.pid)
            continue;
        enum container_status status = container_status_now(&c);
        if (json)
            put_container(&w, &c);
        else if (quiet)
            puts(c.id);
        else
            printf("%-24s %-8d %-10s %-32s %-24s %s\n", c.id, status == CONTAINER_STOPPED ? 0 : (int)c.pid,
                   container_status_name(status), c.bundle, c.created, owner_name(c.owner));
        container_close(&c);
    }
    if (!json)
        return 0;
    json_put_end(&w, ']');
    return print_json(&w);
}
