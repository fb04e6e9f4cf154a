/* Calls as a compiled program makes them, with the kernel's stamps of every packet: the limit for the product's.
 *
 *   limit_call call   SECONDS FD TIMES_FD CALLS INTERVAL_NS TICK_NS
 *   limit_call answer SECONDS FD TIMES_FD PACKETS
 *
 * `call` sends a packet a call and interval on a connected socket, looks at the clock once a tick at most, and
 * takes the answers. `answer` sends back what arrives on a bound socket, until SECONDS have passed in silence.
 * Both read the transmit stamps from the error queue. Two int64 a packet, when it left and when it (or its
 * answer) arrived, go to the file TIMES_FD; packets and CPU time are printed as JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOTS = 256, BYTES = 200, WIDTH = 256, CONTROL = 256, SEQUENCE_AT = 16 };

struct slots {
    char packet[SLOTS][WIDTH], control[SLOTS][CONTROL];
    struct sockaddr_in6 sender[SLOTS];
    struct iovec vector[SLOTS];
    struct mmsghdr message[SLOTS];
};

static struct slots in, out, told;
static int64_t (*times)[2];
static uint32_t *sequence_of_send;
static long sends, received, packets;

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sleep_until(int64_t at)
{
    struct timespec then = {at / 1000000000, at % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}

static void prepare(struct slots *slots, int with_control)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        slots->vector[slot] = (struct iovec){slots->packet[slot], WIDTH};
        slots->message[slot].msg_hdr.msg_iov = &slots->vector[slot];
        slots->message[slot].msg_hdr.msg_iovlen = 1;
        if (with_control)
            slots->message[slot].msg_hdr.msg_control = slots->control[slot];
    }
}

/* The kernel's stamp in a slot's control messages, and the number of the send that it is about. */
static int64_t stamp(struct slots *slots, int slot, uint32_t *send_number)
{
    struct msghdr *header = &slots->message[slot].msg_hdr;
    int64_t at = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level == SOL_SOCKET) {
            const struct timespec *when = (const void *)CMSG_DATA(part);
            at = when->tv_sec * 1000000000LL + when->tv_nsec;
        } else if (send_number)
            *send_number = ((const struct sock_extended_err *)CMSG_DATA(part))->ee_data;
    }
    return at;
}

static int receive(int fd, struct slots *slots, int flags, int with_sender)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        slots->vector[slot].iov_len = WIDTH;
        slots->message[slot].msg_hdr.msg_controllen = CONTROL;
        slots->message[slot].msg_hdr.msg_name = with_sender ? &slots->sender[slot] : NULL;
        slots->message[slot].msg_hdr.msg_namelen = with_sender ? sizeof slots->sender[slot] : 0;
    }
    int count = recvmmsg(fd, slots->message, SLOTS, MSG_DONTWAIT | flags, NULL);
    return count > 0 ? count : 0;
}

static void take_transmit_stamps(int fd)
{
    int count;
    do {
        count = receive(fd, &told, MSG_ERRQUEUE, 0);
        for (int slot = 0; slot < count; slot++) {
            uint32_t number = 0;
            int64_t at = stamp(&told, slot, &number);
            if (number < sends)
                times[sequence_of_send[number]][0] = at;
        }
    } while (count == SLOTS);
}

static void send_all(int fd, struct slots *slots, int count)
{
    for (int slot = 0; slot < count; slot++)
        memcpy(&sequence_of_send[sends + slot], slots->packet[slot] + SEQUENCE_AT, 4);
    for (int sent = 0; sent < count;) {
        int taken = sendmmsg(fd, slots->message + sent, count - sent, 0);
        if (taken <= 0 && errno != EAGAIN && errno != ECONNREFUSED)
            exit(1);
        if (taken > 0) {
            sent += taken;
            sends += taken;
        }
    }
}

