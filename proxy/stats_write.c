/* SPDX-License-Identifier: ISC
 *
 * Statistics in Prometheus's text format 0.0.4. Nothing of a stranger's is printed: names and reasons are our
 * own lists, and a tenant's id holds nothing that would need a quote. Pure.
 */
#include "magic.h"
#include "stats_series.h"

#include <inttypes.h>
#include <string.h>

#define LINE 512

static const char *const refusals[] = {
#define REFUSAL(code, name) name,
#include "refusals.def"
#undef REFUSAL
};

static const char *const closes[] = {
#define CLOSE(code, name) name,
#include "close_reasons.def"
#undef CLOSE
};

struct writing {
    const struct stats_number *number;
    const struct stats_series *series;
    int64_t mono_us;
    stats_line_fn *line;
    void *arg;
};

static const char *process_name(enum stats_writer writer) {
    switch (writer) {
    case STATS_GATE:
        return "gate";
    case STATS_LOBBY:
        return "lobby";
    case STATS_BROKER:
        return "broker";
    case STATS_KEEPER:
        return "keeper";
    case STATS_LEDGER:
        return "ledger";
    case STATS_CONSOLE:
        return "console";
    case STATS_NOTIFIER:
        return "notifier";
    default:
        return "";
    }
}

/* The series' own labels, without braces: none where only one process has the number. */
static void write_labels(struct writer *w, const struct writing *x) {
    unsigned singles = x->number->writers & STATS_SINGLES;
    if (x->series->tenant[0])
        writer_format(w, "tenant=\"%s\",plane=\"%s\"", x->series->tenant,
                      x->series->writer == STATS_OPERATOR ? "operators" : "tenants");
    else if (singles & (singles - 1))
        writer_format(w, "process=\"%s\"", process_name(x->series->writer));
}

/* name: "reason" or "le", or NULL for no further label. */
static struct writer begin_line(uint8_t room[LINE], const struct writing *x, const char *end,
                                const char *name, const char *value) {
    uint8_t label_room[128];
    struct writer w = writer_of(room, LINE), labels = writer_of(label_room, sizeof label_room);
    write_labels(&labels, x);
    if (name)
        writer_format(&labels, "%s%s=\"%s\"", labels.len > 0 ? "," : "", name, value);
    writer_format(&w, "%s%s", x->number->name, end);
    if (labels.len > 0)
        writer_format(&w, "{%.*s}", (int)labels.len, (const char *)labels.at);
    return w;
}

static void end_line(struct writer *w, const struct writing *x) {
    writer_u8(w, '\n');
    assert(!w->bad);
    x->line(x->arg, writer_view(w));
}

static void write_count(const struct writing *x, const char *end, const char *name, const char *value,
                        uint64_t count) {
    uint8_t room[LINE];
    struct writer w = begin_line(room, x, end, name, value);
    writer_format(&w, " %" PRIu64, count);
    end_line(&w, x);
}

static void write_seconds(const struct writing *x, const char *end, uint64_t us) {
    uint8_t room[LINE];
    struct writer w = begin_line(room, x, end, NULL, NULL);
    writer_format(&w, " %" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
    end_line(&w, x);
}

static void write_histogram(const struct writing *x) {
    static const uint32_t bounds[] = STATS_BOUNDS;
    const uint64_t *word = &x->series->word[x->number->at];
    uint64_t so_far = 0;
    for (size_t i = 0; i < STATS_BUCKETS; i++) {
        char bound[16] = "+Inf";
        struct writer w = writer_of(bound, sizeof bound - 1);
        if (i < STATS_BUCKETS - 1) {
            writer_format(&w, "%u.%06u", bounds[i] / 1000000, bounds[i] % 1000000);
            while (bound[w.len - 1] == '0' && bound[w.len - 2] != '.')
                w.len--;
            bound[w.len] = 0;
        }
        so_far = so_far > UINT64_MAX - word[i] ? UINT64_MAX : so_far + word[i];
        write_count(x, "_bucket", "le", bound, so_far);
    }
    write_seconds(x, "_sum", word[STATS_BUCKETS]);
    write_count(x, "_count", NULL, NULL, so_far);
}

/* Reasons that there were: the others would be most of the page. */
static void write_reasons(const struct writing *x, const char *const *names) {
    for (size_t i = 0; i < x->number->words; i++)
        if (x->series->word[x->number->at + i] > 0)
            write_count(x, "", "reason", names[i], x->series->word[x->number->at + i]);
}

static void write_series(const struct writing *x) {
    uint64_t first = x->series->word[x->number->at];
    switch (x->number->shape) {
    case STATS_IS_COUNTER:
    case STATS_IS_GAUGE:
        write_count(x, "", NULL, NULL, first);
        return;
    case STATS_IS_STAMP:
        if (first > 0)
            write_seconds(x, "", first < (uint64_t)x->mono_us ? (uint64_t)x->mono_us - first : 0);
        return;
    case STATS_IS_HISTOGRAM:
        write_histogram(x);
        return;
    case STATS_IS_REFUSALS:
        write_reasons(x, refusals);
        return;
    case STATS_IS_CLOSES:
        write_reasons(x, closes);
        return;
    }
}

static void write_head(const struct writing *x) {
    uint8_t room[LINE];
    struct writer w = writer_of(room, sizeof room);
    enum stats_shape shape = x->number->shape;
    const char *type = shape == STATS_IS_HISTOGRAM                          ? "histogram"
                       : shape == STATS_IS_GAUGE || shape == STATS_IS_STAMP ? "gauge"
                                                                            : "counter";
    writer_format(&w, "# HELP %s %s\n# TYPE %s %s", x->number->name, x->number->help, x->number->name, type);
    end_line(&w, x);
}

void stats_write(const struct stats_series *all, size_t count, int64_t mono_us, stats_line_fn *line,
                 void *arg) {
    struct writing x = {.mono_us = mono_us, .line = line, .arg = arg};
    for (size_t i = 0; i < stats_count(); i++) {
        x.number = stats_number(i);
        write_head(&x);
        for (size_t s = 0; s < count; s++) {
            MAGIC_CHECK(&all[s], STATS_SERIES_MAGIC);
            x.series = &all[s];
            if (x.number->writers & x.series->writer)
                write_series(&x);
        }
    }
}
