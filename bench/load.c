/* Load generator: the kernel's side of the UDP measurements. Linux only; `cc -O2 load.c -o load`.
 *
 *   load echo ADDRESS PORT BYTES OUTSTANDING MILLISECONDS [CPU]
 *       keeps that many datagrams on the way to an echo server and checks every reply
 *   load segments ...
 *       the same, and sends up to 64 of them in one call (UDP_SEGMENT)
 *   load sink PORT BYTES SILENCE_MS [CPU]
 *       counts and checks what arrives, until nothing has come for so long
 *
 * A datagram is a number, eight bytes, and after that what `fill` makes of the number: whatever is
 * changed, cut, doubled or answered twice is noticed. The result is one JSON object on stdout.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/udp.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, SEGMENTS = 16, MAX_BYTES = 9000, SLOTS = 1 << 16, SAMPLES = 1 << 20, RECEIVE_BUFFER = 64 << 20 };

static unsigned char in[BATCH][MAX_BYTES + 1], out[BATCH][MAX_BYTES];
static struct mmsghdr in_messages[BATCH], out_messages[BATCH];
static struct iovec in_parts[BATCH], out_parts[BATCH];
static uint32_t round_trips[SAMPLES];
/* The number that is on the way in each slot; 0 when none is. */
static uint64_t pending[SLOTS];
static uint64_t sent_at[SLOTS];
static int in_segments;

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pin(int argc, char **argv, int index)
{
    if (argc <= index)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(atoi(argv[index]), &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* splitmix64: no two numbers give the same bytes */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void fill(unsigned char *bytes, int size, uint64_t number)
{
    memcpy(bytes, &number, 8);
    for (int at = 8; at < size; at += 8) {
        uint64_t word = mix(number + (uint64_t)at);
        memcpy(bytes + at, &word, size - at < 8 ? (size_t)(size - at) : 8);
    }
}

/* Returns the number of a datagram, 0 when it is not what was sent. */
static uint64_t check(const unsigned char *bytes, int got, int size)
{
    unsigned char expected[MAX_BYTES];
    uint64_t number;
    if (got != size)
        return 0;
    memcpy(&number, bytes, 8);
    fill(expected, size, number);
    return memcmp(bytes, expected, (size_t)size) == 0 ? number : 0;
}

static void prepare(int size)
{
    for (int i = 0; i < BATCH; i++) {
        in_parts[i] = (struct iovec){in[i], (size_t)size + 1};
        out_parts[i] = (struct iovec){out[i], (size_t)size};
        in_messages[i].msg_hdr = (struct msghdr){.msg_iov = &in_parts[i], .msg_iovlen = 1};
        out_messages[i].msg_hdr = (struct msghdr){.msg_iov = &out_parts[i], .msg_iovlen = 1};
    }
}

static void set_patience(int fd, long ms)
{
    struct timeval patience = {ms / 1000, ms % 1000 * 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience))
        fail("SO_RCVTIMEO");
}

static int open_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM, 0), size = RECEIVE_BUFFER;
    if (fd < 0)
        fail("socket");
    /* Only root may have more than the system's limit. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return fd;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void send_some(int fd, int count, int size, uint64_t *number)
{
    uint64_t now = now_ns();
    for (int i = 0; i < count; i++) {
        uint64_t next = ++*number;
        fill(out[i], size, next);
        pending[next % SLOTS] = next;
        sent_at[next % SLOTS] = now;
    }
    if (in_segments) {
        struct msghdr all = {.msg_iov = out_parts, .msg_iovlen = (size_t)count};
        if (sendmsg(fd, &all, 0) < 0)
            fail("send in segments");
        return;
    }
    for (int done = 0; done < count;) {
        int n = sendmmsg(fd, out_messages + done, (unsigned)(count - done), 0);
        if (n < 0)
            fail("send");
        done += n;
    }
}

static int receive_some(int fd)
{
    int n = recvmmsg(fd, in_messages, BATCH, MSG_WAITFORONE, NULL);
    if (n < 0 && errno != EAGAIN && errno != ECONNREFUSED && errno != EINTR)
        fail("recv");
    return n;
}

/* The first reply may take an ARP exchange, or a server that is not up yet. Returns how many
 * datagrams were given up before; their replies may come after all. */
static uint64_t first_contact(int fd, int size, uint64_t *number)
{
    for (int attempt = 0; attempt < 50; attempt++) {
        send_some(fd, 1, size, number);
        set_patience(fd, 100);
        if (receive_some(fd) > 0) {
            memset(pending, 0, sizeof pending);
            return (uint64_t)attempt;
        }
        usleep(20000);
    }
    fprintf(stderr, "load: nobody answers\n");
    exit(1);
}

