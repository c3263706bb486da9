/* SPDX-License-Identifier: ISC
 *
 * See notice_url.h. The address is taken apart by the same library that will connect to it, so that both
 * mean the same host.
 */
#include "notice_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>

/* Literal addresses, and the one name that libcurl never asks a name server about. */
static bool is_loopback(const char *host) {
    struct in_addr four;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127;
}

static bool has(CURLU *u, CURLUPart part) {
    char *text = NULL;
    bool found = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return found;
}

static const char *fault_of(CURLU *u, const char *url) {
    if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return "is not a URL";
    if (has(u, CURLUPART_USER) || has(u, CURLUPART_PASSWORD))
        return "holds a user or password; the configuration is no place for secrets";
    char *scheme = NULL, *host = NULL;
    const char *why = NULL;
    if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        why = "is not a URL with a host";
    else if (strcmp(scheme, "http") == 0 && !is_loopback(host))
        why = "is plain HTTP, which is for loopback only";
    else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        why = "is not HTTPS";
    curl_free(scheme);
    curl_free(host);
    return why;
}

bool notice_url_good(const char *url, const char **why) {
    CURLU *u = curl_url();
    *why = u ? fault_of(u, url) : "cannot be looked at: out of memory";
    curl_url_cleanup(u);
    return !*why;
}
