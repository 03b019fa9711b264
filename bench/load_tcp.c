/* Load generator for TCP. Linux only; `cc -O2 load_tcp.c -o load_tcp`.
 *
 *   load_tcp echo ADDRESS PORT BYTES CONNECTIONS MILLISECONDS [CPU]
 *       opens so many connections to an echo server, and keeps one message on the way in each
 *   load_tcp connect ADDRESS PORT BYTES PARALLEL MILLISECONDS [CPU]
 *       opens a connection, sends a message, gets it back and closes, so many at a time
 *
 * The bytes of each message differ from those of the one before, and every reply is checked. The
 * result is one JSON object on stdout.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4096, MAX_BYTES = 4096, SAMPLES = 1 << 20, EVENTS = 256, PATIENCE_MS = 5000 };

struct connection {
    int fd, got, opening;
    unsigned char mark;
    uint64_t sent_at;
};

static struct connection connections[MOST];
static struct sockaddr_in peer = {.sin_family = AF_INET};
static uint32_t round_trips[SAMPLES];
static uint64_t replies, bad, failed;
static int epoll, size;

static void fail(const char *what)
{
    fprintf(stderr, "load_tcp: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void start(struct connection *one)
{
    int on = 1;
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (one->fd < 0)
        fail("socket");
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (setsockopt(one->fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5))
        fail("TCP_CONGESTION");
    one->opening = 1;
    one->got = 0;
    if (connect(one->fd, (struct sockaddr *)&peer, sizeof peer) && errno != EINPROGRESS)
        fail("connect");
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = one};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &event))
        fail("epoll_ctl");
}

static void say(struct connection *one)
{
    unsigned char message[MAX_BYTES];
    one->mark++;
    one->got = 0;
    memset(message, one->mark, (size_t)size);
    one->sent_at = now_ns();
    if (send(one->fd, message, (size_t)size, MSG_NOSIGNAL) != size)
        fail("send");
}

/* The connection is open, or could not be opened; it sends its first message. */
static void opened(struct connection *one)
{
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) {
        errno = error;
        fail("connect");
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, one->fd, &event))
        fail("epoll_ctl");
    one->opening = 0;
    say(one);
}

/* Returns whether the whole reply is there. */
static int heard(struct connection *one)
{
    unsigned char reply[MAX_BYTES];
    ssize_t n = recv(one->fd, reply, (size_t)(size - one->got), 0);
    if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        fail("recv");
    }
    for (ssize_t at = 0; at < n; at++)
        if (reply[at] != one->mark)
            bad++;
    one->got += (int)n;
    if (one->got < size)
        return 0;
    uint64_t took = now_ns() - one->sent_at;
    round_trips[replies++ % SAMPLES] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    return 1;
}

int main(int argc, char **argv)
{
    int connect_each = argc >= 7 && !strcmp(argv[1], "connect");
    if (argc < 7 || (!connect_each && strcmp(argv[1], "echo"))) {
        fprintf(stderr, "usage: load_tcp echo|connect ADDRESS PORT BYTES CONNECTIONS MS [CPU]\n");
        return 2;
    }
    int many = atoi(argv[5]);
    size = atoi(argv[4]);
    if (many < 1 || many > MOST || size < 1 || size > MAX_BYTES)
        return 2;
    peer.sin_port = htons((uint16_t)atoi(argv[3]));
    if (inet_pton(AF_INET, argv[2], &peer.sin_addr) != 1)
        return 2;
    if (argc > 7) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(atoi(argv[7]), &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    epoll = epoll_create1(0);
    for (int i = 0; i < many; i++)
        start(&connections[i]);
    int waiting = many;
    struct epoll_event events[EVENTS];
    uint64_t begin = now_ns(), end = 0, duration = (uint64_t)atol(argv[6]) * 1000000u;
    while (waiting) {
        int n = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);
        if (n <= 0) {
            failed += (uint64_t)waiting;
            break;
        }
        int over = now_ns() - begin >= duration;
        for (int i = 0; i < n; i++) {
            struct connection *one = events[i].data.ptr;
            if (one->opening) {
                opened(one);
                continue;
            }
            if (!heard(one))
                continue;
            if (connect_each) {
                close(one->fd);
                if (over)
                    waiting--;
                else
                    start(one);
            } else if (over)
                waiting--;
            else
                say(one);
        }
    }
    end = now_ns();
    uint64_t samples = replies < SAMPLES ? replies : SAMPLES;
    qsort(round_trips, samples, sizeof *round_trips, compare);
    printf("{\"replies\": %llu, \"bad\": %llu, \"lost\": %llu, \"seconds\": %.9f,"
           " \"rtt_p50_ns\": %u, \"rtt_p99_ns\": %u}\n",
           (unsigned long long)replies, (unsigned long long)bad, (unsigned long long)failed,
           (double)(end - begin) / 1e9, samples ? round_trips[samples / 2] : 0,
           samples ? round_trips[samples * 99 / 100] : 0);
    return 0;
}