static uint32_t sequence_in(const char *packet)
{
    uint32_t sequence;
    memcpy(&sequence, packet + SEQUENCE_AT, sizeof sequence);
    return sequence < packets ? sequence : 0;
}

static void take_answers(int fd)
{
    int count;
    do {
        count = receive(fd, &in, 0, 0);
        for (int slot = 0; slot < count; slot++)
            times[sequence_in(in.packet[slot])][1] = stamp(&in, slot, NULL);
        received += count;
    } while (count == SLOTS);
}

static void call(int fd, double seconds, long calls, int64_t interval, int64_t tick)
{
    int64_t start = nanoseconds(CLOCK_MONOTONIC) + 50000000, now = 0;
    for (uint32_t next = 0; next < packets;) {
        int64_t due = start + (int64_t)(next / calls) * interval + (int64_t)(next % calls) * interval / calls;
        sleep_until(due > now + tick ? due : now + tick);
        now = nanoseconds(CLOCK_MONOTONIC);
        while (next < packets) {
            int count = 0;
            for (; count < SLOTS && next < packets; count++, next++) {
                due = start + (int64_t)(next / calls) * interval + (int64_t)(next % calls) * interval / calls;
                if (due > now)
                    break;
                memcpy(out.packet[count] + SEQUENCE_AT, &next, sizeof next);
                memcpy(out.packet[count] + SEQUENCE_AT + 8, &now, sizeof now);
                out.vector[count].iov_len = BYTES;
            }
            send_all(fd, &out, count);
            if (count < SLOTS)
                break;
        }
        take_transmit_stamps(fd);
        take_answers(fd);
    }
    (void)seconds;
    for (int wait = 0; wait < 20 && received < packets; wait++) {
        sleep_until(nanoseconds(CLOCK_MONOTONIC) + 10000000);
        take_transmit_stamps(fd);
        take_answers(fd);
    }
}

static void answer(int fd, double seconds)
{
    struct pollfd readable = {fd, POLLIN, 0};
    for (int64_t heard = nanoseconds(CLOCK_MONOTONIC); nanoseconds(CLOCK_MONOTONIC) - heard < seconds * 1e9;) {
        int count = receive(fd, &in, 0, 1);
        for (int slot = 0; slot < count; slot++) {
            times[sequence_in(in.packet[slot])][1] = stamp(&in, slot, NULL);
            in.vector[slot].iov_len = in.message[slot].msg_len;
            in.message[slot].msg_hdr.msg_controllen = 0;
        }
        if (count && sends + count <= packets) {
            send_all(fd, &in, count);
            heard = nanoseconds(CLOCK_MONOTONIC);
        }
        take_transmit_stamps(fd);
        if (!count)
            poll(&readable, 1, 10);
    }
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    int fd = atoi(argv[3]), times_fd = atoi(argv[4]), calling = argv[1][0] == 'c';
    double seconds = atof(argv[2]);
    long number = atol(argv[5]);
    int flags = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_TX_SOFTWARE |
                SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_OPT_CMSG;
    int64_t interval = calling ? atoll(argv[6]) : 1, tick = calling ? atoll(argv[7]) : 0;
    packets = calling ? (long)(seconds * 1e9 / interval) * number : number;
    times = calloc(packets, sizeof *times);
    sequence_of_send = calloc(packets + SLOTS, sizeof *sequence_of_send);
    prctl(PR_SET_TIMERSLACK, 1);
    if (!times || !sequence_of_send || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags))
        return 1;
    prepare(&in, 1);
    prepare(&out, 0);
    prepare(&told, 1);
    int64_t cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    if (calling)
        call(fd, seconds, number, interval, tick);
    else
        answer(fd, seconds);
    cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    if (write(times_fd, times, packets * sizeof *times) < 0)
        return 1;
    printf("{\"packets\": %ld, \"received\": %ld, \"cpu_ns\": %lld}\n", sends, received, (long long)cpu);
    return 0;
}
