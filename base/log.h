/* SPDX-License-Identifier: ISC
 *
 * The process log: one line per event on stderr, for the people who run the proxy. (What tenants and auditors
 * read is the ledger, not this.) Control characters are made harmless; a line is one write(2).
 */
#ifndef SEKISHO_LOG_H
#define SEKISHO_LOG_H

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* name: "gate", "cell acme"; copied. Lines below `least` are dropped. */
void log_open(const char *name, enum log_level least);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
