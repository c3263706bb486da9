/* SPDX-License-Identifier: ISC
 *
 * See ticket_ask.h: the address. One request by libcurl, and a command line that waits for it.
 */
#include "ticket_ask.h"
#include "web_manners.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>

static bool get(CURL *easy, const struct settings *s, const char *url, char why[WEB_WHY]) {
    char error[CURL_ERROR_SIZE] = "";
    if (!web_manners(easy, url, s->ticket_ca, s->ticket_timeout) ||
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error) != CURLE_OK) {
        snprintf(why, WEB_WHY, "cannot be asked");
        return false;
    }
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a server that hangs up */
    CURLcode result = curl_easy_perform(easy);
    signal(SIGPIPE, before);
    return web_agrees(easy, (int)result, error, why);
}

static bool ask(const struct settings *s, const char *url, char why[WEB_WHY]) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(why, WEB_WHY, "cannot be asked");
        return false;
    }
    CURL *easy = curl_easy_init();
    bool good = easy && get(easy, s, url, why);
    if (!easy)
        snprintf(why, WEB_WHY, "cannot be asked");
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    return good;
}

bool ticket_ask_url(const struct settings *s, const char *ticket, const char *tenant, const char *operator,
                    char why[TICKET_WHY]) {
    char url[TICKET_URL_MAX], end[WEB_WHY] = "cannot be asked";
    const char *fault = NULL;
    if (!web_url_good(s->ticket_url, &fault))
        snprintf(end, sizeof end, "%s", fault);
    else if (ticket_question(s->ticket_url, ticket, tenant, operator, url) && ask(s, url, end))
        return true;
    snprintf(why, TICKET_WHY, "ticket_url %.84s", end);
    return false;
}
