/* What a compiled program reaches with the system calls that the product uses: the limit to hold it against.
 *
 *   limit send    SECONDS FD BYTES   sendmmsg of 64; a sequence number and a stamp in each packet
 *   limit tens    SECONDS FD BYTES   the same in segments: ten packets a message; the kernel tells when each ten left
 *   limit receive SECONDS FD         recvmmsg of 256 with kernel stamps; keeps sequence, stamp and arrival
 *   limit echo    SECONDS FD         recvmmsg with kernel stamps, both times written, sendmmsg to the senders
 *   limit answer  SECONDS FD         the same, answers of one size to one sender in segments
 *   limit forward SECONDS FD FD      recvmmsg with kernel stamps, sendmmsg on the second, connected socket
 *
 * The sockets are the caller's, bound or connected. Prints packets, CPU time and duration as JSON.
 */
#define _GNU_SOURCE
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SLOTS = 256, SEND_SLOTS = 64, WIDTH = 2048, CONTROL = 128, KEPT = 1 << 20, SEQUENCE_AT = 16, TIMES_AT = 32 };
enum { SEGMENTS = 10, GROUPS = SLOTS / SEGMENTS + 1, ID_AT = 92 }; /* a packet's number, in the error queue */

static char packet[SLOTS][WIDTH], control[SLOTS][CONTROL];
static struct sockaddr_in6 sender[SLOTS];
static struct iovec vector[SLOTS];
static struct mmsghdr message[SLOTS], told[SLOTS], group[GROUPS];
static struct {
    struct cmsghdr size_head;
    uint64_t size;
    struct cmsghdr stamp_head;
    uint64_t stamp;
} request = {{CMSG_LEN(2), IPPROTO_UDP, UDP_SEGMENT}, 0,
             {CMSG_LEN(4), SOL_SOCKET, SO_TIMESTAMPING}, SOF_TIMESTAMPING_TX_SOFTWARE};
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

static int send_all(int fd, struct mmsghdr *messages, int count)
{
    int sent = 0;
    while (sent < count) {
        int taken = sendmmsg(fd, messages + sent, count - sent, 0);
        if (taken <= 0)
            break;
        sent += taken;
    }
    return sent;
}

/* `count` packets of the first one's size to one peer, ten a message. */
static int send_in_tens(int fd, int count, struct msghdr *to, size_t control_bytes)
{
    int groups = (count + SEGMENTS - 1) / SEGMENTS;
    request.size = vector[0].iov_len;
    for (int at = 0; at < groups; at++) {
        struct msghdr *head = &group[at].msg_hdr;
        head->msg_name = to ? to->msg_name : NULL;
        head->msg_namelen = to ? to->msg_namelen : 0;
        head->msg_iov = vector + at * SEGMENTS;
        head->msg_iovlen = at < groups - 1 ? SEGMENTS : count - at * SEGMENTS;
        head->msg_control = &request;
        head->msg_controllen = control_bytes;
    }
    int sent = send_all(fd, group, groups) * SEGMENTS;
    return sent < count ? sent : count;
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

static void number_packets(int count, int bytes, uint32_t sequence)
{
    int64_t now = nanoseconds(CLOCK_MONOTONIC);
    for (int slot = 0; slot < count; slot++) {
        uint32_t number = sequence + slot;
        vector[slot].iov_len = bytes;
        memcpy(packet[slot] + SEQUENCE_AT, &number, sizeof number);
        memcpy(packet[slot] + TIMES_AT, &now, sizeof now);
    }
}

static long do_send(int fd, int bytes, long packets)
{
    number_packets(SEND_SLOTS, bytes, packets);
    int taken = sendmmsg(fd, message, SEND_SLOTS, 0);
    return taken > 0 ? taken : 0;
}

static int ask_for_departures(int fd)
{
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

static long do_tens(int fd, int bytes, long packets)
{
    static int waiting;
    number_packets(SLOTS, bytes, packets);
    long count = send_in_tens(fd, SLOTS, NULL, sizeof request);
    if ((waiting += GROUPS) > SLOTS / 2) {
        read_departures(fd);
        waiting = 0;
    }
    return count;
}

static long do_receive(int fd, int unused, long packets)
{
    (void)unused;
    int count = receive(fd, 0);
    for (int slot = 0; slot < count; slot++) {
        long row = (packets + slot) % KEPT;
        memcpy(&kept[row].sequence, packet[slot] + SEQUENCE_AT, 4);
        memcpy(&kept[row].sent_ns, packet[slot] + TIMES_AT, 8);
        kept[row].received_ns = arrival(slot);
    }
    return count;
}

static long do_echo(int fd, int in_tens, long unused)
{
    (void)unused;
    int count = receive(fd, 1), alike = 1;
    int64_t now = nanoseconds(CLOCK_REALTIME);
    for (int slot = 0; slot < count; slot++) {
        int64_t times[2] = {arrival(slot), now};
        memcpy(packet[slot] + TIMES_AT, times, sizeof times);
        alike &= message[slot].msg_len == message[0].msg_len && !memcmp(&sender[slot], &sender[0], sizeof *sender);
    }
    make_ready_to_send(count, 1);
    if (in_tens && alike && count)
        return send_in_tens(fd, count, &message[0].msg_hdr, CMSG_SPACE(2));
    return send_all(fd, message, count);
}

static long do_answer(int fd, int unused, long packets)
{
    (void)unused;
    return do_echo(fd, 1, packets);
}

static long do_forward(int from, int to, long unused)
{
    (void)unused;
    int count = receive(from, 0);
    make_ready_to_send(count, 0);
    return send_all(to, message, count);
}

static const struct mode {
    const char *name;
    long (*run)(int fd, int more, long packets);
    int told, stamped;
} MODES[] = {
    {"send", do_send, 0, 0}, {"tens", do_tens, 1, 0}, {"receive", do_receive, 0, 1},
    {"echo", do_echo, 0, 1}, {"answer", do_answer, 0, 1}, {"forward", do_forward, 0, 1}, {0},
};

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const struct mode *mode = MODES;
    while (mode->name && strcmp(mode->name, argv[1]))
        mode++;
    double seconds = atof(argv[2]);
    int fd = atoi(argv[3]), more = argc > 4 ? atoi(argv[4]) : 0;
    long packets = 0;
    for (int slot = 0; slot < SLOTS; slot++) {
        vector[slot].iov_base = packet[slot];
        message[slot].msg_hdr.msg_iov = &vector[slot];
        message[slot].msg_hdr.msg_iovlen = 1;
    }
    if (!mode->name || (mode->told && ask_for_departures(fd)))
        return 1;
    if (mode->stamped && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int){1}, sizeof(int)))
        return 1;
    int64_t start = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID), now;
    do {
        packets += mode->run(fd, more, packets);
        now = nanoseconds(CLOCK_MONOTONIC);
    } while (now - start < seconds * 1e9);
    cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    printf("{\"packets\": %ld, \"cpu_ns\": %lld, \"seconds\": %.3f}\n", packets, (long long)cpu, (now - start) / 1e9);
    return 0;
}
