/* A program for test_recorder.py to record: `recorder_subject SCENE`. Each scene makes
   calls and prints what came of them, "NAME RESULT ERRNO" a line. */
#define _GNU_SOURCE
#include "recorder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { UNTOUCHED = 77 }; /* what errno is before each call */

/* Makes the call and prints its result, and errno as the call left it. */
#define SHOW(name, call)                              \
    do {                                              \
        errno = UNTOUCHED;                            \
        long result_ = (long)(call);                  \
        int errno_ = errno;                           \
        printf("%s %ld %d\n", name, result_, errno_); \
    } while (0)

static struct sockaddr_in loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int listener_at(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    *address = loopback();
    bind(listener, (struct sockaddr *)address, sizeof *address);
    listen(listener, 5);
    getsockname(listener, (struct sockaddr *)address, &length);
    return listener;
}

/* A connection over loopback: the client's end, then the server's. */
static void connect_pair(int pair[2])
{
    struct sockaddr_in address;
    int listener = listener_at(&address);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    connect(pair[0], (struct sockaddr *)&address, sizeof address);
    pair[1] = accept(listener, NULL, NULL);
    close(listener);
}

static void conversation(void)
{
    struct sockaddr_in address, peer;
    socklen_t length = sizeof peer;
    signal(SIGPIPE, SIG_IGN);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int listener = listener_at(&address);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    connect(client, (struct sockaddr *)&address, sizeof address);
    int server = accept(listener, (struct sockaddr *)&peer, &length);
    char buffer[64];
    SHOW("send", send(client, "hello", 5, 0)); /* the line of this send */
    SHOW("recv", recv(server, buffer, sizeof buffer, 0));
    SHOW("write", write(STDERR_FILENO, "", 0));
    SHOW("close", close(client));
    SHOW("end", recv(server, buffer, sizeof buffer, 0));
    printf("port %d 0\n", ntohs(address.sin_port));
    printf("peer %d 0\n", ntohs(peer.sin_port));
}

static void short_counts(void)
{
    int pair[2];
    char in[100] = "", rest[100] = "";
    connect_pair(pair);
    SHOW("send", send(pair[0], "0123456789abcdef", 16, 0));
    SHOW("send", send(pair[0], "0123456789abcdef", 3, 0));
    SHOW("write", write(pair[0], "0123456789abcdef", 16));
    SHOW("sendto", sendto(pair[0], "0123456789abcdef", 16, 0, NULL, 0));
    struct iovec out[] = {{"01234", 5}, {"", 0}, {"56789", 5}, {"abcdef", 6}};
    struct msghdr message = {.msg_iov = out, .msg_iovlen = 4};
    SHOW("writev", writev(pair[0], out, 4));
    SHOW("sendmsg", sendmsg(pair[0], &message, 0));
    struct iovec places[] = {{in, 2}, {rest, 98}};
    struct msghdr received = {.msg_iov = places, .msg_iovlen = 2, .msg_flags = -1};
    SHOW("recv", recv(pair[1], in, sizeof in, MSG_WAITALL));
    SHOW("readv", readv(pair[1], places, 2));
    printf("\"%.2s%.98s\" 0 0\n", in, rest);
    SHOW("recvmsg", recvmsg(pair[1], &received, 0));
    printf("flags %d 0\n", received.msg_flags);
    printf("list %zu %zu\n", places[0].iov_len, places[1].iov_len);
    struct mmsghdr two[2] = {{.msg_hdr = received}, {.msg_hdr = received}};
    SHOW("recvmmsg", recvmmsg(pair[1], two, 2, MSG_WAITFORONE, NULL));
    SHOW("message", (long)two[0].msg_len);
    SHOW("recvfrom", recvfrom(pair[1], in, sizeof in, 0, NULL, NULL));
    SHOW("read", read(pair[1], in, sizeof in));
    int file = open("/dev/zero", O_RDONLY);
    SHOW("file", read(file, in, sizeof in));
}

static void many_sends(void)
{
    int pair[2];
    connect_pair(pair);
    for (int i = 0; i < 12; i++)
        SHOW("send", send(pair[0], "0123456789abcdef", 16, 0));
}

static void *nothing(void *argument)
{
    return argument;
}

