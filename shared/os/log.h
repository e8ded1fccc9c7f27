/** The log: one line per event on stderr, `<level> time event key=value…`. Only shells log; everything below returns its story. */
#ifndef KD_OS_LOG_H
#define KD_OS_LOG_H

#include <syslog.h> /* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG */

enum { KD_LOG_LINE_MAX = 2048 /* bytes; what is longer is cut */ };

/** The words of a setting "log.level" (ends with NULL), and the level of an index into them. */
extern const char *const kd_log_words[];
int kd_log_level(int word);

/** Lines above the level are dropped from now on; LOG_INFO at the start. */
void kd_log_limit(int level);

/** Writes one line, e.g. kd_log(LOG_WARNING, "report.rejected", "node=%s why=\"%s\"", id, err.story). `event` is a stable word;
 *  fmt gives key=value pairs ("" for none), values with blanks in quotes. Control characters become '?'. When stderr is the
 *  journal, the line begins with its <N> prefix instead of time and level. Never fails, keeps errno; any thread may call it. */
void kd_log(int level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
