/* A libnvidia-ml.so.1 for machines without a GPU: its devices stand in the text file that $FAKE_NVML names.
 *
 *   gpu UUID TOTAL_MIB USED_MIB NAME        a GPU whose MIG mode is off
 *   geforce UUID TOTAL_MIB USED_MIB NAME    a GPU that doesn't know MIG
 *   split UUID TOTAL_MIB USED_MIB NAME      a GPU whose MIG mode is on
 *   mig INDEX UUID TOTAL_MIB USED_MIB NAME  a slice of the GPU above it
 *   fail FUNCTION CODE [INDEX]              what a function answers, for every GPU or for the one with this index
 *
 * Only what Python's pynvml needs to list devices. Not thread safe.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, NOT_LOADED = 9 };
enum kind { GPU, GEFORCE, SPLIT, MIG };

struct device { enum kind kind; int index; int parent; char uuid[96]; char name[96]; unsigned long long total, used; };
struct failure { char function[64]; int code; int index; };
struct memory { unsigned long long total, free, used; };

static struct device devices[64];
static struct failure failures[16];
static int device_count, failure_count;

static int failing(const char *function, int index)
{
    for (int i = 0; i < failure_count; i++)
        if (!strcmp(failures[i].function, function) && (failures[i].index < 0 || failures[i].index == index))
            return failures[i].code;
    return OK;
}

static int number_of(const struct device *d)
{
    int number = 0;
    for (const struct device *other = devices; other < d; other++)
        number += other->kind != MIG;
    return number;
}

static void read_line(const char *line)
{
    static const char *words[] = {"gpu", "geforce", "split", "mig"};
    char word[16] = "";
    int used = 0;
    sscanf(line, "%15s %n", word, &used);
    if (!strcmp(word, "fail") && failure_count < 16) {
        struct failure *f = &failures[failure_count++];
        f->index = -1;
        sscanf(line + used, "%63s %d %d", f->function, &f->code, &f->index);
        return;
    }
    for (int kind = GPU; kind <= MIG; kind++) {
        if (strcmp(word, words[kind]) || device_count == 64)
            continue;
        struct device *d = &devices[device_count];
        int more = 0;
        d->kind = kind;
        d->parent = device_count - 1;
        while (kind == MIG && d->parent > 0 && devices[d->parent].kind == MIG)
            d->parent--;
        if (kind == MIG)
            sscanf(line + used, "%d %n", &d->index, &more);
        sscanf(line + used + more, "%95s %llu %llu %95[^\n]", d->uuid, &d->total, &d->used, d->name);
        device_count++;
    }
}

int nvmlInitWithFlags(unsigned flags)
{
    char line[512];
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    (void)flags;
    if (!file)
        return NOT_LOADED;
    device_count = failure_count = 0;
    while (fgets(line, sizeof line, file))
        read_line(line);
    fclose(file);
    return failing("nvmlInit", -1);
}

int nvmlShutdown(void) { return OK; }

const char *nvmlErrorString(int code) { return code == 15 ? "GPU is lost" : "error of the fake driver"; }

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = number_of(devices + device_count);
    return failing("nvmlDeviceGetCount", -1);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle)
{
    for (int i = 0; i < device_count; i++)
        if (devices[i].kind != MIG && number_of(&devices[i]) == (int)index) {
            *handle = &devices[i];
            return failing("nvmlDeviceGetHandleByIndex", index);
        }
    return INVALID;
}

int nvmlDeviceGetMigMode(struct device *d, unsigned *current, unsigned *pending)
{
    *current = *pending = d->kind == SPLIT;
    return d->kind == GEFORCE ? NOT_SUPPORTED : failing("nvmlDeviceGetMigMode", number_of(d));
}

int nvmlDeviceGetMaxMigDeviceCount(struct device *d, unsigned *count)
{
    *count = d->kind == SPLIT ? 7 : 0;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(struct device *d, unsigned index, void **handle)
{
    for (int i = 0; i < device_count; i++)
        if (devices[i].kind == MIG && &devices[devices[i].parent] == d && devices[i].index == (int)index) {
            *handle = &devices[i];
            return OK;
        }
    return NOT_FOUND;
}

int nvmlDeviceGetUUID(struct device *d, char *buffer, unsigned length)
{
    snprintf(buffer, length, "%s", d->uuid);
    return failing("nvmlDeviceGetUUID", number_of(d));
}

int nvmlDeviceGetName(struct device *d, char *buffer, unsigned length)
{
    snprintf(buffer, length, "%s", d->name);
    return OK;
}

int nvmlDeviceGetMemoryInfo(struct device *d, struct memory *memory)
{
    memory->total = d->total << 20;
    memory->used = d->used << 20;
    memory->free = memory->total - memory->used;
    return failing("nvmlDeviceGetMemoryInfo", number_of(d));
}
