/* What a compiled program reaches with the system calls that the product uses: the limit to hold it against.
 *
 *   limit send    SECONDS FD BYTES   sendmmsg of 64; a sequence number and a stamp in each packet
 *   limit tell    SECONDS FD BYTES   the same, and of one packet in ten the kernel tells when it left
 *   limit receive SECONDS FD         recvmmsg of 256 with kernel stamps; keeps sequence, stamp and arrival
 *   limit echo    SECONDS FD         recvmmsg with kernel stamps, both times written, sendmmsg to the senders
 *   limit forward SECONDS FD FD      recvmmsg with kernel stamps, sendmmsg on the second, connected socket
 *
 * The sockets are the caller's, bound or connected. Prints packets, CPU time and duration as JSON.
 */
#define _GNU_SOURCE
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SLOTS = 256, SEND_SLOTS = 64, WIDTH = 2048, CONTROL = 128, KEPT = 1 << 20, SEQUENCE_AT = 16, TIMES_AT = 32 };
enum { SAMPLED = 10, ID_AT = 92 }; /* the number of a packet behind its stamps in the error queue */

static char packet[SLOTS][WIDTH], control[SLOTS][CONTROL];
static struct sockaddr_in6 sender[SLOTS];
static struct iovec vector[SLOTS];
static struct mmsghdr message[SLOTS], told[SLOTS];
static struct { uint32_t sequence; int64_t sent_ns, received_ns; } kept[KEPT];

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int64_t arrival(int slot)
{
    const struct timespec *stamp = (const void *)CMSG_DATA((struct cmsghdr *)control[slot]);
    return stamp->tv_sec * 1000000000LL + stamp->tv_nsec;
}

static void send_all(int fd, int count)
{
    for (int sent = 0; sent < count;) {
        int taken = sendmmsg(fd, message + sent, count - sent, 0);
        if (taken <= 0)
            return;
        sent += taken;
    }
}

static int receive(int fd, int with_sender)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        vector[slot].iov_len = WIDTH;
        message[slot].msg_hdr.msg_name = with_sender ? &sender[slot] : NULL;
        message[slot].msg_hdr.msg_namelen = with_sender ? sizeof sender[slot] : 0;
        message[slot].msg_hdr.msg_control = control[slot];
        message[slot].msg_hdr.msg_controllen = CONTROL;
    }
    int count = recvmmsg(fd, message, SLOTS, MSG_DONTWAIT, NULL);
    if (count <= 0) {
        struct pollfd readable = {fd, POLLIN, 0};
        poll(&readable, 1, 1);
    }
    return count > 0 ? count : 0;
}

static void make_ready_to_send(int count, int with_sender)
{
    for (int slot = 0; slot < count; slot++) {
        vector[slot].iov_len = message[slot].msg_len;
        message[slot].msg_hdr.msg_control = NULL;
        message[slot].msg_hdr.msg_controllen = 0;
        if (!with_sender)
            message[slot].msg_hdr.msg_name = NULL;
    }
}

static long do_send(int fd, int bytes, uint32_t sequence)
{
    int64_t now = nanoseconds(CLOCK_MONOTONIC);
    for (int slot = 0; slot < SEND_SLOTS; slot++) {
        uint32_t number = sequence + slot;
        vector[slot].iov_len = bytes;
        memcpy(packet[slot] + SEQUENCE_AT, &number, sizeof number);
        memcpy(packet[slot] + TIMES_AT, &now, sizeof now);
    }
    int taken = sendmmsg(fd, message, SEND_SLOTS, 0);
    return taken > 0 ? taken : 0;
}

static int ask_for_departures(int fd)
{
    static struct { struct cmsghdr head; uint32_t flags; } request = {
        {CMSG_LEN(sizeof request.flags), SOL_SOCKET, SO_TIMESTAMPING}, SOF_TIMESTAMPING_TX_SOFTWARE};
    for (int slot = 0; slot < SEND_SLOTS; slot += SAMPLED) {
        message[slot].msg_hdr.msg_control = &request;
        message[slot].msg_hdr.msg_controllen = sizeof request;
    }
    int flags = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_CMSG |
                SOF_TIMESTAMPING_OPT_TSONLY;
    return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags);
}

static void read_departures(int fd)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        told[slot].msg_hdr.msg_control = control[slot];
        told[slot].msg_hdr.msg_controllen = CONTROL;
    }
    int count = recvmmsg(fd, told, SLOTS, MSG_ERRQUEUE | MSG_DONTWAIT, NULL);
    for (int slot = 0; slot < count; slot++) {
        uint32_t number;
        memcpy(&number, control[slot] + ID_AT, sizeof number);
        kept[number % KEPT].sent_ns = arrival(slot);
    }
}

static long do_tell(int fd, int bytes, uint32_t sequence)
{
    static int calls;
    long count = do_send(fd, bytes, sequence);
    if (++calls % (SLOTS / 2 * SAMPLED / SEND_SLOTS) == 0)
        read_departures(fd);
    return count;
}

static long do_receive(int fd, long packets)
{
    int count = receive(fd, 0);
    for (int slot = 0; slot < count; slot++) {
        long row = (packets + slot) % KEPT;
        memcpy(&kept[row].sequence, packet[slot] + SEQUENCE_AT, 4);
        memcpy(&kept[row].sent_ns, packet[slot] + TIMES_AT, 8);
        kept[row].received_ns = arrival(slot);
    }
    return count;
}

static long do_echo(int fd)
{
    int count = receive(fd, 1);
    int64_t now = nanoseconds(CLOCK_REALTIME);
    for (int slot = 0; slot < count; slot++) {
        int64_t times[2] = {arrival(slot), now};
        memcpy(packet[slot] + TIMES_AT, times, sizeof times);
    }
    make_ready_to_send(count, 1);
    send_all(fd, count);
    return count;
}

static long do_forward(int from, int to)
{
    int count = receive(from, 0);
    make_ready_to_send(count, 0);
    send_all(to, count);
    return count;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const char *mode = argv[1];
    double seconds = atof(argv[2]);
    int fd = atoi(argv[3]), more = argc > 4 ? atoi(argv[4]) : 0;
    long packets = 0;
    for (int slot = 0; slot < SLOTS; slot++) {
        vector[slot].iov_base = packet[slot];
        message[slot].msg_hdr.msg_iov = &vector[slot];
        message[slot].msg_hdr.msg_iovlen = 1;
    }
    if (mode[0] == 't' && ask_for_departures(fd))
        return 1;
    if (!strchr("st", mode[0]) && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int){1}, sizeof(int)))
        return 1;
    int64_t start = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID), now;
    do {
        switch (mode[0]) {
        case 's': packets += do_send(fd, more, (uint32_t)packets); break;
        case 't': packets += do_tell(fd, more, (uint32_t)packets); break;
        case 'r': packets += do_receive(fd, packets); break;
        case 'e': packets += do_echo(fd); break;
        default: packets += do_forward(fd, more);
        }
        now = nanoseconds(CLOCK_MONOTONIC);
    } while (now - start < seconds * 1e9);
    cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    printf("{\"packets\": %ld, \"cpu_ns\": %lld, \"seconds\": %.3f}\n", packets, (long long)cpu, (now - start) / 1e9);
    return 0;
}
