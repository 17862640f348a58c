/* The kernel's table of TCP sockets: see table.h. */
#include "table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct table {
    struct table_entry *entries;
    size_t count, room;
};

static bool add_entry(struct table *table, struct table_entry entry)
{
    if (table->count == table->room) {
        size_t room = table->room * 2;
        struct table_entry *entries = realloc(table->entries, room * sizeof *entries);
        if (entries == NULL)
            return false;
        table->entries = entries;
        table->room = room;
    }
    table->entries[table->count++] = entry;
    return true;
}

/* "0: 0100007F:1E6C 00000000:0000 0A …": number, local and remote address with
 * their ports, state, all in hex. The first line is a heading. */
static bool add_line(struct table *table, const char *line)
{
    unsigned local, remote, state;
    if (sscanf(line, "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %x", &local, &remote, &state) != 3)
        return true;
    return add_entry(table, (struct table_entry){(uint16_t)local, (uint16_t)remote, (int)state});
}

static bool add_file(struct table *table, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    char line[512];
    bool fine = true;
    while (fine && fgets(line, sizeof line, file) != NULL)
        fine = add_line(table, line);
    int error = errno;
    fclose(file);
    errno = error;
    return fine;
}

struct table_entry *read_table(size_t *count)
{
    enum { FIRST_ROOM = 64 };
    struct table table = {malloc(FIRST_ROOM * sizeof *table.entries), 0, FIRST_ROOM};
    /* A machine without IPv6 has no tcp6. */
    if (table.entries != NULL && add_file(&table, "/proc/net/tcp") &&
        (add_file(&table, "/proc/net/tcp6") || errno == ENOENT)) {
        *count = table.count;
        return table.entries;
    }
    int error = errno;
    free(table.entries);
    errno = error;
    return NULL;
}
