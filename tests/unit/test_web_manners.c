/* SPDX-License-Identifier: ISC
 *
 * Which addresses of web servers are asked.
 */
#include "web_manners.h"

#include <criterion/criterion.h>

static void expect(bool good, const char *url) {
    const char *why;
    cr_expect_eq(web_url_good(url, &why), good, "%s", url);
    cr_expect_eq(why == NULL, good, "%s", url);
}

Test(web_manners, https_anywhere) {
    expect(true, "https://hooks.example.com/sekisho?for=acme");
    expect(true, "HTTPS://192.0.2.1:8443/");
    expect(true, "https://[2001:db8::1]/");
}

Test(web_manners, plain_http_on_loopback_only) {
    expect(true, "http://127.0.0.1:8080/x");
    expect(true, "http://127.9.8.7/");
    expect(true, "http://localhost:80/");
    expect(true, "http://[::1]:80/");
    expect(false, "http://hooks.example.com/");
    expect(false, "http://192.0.2.1/");
    expect(false, "http://127.0.0.1.example.com/");
    expect(false, "http://localhost.example.com/");
    expect(false, "http://[2001:db8::1]/");
    expect(false, "http://128.0.0.1/");
}

Test(web_manners, no_host_hides_behind_another) {
    expect(false, "http://127.0.0.1@hooks.example.com/");
    expect(false, "http://hooks.example.com#@127.0.0.1/");
    expect(false, "http://hooks.example.com\\@127.0.0.1/");
}

Test(web_manners, no_secret_and_nothing_but_http) {
    expect(false, "https://user:word@hooks.example.com/");
    expect(false, "https://user@hooks.example.com/");
    expect(false, "ftp://127.0.0.1/");
    expect(false, "file:///etc/passwd");
    expect(false, "gopher://127.0.0.1:70/");
    expect(false, "hooks.example.com");
    expect(false, "");
}
