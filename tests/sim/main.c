/** The simulation: the coordinator's real service and core and 50 agents' real cores in one process, over a simulated broker, registry and
 *  runtime, in simulated time, from a seed. Each seed is 24 hours: 19 in which everything goes wrong that can, then calm in which operators
 *  put in order what only they can, then an hour in which nothing may be heard but hellos, then everything is compared.
 *
 *      sim                         seeds 1 to 200, one seed twice, then every planted defect
 *      sim --seeds 1-50            only these
 *      sim --seed 7 [-v]           one; -v prints its trace and how often each kind of fault happened
 *      sim --plant OLD_MANIFEST    looks for that defect; fails if it is not found
 *      sim --plants                looks for each of them
 *      sim --no-faults             nothing goes wrong
 *  SEED=n in the environment is --seed n. Work is shared out among as many processes as there are processors. */
#include "tests/sim/sim.h"

#include "shared/base/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#ifdef __SANITIZE_ADDRESS__
enum { SIM_SEEDS = 12 };
#else
enum { SIM_SEEDS = 200 };
#endif

enum { SIM_SEARCH = 200 };

enum kd_plant kd_planted;

#define SIM_PLANT_AS_NAME(id, text) #id,
static const char *const sim_plants[] = { KD_PLANTS(SIM_PLANT_AS_NAME) };

struct sim_options {
    uint64_t first, last;
    bool verbose, faultless, plants, seeds, one;
    int plant;
};

/** Shared by the workers. */
struct sim_board {
    uint64_t next, begin, failed_seed; /* next: how many seeds were begun; begin: the first of them, from options->first on */
    uint64_t faults[SIM_FAULT_COUNT], events, done, idle;
    char failure[2000];
    volatile bool stop;
};

/** Where the search for a defect begins: seeds that found it lately. All others follow. */
static const uint64_t sim_likely[KD_PLANT_COUNT] = {
    [KD_PLANT_REPLY_BEFORE_COMMIT] = 85, [KD_PLANT_ACK_BEFORE_COMMIT] = 4, [KD_PLANT_OUTBOX_NOT_KEPT] = 49,
    [KD_PLANT_OLD_MANIFEST] = 4,         [KD_PLANT_NAME_IS_UID] = 163,     [KD_PLANT_HOLD_IGNORED] = 6,
    [KD_PLANT_SEQUENCE_IGNORED] = 94,    [KD_PLANT_MISSING_NOT_SAID] = 37,
};

static struct sim sim_one;

static void sim_report_faults(const uint64_t *faults)
{
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        printf("  %8" PRIu64 "  %s\n", faults[i], sim_fault_texts[i]);
}

/** Runs one seed and writes what came of it on the board. */
static uint64_t sim_seed(struct sim_board *board, uint64_t seed, const struct sim_options *options)
{
    sim_run_seed(&sim_one, seed, &(struct sim_way){ options->verbose, options->faultless, &board->stop });
    uint64_t hash = sim_one.hash;
    if (sim_one.failed && __sync_bool_compare_and_swap(&board->stop, false, true)) {
        board->failed_seed = seed;
        memcpy(board->failure, sim_one.failure, sizeof board->failure);
    }
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        (void)__sync_fetch_and_add(&board->faults[i], sim_one.faults[i]);
    (void)__sync_fetch_and_or(&board->idle, sim_one.idle_faults);
    (void)__sync_fetch_and_add(&board->events, sim_one.events);
    (void)__sync_fetch_and_add(&board->done, 1);
    sim_clear(&sim_one);
    return hash;
}

static void sim_work(struct sim_board *board, const struct sim_options *options)
{
    for (;;) {
        uint64_t n = options->last - options->first + 1, i = __sync_fetch_and_add(&board->next, 1);
        if (i >= n || board->stop)
            return;
        (void)sim_seed(board, options->first + (board->begin + i) % n, options);
    }
}

/** True if all workers ended well; one that crashed is a failure of its own. */
static bool sim_workers(struct sim_board *board, const struct sim_options *options)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    bool well = true;
    (void)fflush(NULL);
    for (long i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return false;
        if (pid == 0) {
            sim_work(board, options);
            (void)fflush(NULL);
            exit(0);
        }
    }
    for (long i = 0; i < n; i++) {
        int status = 0;
        while (wait(&status) < 0 && errno == EINTR)
            ;
        well = well && status == 0;
    }
    return well;
}

static struct sim_board *sim_board_make(void)
{
    struct sim_board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        abort();
    return board;
}

static double sim_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool sim_say_failure(const struct sim_board *board, bool well)
{
    if (board->stop)
        printf("sim: seed %" PRIu64 " fails: %s\n  again: SEED=%" PRIu64 " make test, or sim --seed %" PRIu64 " -v\n",
               board->failed_seed, board->failure, board->failed_seed, board->failed_seed);
    else if (!well)
        printf("sim: a worker crashed\n");
    return !board->stop && well;
}

