/* The kernel's table of TCP sockets, read for you: what `ss -tan` shows, and
 * `cat /proc/net/tcp` in figures. Every socket that has a state is in it, of
 * all programs, and what is left of sockets that no program has any more.
 */
#ifndef TABLE_H
#define TABLE_H

#include <netinet/tcp.h> /* TCP_LISTEN, TCP_TIME_WAIT and the other states */
#include <stddef.h>
#include <stdint.h>

/* One socket, IPv4 or IPv6, at any address of this machine. */
struct table_entry {
    uint16_t local_port;  /* of its own end, in host order */
    uint16_t remote_port; /* of the other end; 0 for a listener */
    int state;            /* TCP_ESTABLISHED, … (man 7 tcp doesn't list them; RFC 9293 does) */
};

/* The whole table as it is now, in no order that means anything. Returns an
 * array, which the caller frees, and stores how many entries it has (0 is
 * possible). Or NULL with errno when the table can't be read. */
struct table_entry *read_table(size_t *count);

#endif
