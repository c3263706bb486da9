/* SPDX-License-Identifier: ISC
 *
 * See web_manners.h. The address is taken apart by the same library that will connect to it, so that both
 * mean the same host.
 */
#include "web_manners.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
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

bool web_url_good(const char *url, const char **why) {
    CURLU *u = curl_url();
    *why = u ? fault_of(u, url) : "cannot be looked at: out of memory";
    curl_url_cleanup(u);
    return !*why;
}

static size_t forget(char *at, size_t size, size_t count, void *arg) {
    return size * count;
}

bool web_manners(void *easy, const char *url, const char *ca, uint32_t limit_ms) {
    bool plain = strncasecmp(url, "http:", 5) == 0; /* to loopback: web_url_good */
    bool good = curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)limit_ms) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_USERAGENT, "sekisho/" SEKISHO_VERSION) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, forget) == CURLE_OK;
    if (ca[0])
        good = good && curl_easy_setopt(easy, CURLOPT_CAINFO, ca) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    return good;
}

bool web_agrees(void *easy, int result, const char *error, char why[WEB_WHY]) {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    bool good = result == CURLE_OK && status >= 200 && status < 300;
    why[0] = 0;
    if (result != CURLE_OK)
        snprintf(why, WEB_WHY, "cannot be reached: %.120s",
                 error[0] ? error : curl_easy_strerror((CURLcode)result));
    else if (!good)
        snprintf(why, WEB_WHY, "answered with status %ld", status);
    return good;
}
