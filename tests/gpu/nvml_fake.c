/* A stand-in for NVIDIA's driver library: it answers from a file that tests write.
 *
 * The file is named by NVML_FAKE_STATE and read again at each call. Its lines are `key=value`:
 *   count=2                     how many GPUs there are
 *   0.power=250000              an answer of GPU 0, as NVML gives it (here milliwatts)
 *   0.power=error 4             the same call fails with that code
 *   0.power=hang                the call does not return while that line is there
 *   0.mig1.memory=…             an answer of instance 1 of GPU 0
 *   0.every=error 15            every call about GPU 0 fails
 *   every=error 18              every call fails;  init=…  the opening alone
 * What is not in the file is not supported (error 3). Each opening and each event that was handed
 * out adds a line to NVML_FAKE_STATE.log. With -DOLD the library lacks what old drivers lack.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, TIMEOUT = 10 };

typedef unsigned long long u64;
typedef struct {
    char prefix[24];
} device;

static device whole[16], instances[16][8];
static int opened;
static long handed; /* the number of the last event that was handed out */

static void nap(void) {
    struct timespec t = {0, 10 * 1000 * 1000};
    nanosleep(&t, NULL);
}

static FILE *state(const char *ending, const char *mode) {
    char path[4096];
    const char *name = getenv("NVML_FAKE_STATE");
    snprintf(path, sizeof path, "%s%s", name ? name : "", ending);
    return fopen(path, mode);
}

static void note(const char *what) {
    FILE *f = state(".log", "a");
    if (f) {
        fprintf(f, "%s\n", what);
        fclose(f);
    }
}

/* Copies the value of a key, and says whether there is one. */
static int find(const char *key, char *value, size_t size) {
    char line[4096];
    size_t n = strlen(key);
    int found = 0;
    FILE *f = state("", "r");
    if (!f) return 0;
    while (!found && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, key, n) && line[n] == '=') {
            snprintf(value, size, "%s", line + n + 1);
            found = 1;
        }
    }
    fclose(f);
    return found;
}

/* 0 and a value; or the code that the call ends with, after hanging as long as it should. */
static int look(const char *key, char *value, size_t size, int missing) {
    for (;;) {
        if (!find(key, value, size)) return missing;
        if (strcmp(value, "hang")) break;
        nap();
    }
    return strncmp(value, "error ", 6) ? 0 : atoi(value + 6);
}

static int answer(const device *d, const char *what, char *value, size_t size) {
    char key[64];
    int code;
    if (!opened) return UNINITIALIZED;
    if ((code = look("every", value, size, 0))) return code;
    if (!d) return look(what, value, size, NOT_SUPPORTED);
    snprintf(key, sizeof key, "%.1s.every", d->prefix);
    if ((code = look(key, value, size, 0))) return code;
    snprintf(key, sizeof key, "%s.%s", d->prefix, what);
    return look(key, value, size, NOT_SUPPORTED);
}

static int number(const device *d, const char *what, unsigned *to) {
    char value[256];
    int code = answer(d, what, value, sizeof value);
    if (!code) *to = (unsigned)strtoul(value, NULL, 0);
    return code;
}

static int number64(const device *d, const char *what, u64 *to) {
    char value[256];
    int code = answer(d, what, value, sizeof value);
    if (!code) *to = strtoull(value, NULL, 0);
    return code;
}

static int text(const device *d, const char *what, char *to, unsigned size) {
    char value[256];
    int code = answer(d, what, value, sizeof value);
    if (!code) snprintf(to, size, "%s", value);
    return code;
}

int nvmlInitWithFlags(unsigned flags) {
    char value[256];
    int code = look("every", value, sizeof value, 0);
    (void)flags;
    note("init");
    if (!code) code = look("init", value, sizeof value, 0);
    if (!code) opened++;
    return code;
}

int nvmlShutdown(void) {
    note("shutdown");
    if (!opened) return UNINITIALIZED;
    opened--;
    return 0;
}

const char *nvmlErrorString(int code) {
    static char text[32];
    snprintf(text, sizeof text, "fake error %d", code);
    return text;
}