/* Returns a socket whose peer is an address of either family, -1 when it is none. */
static int connect_to(const char *address, const char *port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *peer;
    if (getaddrinfo(address, port, &hints, &peer))
        return -1;
    int fd = open_socket(peer->ai_family);
    if (connect(fd, peer->ai_addr, peer->ai_addrlen))
        fail("connect");
    freeaddrinfo(peer);
    return fd;
}

static int echo(int argc, char **argv)
{
    int size = atoi(argv[4]), outstanding = atoi(argv[5]);
    uint64_t number = 0, replies = 0, bad = 0, lost = 0, late = 0, samples = 0;
    pin(argc, argv, 7);
    int fd = connect_to(argv[2], argv[3]);
    if (fd < 0 || size < 8 || size > MAX_BYTES)
        return 2;
    if (in_segments && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size))
        fail("UDP_SEGMENT");
    prepare(size);
    lost = first_contact(fd, size, &number);
    set_patience(fd, 200);

    uint64_t start = now_ns(), now = start, end = start + strtoull(argv[6], NULL, 10) * 1000000;
    int missing = outstanding, on_the_way = 0;
    while (now < end || on_the_way) {
        /* In segments, several sends are on the way: in lockstep both sides would only wait. */
        int least = in_segments && outstanding > SEGMENTS ? SEGMENTS : 1;
        while (now < end && missing >= least) {
            int most = in_segments ? SEGMENTS : BATCH, count = missing < most ? missing : most;
            missing -= count;
            send_some(fd, count, size, &number);
            on_the_way += count;
        }
        int n = receive_some(fd);
        now = now_ns();
        if (n <= 0) {
            /* Silence for as long as our patience: what is on the way never comes. */
            lost += (uint64_t)on_the_way;
            missing = outstanding;
            on_the_way = 0;
            memset(pending, 0, sizeof pending);
            continue;
        }
        for (int i = 0; i < n; i++) {
            uint64_t answered = check(in[i], (int)in_messages[i].msg_len, size);
            if (!answered) {
                bad++;
                continue;
            }
            if (pending[answered % SLOTS] != answered) {
                late++; /* given up before, or answered before */
                continue;
            }
            pending[answered % SLOTS] = 0;
            if (samples < SAMPLES)
                round_trips[samples++] = (uint32_t)(now - sent_at[answered % SLOTS]);
            on_the_way--;
            missing++;
            replies += now < end;
        }
    }
    qsort(round_trips, samples, sizeof round_trips[0], compare);
    uint32_t half = samples ? round_trips[samples / 2] : 0;
    uint32_t most = samples ? round_trips[samples * 99 / 100] : 0;
    printf("{\"replies\": %llu, \"bad\": %llu, \"lost\": %llu, \"late\": %llu,"
           " \"seconds\": %.9f, \"rtt_p50_ns\": %u, \"rtt_p99_ns\": %u}\n",
           (unsigned long long)replies, (unsigned long long)bad, (unsigned long long)lost,
           (unsigned long long)late,
           (double)(end - start) / 1e9, half, most);
    return 0;
}

static int sink(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    int size = atoi(argv[3]);
    uint64_t good = 0, bad = 0, first = 0, last = 0;
    pin(argc, argv, 5);
    if (size < 8 || size > MAX_BYTES)
        return 2;
    int fd = open_socket(AF_INET);
    if (bind(fd, (struct sockaddr *)&here, sizeof here))
        fail("bind");
    prepare(size);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int n = receive_some(fd);
        if (n < 0)
            break;
        last = now_ns();
        if (!first) {
            first = last;
            set_patience(fd, atol(argv[4]));
        }
        for (int i = 0; i < n; i++) {
            if (check(in[i], (int)in_messages[i].msg_len, size))
                good++;
            else
                bad++;
        }
    }
    printf("{\"good\": %llu, \"bad\": %llu, \"seconds\": %.9f}\n", (unsigned long long)good,
           (unsigned long long)bad, (double)(last - first) / 1e9);
    return 0;
}

int main(int argc, char **argv)
{
    in_segments = argc >= 7 && !strcmp(argv[1], "segments");
    if (in_segments || (argc >= 7 && !strcmp(argv[1], "echo")))
        return echo(argc, argv);
    if (argc >= 5 && !strcmp(argv[1], "sink"))
        return sink(argc, argv);
    fprintf(stderr, "usage: load echo|segments ADDRESS PORT BYTES OUTSTANDING MILLISECONDS [CPU]\n"
                    "       load sink PORT BYTES SILENCE_MS [CPU]\n");
    return 2;
}
