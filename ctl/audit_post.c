/* SPDX-License-Identifier: ISC
 *
 * See audit_post.h. By libcurl, with the manners of everything else that we post.
 */
#include "audit_post.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>

#define LIMIT_MS 30000

static bool post(CURL *easy, const char *url, const char *ca, struct view body, char why[WEB_WHY]) {
    char error[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/x-ndjson");
    if (!headers || !web_manners(easy, url, ca, LIMIT_MS) ||
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.at) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error) != CURLE_OK) {
        curl_slist_free_all(headers);
        snprintf(why, WEB_WHY, "cannot be asked");
        return false;
    }
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a server that hangs up */
    CURLcode result = curl_easy_perform(easy);
    signal(SIGPIPE, before);
    bool good = web_agrees(easy, (int)result, error, why);
    curl_slist_free_all(headers);
    return good;
}

bool audit_post(const char *url, const char *ca, struct view body, char why[WEB_WHY]) {
    const char *fault;
    if (!web_url_good(url, &fault)) {
        snprintf(why, WEB_WHY, "%s", fault);
        return false;
    }
    snprintf(why, WEB_WHY, "cannot be asked");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return false;
    CURL *easy = curl_easy_init();
    bool good = easy && post(easy, url, ca, body, why);
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    return good;
}