int nvmlDeviceGetCount_v2(unsigned *count) { return number(NULL, "count", count); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **to) {
    char value[256];
    unsigned count = 0;
    int code = nvmlDeviceGetCount_v2(&count);
    if (code) return code;
    if (index >= count) return INVALID;
    snprintf(whole[index].prefix, sizeof whole[index].prefix, "%u", index);
    *to = &whole[index];
    code = answer(*to, "handle", value, sizeof value);
    return code == NOT_SUPPORTED ? 0 : code;
}

int nvmlDeviceGetUUID(device *d, char *to, unsigned size) { return text(d, "uuid", to, size); }
int nvmlDeviceGetName(device *d, char *to, unsigned size) { return text(d, "name", to, size); }

int nvmlDeviceGetUtilizationRates(device *d, unsigned *rates) {
    rates[1] = 0;
    return number(d, "utilization", &rates[0]);
}

/* `samples=time:value time:value …`: those that are newer than what is asked for. */
#ifndef OLD
typedef struct {
    u64 time;
    union {
        unsigned number;
        u64 whole;
    } value;
} sample;

int nvmlDeviceGetSamples(device *d, int which, u64 since, int *kind, unsigned *count, sample *to) {
    char value[4096], *at = value;
    unsigned found = 0, room = to ? *count : 0;
    int code = answer(d, "samples", value, sizeof value), read;
    u64 time;
    unsigned number;
    if (code) return code;
    if (which != 1) return INVALID;
    *kind = 1; /* unsigned int */
    for (; sscanf(at, " %llu:%u%n", &time, &number, &read) == 2; at += read) {
        if (time <= since) continue;
        if (found < room) to[found].time = time, to[found].value.whole = 0, to[found].value.number = number;
        found++;
    }
    *count = found;
    return found ? 0 : NOT_FOUND;
}
#endif

/* `memory=used total reserved`: the older function counts what is reserved as used. */
int nvmlDeviceGetMemoryInfo(device *d, u64 *to) {
    char value[256];
    u64 used = 0, total = 0, reserved = 0;
    int code = answer(d, "memory", value, sizeof value);
    if (code) return code;
    sscanf(value, "%llu %llu %llu", &used, &total, &reserved);
    to[0] = total, to[1] = total - used - reserved, to[2] = used + reserved;
    return 0;
}

#ifndef OLD
typedef struct {
    unsigned version;
    u64 total, reserved, free, used;
} memory_v2;

int nvmlDeviceGetMemoryInfo_v2(device *d, memory_v2 *to) {
    char value[256];
    int code = answer(d, "memory", value, sizeof value);
    if (code) return code;
    to->used = to->total = to->reserved = 0;
    sscanf(value, "%llu %llu %llu", &to->used, &to->total, &to->reserved);
    to->free = to->total - to->used - to->reserved;
    return 0;
}

int nvmlDeviceGetTemperatureV(device *d, unsigned *to) { return number(d, "temperature", &to[2]); }

int nvmlDeviceGetCurrentClocksEventReasons(device *d, u64 *to) { return number64(d, "reasons", to); }
int nvmlDeviceGetSupportedClocksEventReasons(device *d, u64 *to) {
    return number64(d, "supported_reasons", to);
}
#endif

int nvmlDeviceGetTemperature(device *d, unsigned sensor, unsigned *to) {
    return sensor ? INVALID : number(d, "temperature", to);
}

int nvmlDeviceGetCurrentClocksThrottleReasons(device *d, u64 *to) {
    return number64(d, "reasons", to);
}
int nvmlDeviceGetSupportedClocksThrottleReasons(device *d, u64 *to) {
    return number64(d, "supported_reasons", to);
}

int nvmlDeviceGetPowerUsage(device *d, unsigned *to) { return number(d, "power", to); }
int nvmlDeviceGetEnforcedPowerLimit(device *d, unsigned *to) { return number(d, "power_limit", to); }
int nvmlDeviceGetTotalEnergyConsumption(device *d, u64 *to) { return number64(d, "energy", to); }

int nvmlDeviceGetClockInfo(device *d, unsigned kind, unsigned *to) {
    return number(d, kind == 1 ? "clock_sm" : kind == 2 ? "clock_memory" : "clock_other", to);
}

