/* The sample stream in C: what embedded metering code needs to run on the inspection bench, built for this machine.
 *
 *     cc -O2 -o host_stream host_stream.c && ./host_stream BENCH_PORT
 *
 * docs/inspection.md has the protocol. Replace meter_sample() by the entry of your own metering code, which gives
 * pulses by pulse(), and answer the bench's readings as your meter does. For little-endian machines.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PJ_PER_WH 3600000000000000LL

struct hello {
    uint32_t version, rate, phases, frequency_mhz, voltage_mv, itr_ma, imax_ma, constant, carbon_constant, none;
    int64_t start_ms;
};

static int bench;
static struct hello plate;
static uint64_t index_; /* of the next sample: the clock is plate.start_ms + index_ * 1000 / plate.rate */

static int get(void *to, size_t octets) { return recv(bench, to, octets, MSG_WAITALL) == (ssize_t)octets; }

static void put(const char *letters, const void *rest, uint32_t octets)
{
    char frame[24];
    memcpy(frame, letters, 4);
    memcpy(frame + 4, &octets, 4);
    memcpy(frame + 8, rest, octets);
    if (send(bench, frame, 8 + octets, 0) < 0)
        exit(1);
}

static void pulse(uint32_t kind)
{
    struct { uint64_t index; uint32_t kind, part; } it = {index_, kind, UINT32_MAX / 2}; /* somewhere in the sample */
    put("PULS", &it, sizeof it);
}

/* Your metering: u in uV and i in uA of each phase. This one knows energy and its pulses, nothing else. */
static void meter_sample(const int32_t *ui)
{
    static __int128 energy;
    static uint64_t pulses;
    for (uint32_t phase = 0; phase < plate.phases; phase++)
        energy += (int64_t)ui[2 * phase] * ui[2 * phase + 1];
    __int128 way = energy < 0 ? -energy : energy;
    while (plate.constant && way * plate.constant >= (__int128)(pulses + 1) * 1000 * PJ_PER_WH * plate.rate) {
        pulses++;
        pulse(1);
    }
}

int main(int argc, char **argv)
{
    static int32_t samples[1 << 14];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
    struct { char letters[4]; uint32_t octets; } head;
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    bench = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(bench, (struct sockaddr *)&to, sizeof to) || !get(&head, sizeof head) || !get(&plate, sizeof plate))
        return 1;
    setsockopt(bench, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* or each ACK waits for 40 ms */
    put("HELO", (uint32_t[]){1, 1, 1}, 12); /* version 1; takes SAMP; gives energy pulses */
    while (get(&head, sizeof head) && head.octets <= sizeof samples && get(samples, head.octets)) {
        if (!memcmp(head.letters, "SAMP", 4)) {
            uint32_t width = 2 * plate.phases, count = (head.octets - 8) / 4 / width;
            for (uint32_t n = 0; n < count; n++, index_++)
                meter_sample(samples + 2 + n * width);
        } else if (!memcmp(head.letters, "PASS", 4)) {
            uint64_t count;
            memcpy(&count, samples + 2, 8);
            index_ += count;
        } else if (!memcmp(head.letters, "FAIL", 4)) {
            return fprintf(stderr, "%.*s\n", (int)head.octets, (char *)samples), 1;
        }
        put("ACK ", &index_, 8);
    }
    return close(bench);
}
