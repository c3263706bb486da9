/* SPDX-License-Identifier: ISC
 *
 * See notice.h. Most lines are looked at with two searches only: the ledger writes a canonical form, in which
 * a quote inside a text is always escaped, so that ,"event":" can be nothing but the member's name.
 */
#include "notice.h"
#include "text.h"

#include <assert.h>
#include <jansson.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum condition { WHEN_ALWAYS, WHEN_OPERATOR, WHEN_TENANT };
enum urgency { URGENT_NEVER, URGENT_EMERGENCY, URGENT_ALWAYS };

static const struct rule {
    enum audit_event event;
    enum condition condition;
    enum urgency urgency;
} rules[] = {
#define NOTICE(event, condition, urgency) {EVENT_##event, WHEN_##condition, URGENT_##urgency},
#include "notices.def"
#undef NOTICE
};

uint64_t notice_number(struct view line) {
    static const char head[] = "{\"n\":";
    if (!view_starts(line, head))
        return 0;
    struct view digits = view_from(line, sizeof head - 1);
    const uint8_t *comma = digits.len > 0 ? memchr(digits.at, ',', digits.len) : NULL;
    uint64_t n;
    if (!comma || !text_number(view_of(digits.at, (size_t)(comma - digits.at)), 1, RECORD_NUMBER_MAX, &n))
        return 0;
    return n;
}

/* What follows `text`, where it first occurs; empty when it does not. */
static struct view behind(struct view line, const char *text) {
    size_t len = strlen(text);
    const uint8_t *at = line.len > 0 ? memmem(line.at, line.len, text, len) : NULL;
    return at ? view_from(line, (size_t)(at - line.at) + len) : view_of(NULL, 0);
}

static const struct rule *rule_of(struct view line) {
    struct view rest = behind(line, ",\"event\":\"");
    const uint8_t *quote = rest.len > 0 ? memchr(rest.at, '"', rest.len) : NULL;
    if (!quote)
        return NULL;
    struct view name = view_of(rest.at, (size_t)(quote - rest.at));
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (view_equal_text(name, event_name(rules[i].event)))
            return &rules[i];
    return NULL;
}

static bool is(const json_t *object, const char *member, const char *text) {
    const char *is = json_string_value(json_object_get(object, member));
    return is && strcmp(is, text) == 0;
}

bool notice_wanted(struct view line, const char *tenant, bool *urgent) {
    const struct rule *rule = rule_of(line);
    if (!rule || (rule->condition == WHEN_TENANT && !tenant[0]) ||
        (rule->condition == WHEN_OPERATOR && behind(line, ",\"operator\":\"").len == 0))
        return false;
    json_t *object =
        json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    bool good = json_is_object(object);
    *urgent = rule->urgency == URGENT_ALWAYS ||
              (rule->urgency == URGENT_EMERGENCY &&
               (is(object, "class", "emergency") || is(object, "state", "disputed")));
    json_decref(object);
    return good;
}

void notice_write(struct writer *w, const char *tenant, bool urgent, struct view line) {
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256(line.at, line.len, hash);
    writer_text(w, "{\"sekisho\":1,\"tenant\":");
    if (tenant[0])
        text_json(w, view_text(tenant));
    else
        writer_text(w, "null");
    writer_format(w, ",\"urgency\":\"%s\",\"record\":", urgent ? "urgent" : "normal");
    writer_bytes(w, line);
    writer_text(w, ",\"line_sha256\":\"");
    text_hex(w, view_of(hash, sizeof hash));
    writer_text(w, "\"}");
}

void notice_sign(struct view secret, struct view body, char out[NOTICE_SIGNATURE]) {
    uint8_t mac[SHA256_DIGEST_LENGTH];
    unsigned len = 0;
    assert(secret.len > 0 && secret.len <= INT32_MAX);
    const uint8_t *done = HMAC(EVP_sha256(), secret.at, (int)secret.len, body.at, body.len, mac, &len);
    assert(done && len == sizeof mac);
    struct writer w = writer_of(out, NOTICE_SIGNATURE);
    writer_text(&w, "sha256=");
    text_hex(&w, view_of(mac, sizeof mac));
    writer_u8(&w, 0);
    assert(!w.bad);
}