static bool sim_seeds(const struct sim_options *options)
{
    struct sim_board *board = sim_board_make();
    double start = sim_seconds();
    bool well = sim_say_failure(board, sim_workers(board, options));
    printf("sim: %" PRIu64 " seeds of 24 hours, %" PRIu64 " events, %.1f s\n", board->done, board->events, sim_seconds() - start);
    uint64_t idle = well && !options->faultless ? board->idle : 0;
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        if (idle >> i & 1)
            printf("sim: not every seed had this fault, so these days prove less than they should: %s\n", sim_fault_texts[i]);
    if (options->verbose)
        sim_report_faults(board->faults);
    (void)munmap(board, sizeof *board);
    return well && idle == 0;
}

/** The same seed gives the same trace. */
static bool sim_twice(const struct sim_options *options)
{
    struct sim_board *board = sim_board_make();
    uint64_t first = sim_seed(board, options->first, options), second = sim_seed(board, options->first, options);
    (void)munmap(board, sizeof *board);
    if (first != second)
        printf("sim: seed %" PRIu64 " does not give the same trace twice\n", options->first);
    return first == second;
}

static bool sim_plant(const struct sim_options *options, int plant)
{
    struct sim_board *board = sim_board_make();
    double start = sim_seconds();
    board->begin = sim_likely[plant] > options->first ? sim_likely[plant] - options->first : 0;
    kd_planted = (enum kd_plant)plant;
    bool well = sim_workers(board, options), found = board->stop || !well;
    kd_planted = KD_PLANT_NONE;
    printf("sim: %-18s %s", sim_plants[plant], found ? "found" : "NOT FOUND");
    if (board->stop)
        printf(" by seed %" PRIu64 ", %.1f s: %.150s", board->failed_seed, sim_seconds() - start, board->failure);
    printf("\n");
    (void)munmap(board, sizeof *board);
    return found;
}

/** Each is looked for in 200 days (unless --seeds says which), also where fewer are run otherwise. */
static bool sim_plants_all(const struct sim_options *options)
{
    struct sim_options search = *options;
    bool all = true;
    search.last = options->seeds ? options->last : SIM_SEARCH;
    for (int plant = KD_PLANT_NONE + 1; plant < KD_PLANT_COUNT; plant++)
        all &= sim_plant(&search, plant);
    return all;
}

static bool sim_number(const char *text, uint64_t *ret)
{
    return text && kd_str_u64(kd_str(text), ret);
}

static bool sim_range(const char *text, struct sim_options *options)
{
    struct kd_str last = kd_str(text), first = kd_str_cut(&last, '-');
    options->seeds = true;
    return kd_str_u64(first, &options->first) && kd_str_u64(last, &options->last);
}

static int sim_plant_named(const char *name)
{
    for (int i = 1; name && i < KD_PLANT_COUNT; i++)
        if (strcmp(name, sim_plants[i]) == 0)
            return i;
    return -1;
}

static bool sim_options_read(int argc, char **argv, struct sim_options *o)
{
    const char *seed = getenv("SEED");
    bool well = !seed || !seed[0] || ((o->one = sim_number(seed, &o->first)));
    for (int i = 1; i < argc && well; i++) {
        if (strcmp(argv[i], "-v") == 0)
            o->verbose = true;
        else if (strcmp(argv[i], "--no-faults") == 0)
            o->faultless = true;
        else if (strcmp(argv[i], "--plants") == 0)
            o->plants = true;
        else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            well = sim_range(argv[++i], o);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            well = o->one = sim_number(argv[++i], &o->first);
        else if (strcmp(argv[i], "--plant") == 0 && i + 1 < argc)
            well = (o->plant = sim_plant_named(argv[++i])) > 0;
        else
            well = false;
    }
    return well;
}

static bool sim_run_one(struct sim_options *options)
{
    struct sim_board *board = sim_board_make();
    options->last = options->first;
    kd_planted = (enum kd_plant)options->plant;
    (void)sim_seed(board, options->first, options);
    bool well = sim_say_failure(board, true);
    printf("sim: seed %" PRIu64 ": %" PRIu64 " events, %s\n", options->first, board->events, well ? "passes" : "fails");
    if (options->verbose)
        sim_report_faults(board->faults);
    return well;
}

int main(int argc, char **argv)
{
    struct sim_options options = { .first = 1, .last = SIM_SEEDS };
    if (!sim_options_read(argc, argv, &options)) {
        (void)fprintf(stderr, "usage: sim [--seeds FIRST-LAST | --seed N] [--plant NAME | --plants] [--no-faults] [-v]\n");
        return 2;
    }
    if (options.one)
        return sim_run_one(&options) ? 0 : 1;
    if (options.plant)
        return sim_plant(&options, options.plant) ? 0 : 1;
    if (options.plants)
        return sim_plants_all(&options) ? 0 : 1;
    bool well = sim_seeds(&options) && sim_twice(&options);
    if (!options.seeds && !options.faultless)
        well = well && sim_plants_all(&options);
    return well ? 0 : 1;
}