int nvmlDeviceGetTotalEccErrors(device *d, unsigned kind, unsigned kept, u64 *to) {
    char key[64];
    snprintf(key, sizeof key, "ecc_%s_%s", kept ? "aggregate" : "volatile",
             kind ? "uncorrected" : "corrected");
    return number64(d, key, to);
}

/* `mig=1 7`: the mode, and how many instances there may be. */
int nvmlDeviceGetMigMode(device *d, unsigned *now, unsigned *later) {
    char value[256];
    int code = answer(d, "mig", value, sizeof value);
    if (!code) *now = *later = (unsigned)atoi(value);
    return code;
}

int nvmlDeviceGetMaxMigDeviceCount(device *d, unsigned *to) {
    char value[256];
    int code = answer(d, "mig", value, sizeof value);
    if (!code) sscanf(value, "%*u %u", to);
    return code;
}

int nvmlDeviceGetMigDeviceHandleByIndex(device *d, unsigned index, device **to) {
    char key[64], value[256];
    device *one = &instances[atoi(d->prefix)][index % 8];
    int code;
    snprintf(key, sizeof key, "mig%u.uuid", index);
    code = answer(d, key, value, sizeof value);
    snprintf(one->prefix, sizeof one->prefix, "%.16s.mig%u", d->prefix, index);
    *to = one;
    return code == NOT_SUPPORTED ? NOT_FOUND : code;
}

typedef struct {
    unsigned pid;
    u64 memory;
    unsigned gpu_instance, compute_instance;
} process;

/* `processes=PID:BYTES PID:na …` */
static int processes(device *d, const char *what, unsigned *count, process *to) {
    char value[2048], *word, *rest = value;
    unsigned n = 0;
    int code = answer(d, what, value, sizeof value);
    if (code) return code;
    while ((word = strtok_r(rest, " ", &rest))) {
        if (to && n < *count) {
            char *memory = strchr(word, ':') + 1;
            memset(&to[n], 0, sizeof to[n]);
            to[n].pid = (unsigned)atoi(word);
            to[n].memory = strcmp(memory, "na") ? strtoull(memory, NULL, 0) : (u64)-1;
        }
        n++;
    }
    code = n > *count || (n && !to) ? TOO_SMALL : 0;
    *count = n;
    return code;
}

int nvmlDeviceGetComputeRunningProcesses_v2(device *d, unsigned *count, process *to) {
    return processes(d, "processes", count, to);
}
#ifndef OLD
int nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned *count, process *to) {
    return processes(d, "processes", count, to);
}
int nvmlDeviceGetMPSComputeRunningProcesses_v3(device *d, unsigned *count, process *to) {
    return processes(d, "mps_processes", count, to);
}
#endif

int nvmlEventSetCreate(void **to) {
    char value[256];
    *to = whole;
    return answer(NULL, "events", value, sizeof value);
}
int nvmlEventSetFree(void *set) {
    (void)set;
    return 0;
}
int nvmlDeviceGetSupportedEventTypes(device *d, u64 *to) { return number64(d, "event_types", to); }
int nvmlDeviceRegisterEvents(device *d, u64 kinds, void *set) {
    u64 known = 0;
    int code = number64(d, "event_types", &known);
    (void)set;
    return code ? code : (kinds & ~known) ? NOT_SUPPORTED : 0;
}

typedef struct {
    device *of;
    u64 kind, data;
    unsigned gpu_instance, compute_instance;
} event;

/* `event=N GPU XID`: handed out once for each N, which rises. */
int nvmlEventSetWait_v2(void *set, event *to, unsigned milliseconds) {
    char value[256];
    (void)set;
    for (unsigned waited = 0; waited <= milliseconds; waited += 10) {
        long n = 0;
        unsigned gpu = 0;
        u64 xid = 0;
        int code = answer(NULL, "event", value, sizeof value);
        if (code && code != NOT_SUPPORTED) return code;
        if (!code && sscanf(value, "%ld %u %llu", &n, &gpu, &xid) == 3 && n > handed) {
            handed = n;
            memset(to, 0, sizeof *to);
            to->of = &whole[gpu], to->kind = 8, to->data = xid;
            note("event");
            return 0;
        }
        nap();
    }
    return TIMEOUT;
}