static void failures(void)
{
    int pair[2];
    struct sockaddr_in address;
    char buffer[8];
    pthread_t thread;
    struct addrinfo *found;
    connect_pair(pair);
    int listener = listener_at(&address);
    SHOW("setsockopt", setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)));
    SHOW("shutdown", shutdown(pair[0], SHUT_WR));
    SHOW("poll", poll(NULL, 0, 0));
    SHOW("pthread_create", pthread_create(&thread, NULL, nothing, NULL));
    SHOW("inet_pton", inet_pton(AF_INET, "127.0.0.1", buffer));
    SHOW("inet_addr", inet_addr("127.0.0.1"));
    SHOW("inet_aton", inet_aton("127.0.0.1", &address.sin_addr));
    SHOW("getaddrinfo", getaddrinfo("127.0.0.1", NULL, NULL, &found));
    SHOW("signal", (long)signal(SIGUSR1, SIG_IGN));
    SHOW("fork", fork());
    SHOW("recv", recv(pair[1], buffer, sizeof buffer, 0));
    SHOW("close", close(listener));
    SHOW("again", close(listener));
}

static void successes(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SHOW("close", close(fd));
    SHOW("close", close(fd));
}

/* Pointers that the kernel refuses, or that must not be looked at. */
static void garbage(void)
{
    int pair[2], fd = socket(AF_INET, SOCK_STREAM, 0);
    char *volatile bad = (char *)1;
    volatile int negative = -1;
    char buffer[8] = "";
    socklen_t length = sizeof(struct sockaddr_in);
    connect_pair(pair);
    char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(edge + 4096, 4096);
    strcpy(edge + 4096 - 8, "1.2.3.4");
    SHOW("setsockopt", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, bad, sizeof(int)));
    SHOW("getsockopt", getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, bad, &length));
    SHOW("bind", bind(fd, (struct sockaddr *)bad, sizeof(struct sockaddr_in)));
    SHOW("connect", connect(fd, (struct sockaddr *)bad, sizeof(struct sockaddr_in)));
    SHOW("getsockname", getsockname(fd, (struct sockaddr *)bad, &length));
    SHOW("accept", accept(fd, (struct sockaddr *)bad, (socklen_t *)bad));
    SHOW("send", send(pair[0], bad, 4, 0));
    SHOW("send", send(pair[0], "1234", 4, 0));
    SHOW("recv", recv(pair[1], bad, 4, 0));
    SHOW("sendmsg", sendmsg(pair[0], (struct msghdr *)bad, 0));
    SHOW("writev", writev(pair[0], (struct iovec *)bad, 2));
    SHOW("writev", writev(pair[0], NULL, negative));
    SHOW("sigaction", sigaction(SIGUSR1, NULL, NULL));
    SHOW("edge", inet_pton(AF_INET, edge + 4096 - 8, buffer));
    SHOW("truncated", recv(pair[1], NULL, 4, MSG_TRUNC));
    SHOW("none", send(-1, "x", 1, 0));
}

static int counted;

static void note_alarm(int signo)
{
    (void)signo;
    int saved = errno;
    counted++;
    if (write(-1, "signal", 6) == -1)
        errno = saved;
}

static void signals(void)
{
    struct sigaction action = {.sa_handler = note_alarm};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 200}, {0, 200}}, NULL);
    bool kept = true;
    for (int i = 0; i < 20000 || counted < 20; i++) {
        errno = UNTOUCHED;
        int fd = dup(0);
        kept = kept && fd != -1 && close(fd) == 0 && errno == UNTOUCHED;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    printf("kept %d 0\nsignals %d 0\n", kept, counted);
}

static void *talk_to_itself(void *rounds)
{
    int pair[2];
    char buffer[8];
    connect_pair(pair);
    for (int i = 0; i < *(int *)rounds; i++) {
        send(pair[0], "abc", 3, MSG_NOSIGNAL);
        recv(pair[1], buffer, sizeof buffer, 0);
    }
    close(pair[0]);
    close(pair[1]);
    return NULL;
}

static void talk_in_threads(int rounds)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, talk_to_itself, &rounds);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void threads(void)
{
    talk_in_threads(5000);
}

static void few_rounds(void)
{
    talk_in_threads(50);
}

static void forever(void)
{
    talk_in_threads(1000000000);
}

static void stuck(void)
{
    int pair[2];
    char buffer[8];
    connect_pair(pair);
    fprintf(stderr, "ready\n");
    recv(pair[1], buffer, sizeof buffer, 0);
}

static void held(void)
{
    struct sockaddr_in address;
    int listener = listener_at(&address);
    for (int i = 0; i < 3; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        connect(client, (struct sockaddr *)&address, sizeof address);
        SHOW("accept", accept(listener, NULL, NULL));
        fflush(stdout);
    }
}

static void naps(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    sem_t semaphore;
    struct timespec hours = {.tv_sec = 9999}, until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += hours.tv_sec;
    sem_init(&semaphore, 0, 0);
    SHOW("sleep", sleep(9999));
    SHOW("usleep", usleep(999999999));
    SHOW("nanosleep", nanosleep(&hours, NULL));
    pthread_mutex_lock(&lock);
    SHOW("pthread_cond_timedwait", pthread_cond_timedwait(&condition, &lock, &until));
    pthread_mutex_unlock(&lock);
    SHOW("sem_timedwait", sem_timedwait(&semaphore, &until));
}

