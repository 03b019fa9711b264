/* Sends every UDP datagram back to whoever sent it; for the guest of scripts/qemu-guest. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    static char data[65536];
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(argc > 1 ? atoi(argv[1]) : 7),
    };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return 1;
    for (;;) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&peer, &length);
        if (n >= 0)
            sendto(fd, data, n, 0, (struct sockaddr *)&peer, length);
    }
}
