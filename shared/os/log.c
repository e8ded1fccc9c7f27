/** The log on stderr. */
#include "shared/os/log.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"
#include "shared/os/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

static const struct {
    const char *word;
    int level;
} kd_log_levels[] = {
    { "error", LOG_ERR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE }, { "info", LOG_INFO }, { "debug", LOG_DEBUG },
};

const char *const kd_log_words[] = { "error", "warning", "notice", "info", "debug", NULL };

static atomic_int kd_log_most = LOG_INFO;

int kd_log_level(int word)
{
    return word >= 0 && (size_t)word < KD_COUNT(kd_log_levels) ? kd_log_levels[word].level : LOG_INFO;
}

void kd_log_limit(int level)
{
    atomic_store(&kd_log_most, level);
}

static const char *kd_log_word(int level)
{
    for (size_t i = 0; i < KD_COUNT(kd_log_levels); i++)
        if (level <= kd_log_levels[i].level)
            return kd_log_levels[i].word;
    return "debug";
}

/** JOURNAL_STREAM is inherited by children whose stderr goes elsewhere: it counts only if it names this very stream. */
static bool kd_log_is_journal(void)
{
    struct stat at;
    char name[64];
    const char *stream = getenv("JOURNAL_STREAM");
    if (!stream || fstat(STDERR_FILENO, &at) != 0)
        return false;
    (void)snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)at.st_dev, (uintmax_t)at.st_ino);
    return strcmp(stream, name) == 0;
}

static size_t kd_log_begin(char *line, size_t cap, int level)
{
    char time[KD_TIME_TEXT];
    int n = 0;
    if (kd_log_is_journal())
        n = snprintf(line, cap, "<%d>", level);
    else {
        kd_wall_text(kd_wall_now(), time);
        n = snprintf(line, cap, "%s %-7s ", time, kd_log_word(level));
    }
    return (size_t)n;
}

/** Ends the line: cut between characters, no control character but the line feed. */
static size_t kd_log_end(char *line, size_t n)
{
    struct kd_str text = kd_utf8_head((struct kd_str){ line, n }, KD_LOG_LINE_MAX - 1);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = '?';
    line[text.n] = '\n';
    return text.n + 1;
}

void kd_log(int level, const char *event, const char *fmt, ...)
{
    char line[KD_LOG_LINE_MAX + 2];
    int kept = errno;
    if (level > atomic_load(&kd_log_most))
        return;
    size_t n = kd_log_begin(line, sizeof line, level);
    n += (size_t)snprintf(line + n, sizeof line - n, "%.64s%s", event, *fmt ? " " : "");
    va_list args;
    va_start(args, fmt);
    errno = kept; /* for %m */
    int more = vsnprintf(line + n, sizeof line - n, fmt, args);
    va_end(args);
    n += more > 0 ? (size_t)more : 0;
    n = kd_log_end(line, n < sizeof line - 1 ? n : sizeof line - 1);
    if (write(STDERR_FILENO, line, n) < 0)
        errno = kept; /* nobody is left who could be told */
    errno = kept;
}