/* Each is ready at once, but a fault may say that the time was over before. */
static void limits(void)
{
    int ends[2];
    fd_set in;
    if (pipe(ends) == -1 || write(ends[1], "x", 1) != 1)
        return;
    struct pollfd one = {.fd = ends[0], .events = POLLIN, .revents = POLLHUP};
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
    FD_ZERO(&in);
    FD_SET(ends[0], &in);
    SHOW("poll", poll(&one, 1, 9999999));
    SHOW("select", select(ends[0] + 1, &in, NULL, NULL, &(struct timeval){9999, 0}));
    SHOW("epoll_wait", epoll_wait(epoll, &event, 1, 9999999));
    SHOW("left", FD_ISSET(ends[0], &in) || one.revents != 0);
    SHOW("for_ever", poll(&one, 1, -1));
}

/* The other end has a limit too, but for what it receives. */
static void patience(void)
{
    int ends[2];
    struct timeval limit = {.tv_sec = 9999};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
        return;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    SHOW("limited", send(ends[0], "x", 1, 0));
    SHOW("unlimited", send(ends[1], "x", 1, 0));
}

static void short_naps(void)
{
    SHOW("usleep", usleep(1));
}

/* Of each one piece comes, and then none. */
static void memory(void)
{
    void *volatile nothing = NULL; /* gcc would make a malloc of it */
    for (int i = 0; i < 2; i++) {
        char *pieces[] = {malloc(5), calloc(2, 3), realloc(nothing, 7)};
        for (int piece = 0; piece < 3; piece++) {
            printf("piece %d 0\n", pieces[piece] != NULL);
            free(pieces[piece]);
        }
    }
    SHOW("fflush", fflush(stdout));
}

static void child_and_parent(void)
{
    pid_t child = fork();
    if (child == 0) {
        dup(-1);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    dup2(-1, -1);
    printf("child %d 0\n", child);
}

static void closes_all(void)
{
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    dup2(0, 3);
    SHOW("dup", dup(0));
    printf("variable %d 0\n", getenv(RECORDER_VARIABLE) != NULL);
}

static void arming(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    recorder_arm(0);
    SHOW("disarmed", listen(fd, 1));
    recorder_arm(1);
    SHOW("first", listen(fd, 2));
    SHOW("second", listen(fd, 3));
}

static void waiting(void)
{
    fd_set none;
    FD_ZERO(&none);
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    SHOW("poll", poll(NULL, 0, 0));
    SHOW("ppoll", ppoll(NULL, 0, &(struct timespec){0, 0}, NULL));
    SHOW("select", select(0, &none, NULL, NULL, &(struct timeval){0, 0}));
    SHOW("pselect", pselect(0, &none, NULL, NULL, &(struct timespec){0, 0}, NULL));
    SHOW("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event));
    SHOW("epoll_wait", epoll_wait(epoll, &event, 0, 0));
}

static void symbols(void)
{
    SHOW("fcntl64", fcntl64(0, F_GETFD));
    SHOW("sysv_signal", (long)__sysv_signal(SIGUSR1, SIG_IGN));
}

static void by_number(void)
{
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    char got[8];
    SHOW("sendto", syscall(SYS_sendto, pair[0], "hello", 5, 0, NULL, 0)); /* the line of this call */
    SHOW("read", syscall(SYS_read, pair[1], got, sizeof got));
    SHOW("close", syscall(SYS_close, 500));
    SHOW("getpid", syscall(SYS_getpid) == getpid());
}

static const struct {
    const char *name;
    void (*play)(void);
} scenes[] = {
    {"conversation", conversation},
    {"short_counts", short_counts},
    {"many_sends", many_sends},
    {"failures", failures},
    {"successes", successes},
    {"garbage", garbage},
    {"signals", signals},
    {"threads", threads},
    {"few_rounds", few_rounds},
    {"forever", forever},
    {"stuck", stuck},
    {"held", held},
    {"fork", child_and_parent},
    {"closes_all", closes_all},
    {"arming", arming},
    {"waiting", waiting},
    {"symbols", symbols},
    {"by_number", by_number},
    {"naps", naps},
    {"short_naps", short_naps},
    {"memory", memory},
    {"limits", limits},
    {"patience", patience},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof scenes / sizeof scenes[0]; i++) {
        if (strcmp(argv[1], scenes[i].name) == 0) {
            scenes[i].play();
            return 0;
        }
    }
    return 2;
}
